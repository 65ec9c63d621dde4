import json
from dataclasses import astuple

import mujoco
import numpy as np
import pytest
import torch
import trimesh
from scipy.spatial.transform import Rotation

from graspbook import pose
from graspbook.hands import shadow
from graspbook.hands.articulated import carry
from graspbook.hands.library import load_hand
from graspbook.objects.distance import DistanceField, lookup, signed_distance_grid, stack


@pytest.fixture(scope="module")
def hand():
    return load_hand("shadow")


def test_kinematics_are_those_of_the_model_file(hand):
    model = mujoco.MjModel.from_xml_path(str(shadow.model_path()))
    data = mujoco.MjData(model)
    values = np.random.default_rng(0).uniform(-1, 1.5, (10, 22))
    poses = hand.forward_all(torch.as_tensor(values)).numpy()
    for row, links in zip(values, poses, strict=True):
        for joint, value in zip(hand.all_joints, row, strict=True):
            data.joint("robot0:" + joint).qpos = value
        mujoco.mj_kinematics(model, data)
        palm = data.body("robot0:palm")
        for name, link in zip(hand.links, links, strict=True):
            body = data.body("robot0:" + name)
            np.testing.assert_allclose(
                palm.xmat.reshape(3, 3).T @ (body.xpos - palm.xpos), link[:3, 3], atol=1e-6
            )
            np.testing.assert_allclose(
                palm.xmat.reshape(3, 3).T @ body.xmat.reshape(3, 3), link[:3, :3], atol=1e-6
            )


def test_eighteen_independent_joints_and_coupled_distal_ones(hand):
    assert (
        len(hand.joints) == 18
        and len(hand.all_joints) == 22
        and not set(hand.joints) & set(hand.coupling)
    )
    values = dict(zip(hand.all_joints, hand.expand(hand.limits[:, 1]), strict=True))
    for finger in ("FF", "MF", "RF", "LF"):
        assert values[f"{finger}J0"] == pytest.approx(0.8 * values[f"{finger}J1"])
    assert values["THJ4"] == pytest.approx(1.047)


def test_contact_points_lie_on_palm_and_fingers(hand):
    points, normals, links = hand.contacts["default"]
    names = np.array(hand.links)[links]
    count = {
        kind: sum(name.endswith(kind) for name in names)
        for kind in ("proximal", "middle", "distal")
    }
    assert len(points) == 45 and count == {"proximal": 10, "middle": 10, "distal": 15}
    fingertips = hand.contacts["fingertips"]
    assert len(fingertips.points) == 45 and all(
        hand.links[link].endswith("distal") for link in fingertips.links
    )


def test_closing_brings_fingertips_before_the_palm(hand):
    tips = [hand.links.index(f"{finger}distal") for finger in ("ff", "mf", "rf", "lf")]
    closed = np.where(hand.closing > 0, 1.3, hand.open)
    half = hand.forward(torch.as_tensor(np.stack([hand.open, closed])))[:, tips, :3, 3]
    assert (half[1, :, 1] < half[0, :, 1] - 0.01).all() and (
        half[1, :, 2] < half[0, :, 2] - 0.03
    ).all()


def real_grasps(file):
    """Hand's wrist poses (N, 4, 4), all 22 joints (N, 22) and object scales (N,) of a DexGraspNet
    file.
    """
    grasps = json.loads(file.read_text())
    get = lambda names: np.array([[grasp["qpos"][name] for name in names] for grasp in grasps])  # noqa: E731
    rotation = Rotation.from_euler("xyz", get(["WRJRx", "WRJRy", "WRJRz"])).as_matrix()
    joints = get(["robot0:" + joint for joint in load_hand("shadow").all_joints])
    return (
        pose.from_rt(rotation, get(["WRJTx", "WRJTy", "WRJTz"])),
        joints,
        np.array([grasp["scale"] for grasp in grasps]),
    )


def test_the_contact_side_of_real_grasps_lies_on_the_object(hand, real_data):
    contacts, surface = hand.contacts["default"], hand.surface
    tips = [
        surface.links == hand.links.index(f"{finger}distal") for finger in (*shadow.FINGERS, "th")
    ]
    for file in sorted((real_data / "dexgraspnet").glob("*.json")):
        wrist, joints, scale = real_grasps(file)
        mesh, (sizes, which) = (
            trimesh.load(file.with_suffix(".obj"), process=False),
            np.unique(scale, return_inverse=True),
        )
        which, field = torch.as_tensor(which), signed_distance_grid(mesh, 96)
        fields = stack([DistanceField(*(size * part for part in astuple(field))) for size in sizes])

        def distances(shift, wrist=wrist, joints=joints, fields=fields, which=which):
            """Of every grasp, the third least distance of a contact point, and the least of each
            fingertip's surface (N, 5).
            """
            poses = hand.forward_all(
                torch.as_tensor(joints),
                torch.as_tensor(wrist @ pose.from_rt(np.eye(3), [0, 0, shift])),
            )
            near = (
                lookup(fields, carry(poses, contacts.points, contacts.links), which).abs().numpy()
            )
            skin = lookup(fields, carry(poses, surface.points, surface.links), which).numpy()
            return np.sort(near, axis=1)[:, 2], np.abs(
                np.stack([skin[:, tip].min(axis=1) for tip in tips], axis=1)
            )

        (near, tip), (wrong, astray) = (
            distances(0.0),
            distances(0.034),
        )  # metres: where the palm lies in the model with its wrist
        assert np.median(near) < 0.001 and np.median(tip) < 0.001
        assert np.median(wrong) > 2 * np.median(near) and np.median(astray) > 10 * np.median(tip)
