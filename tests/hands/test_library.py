"""What holds for every hand; a new one is tested by its name in HANDS."""

import mujoco
import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from graspbook import pose
from graspbook.errors import ParameterError
from graspbook.hands import mjcf, shape
from graspbook.hands.articulated import carry, carry_normals, place
from graspbook.hands.library import HANDS, load_hand
from graspbook.simulation.checks import kinematics_deviation


@pytest.fixture(params=HANDS, scope="module")
def hand(request):
    return load_hand(request.param)


def random_joints(hand, n, seed=0):
    return torch.as_tensor(
        np.random.default_rng(seed).uniform(*hand.limits.T, (n, len(hand.joints)))
    )


def test_kinematics_are_those_of_mujoco(hand):
    assert kinematics_deviation(hand, 20, seed=0) < 1e-9


def test_motors_close_the_simulated_hand_and_coupled_joints_follow(hand):
    spec = mujoco.MjSpec()
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    mjcf.add_hand(spec, hand)
    model = spec.compile()
    data, address = (
        mujoco.MjData(model),
        [model.joint("hand/" + joint).qposadr[0] for joint in hand.all_joints],
    )
    data.qpos[address] = hand.expand(hand.open)
    target = np.where(hand.closing == 0, hand.open, hand.limits.mean(axis=1))
    data.ctrl[:] = target
    for _ in range(500):
        mujoco.mj_step(model, data)
    np.testing.assert_allclose(data.qpos[address], hand.expand(target), atol=1e-3)
    assert (model.actuator_forcerange[:, 1] == hand.efforts).all() and (hand.efforts > 0).all()


def test_the_wrist_moves_all_links_and_batch_dimensions_are_free(hand):
    joints, rng = random_joints(hand, 6).reshape(2, 3, -1), np.random.default_rng(1)
    wrist = torch.as_tensor(pose.from_rt(pose.random_rotations(3, rng), rng.normal(size=(3, 3))))
    poses = hand.forward(joints, wrist)
    assert poses.shape == (2, 3, len(hand.links), 4, 4)
    torch.testing.assert_close(poses, wrist[:, None] @ hand.forward(joints))
    torch.testing.assert_close(poses[1, 2], hand.forward(joints[1, 2], wrist[2]))
    torch.testing.assert_close(poses, hand.forward_all(hand.expand(joints), wrist))
    assert hand.forward(joints[:, :0]).shape == (2, 0, len(hand.links), 4, 4)
    assert hand.forward(joints.float()).dtype == torch.float32


def test_points_are_carried_by_their_links(hand):
    points, normals, links = hand.contacts["default"]
    poses = hand.forward(random_joints(hand, 4))
    expected = torch.stack(
        [
            pose.transform(poses[:, link], torch.as_tensor(point)[None])[:, 0]
            for point, link in zip(points, links, strict=True)
        ],
        dim=1,
    )
    torch.testing.assert_close(carry(poses, points, links), expected)
    ahead = carry(poses, points + normals, links)
    torch.testing.assert_close(carry_normals(poses, normals, links), ahead - expected)


def test_gradients_are_those_of_finite_differences(hand):
    points, _, links = hand.contacts["default"]
    joints = random_joints(hand, 1)[0].requires_grad_()
    wrist = torch.eye(4, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda q, w: place(hand, w, q, points[:5], links[:5]), (joints, wrist)
    )


def distances_to_link(hand, link, points):
    return np.min(
        [shape.part_distance(part, points) for part in hand.parts if part.link == hand.links[link]],
        axis=0,
    )


def test_contact_points_lie_on_the_surface_with_outward_normals(hand):
    for points, normals, links in hand.contacts.values():
        np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1)
        for point, normal, link in zip(points, normals, links, strict=True):
            line = point + np.array([[-0.001], [0.0], [0.001]]) * normal
            np.testing.assert_allclose(
                distances_to_link(hand, link, line), [-0.001, 0, 0.001], atol=1e-4
            )


def test_no_contact_point_is_buried_in_the_open_hand(hand):
    joints = torch.as_tensor(hand.open)
    for points, normals, links in hand.contacts.values():
        poses = hand.forward(joints).numpy()
        outside = carry(torch.as_tensor(poses), points + 1e-4 * normals, links).numpy()
        for link in range(len(hand.links)):
            if any(part.link == hand.links[link] for part in hand.parts):
                assert (
                    distances_to_link(
                        hand, link, pose.transform(pose.inverse(poses[link]), outside)
                    ).min()
                    > 0
                )


def test_surface_points_cover_the_hand_coarse_before_fine(hand):
    points, normals, links = hand.surface
    spacing = []
    for link in np.unique(links):
        own = points[links == link]
        np.testing.assert_allclose(distances_to_link(hand, link, own), 0, atol=1e-6)
        assert distances_to_link(hand, link, own + 1e-5 * normals[links == link]).min() > 0
        spacing += list(cKDTree(own).query(own, k=2)[0][:, 1])
    assert min(spacing) > 0.0034 and np.median(spacing) < 0.0045 and max(spacing) < 0.006
    placed = carry(hand.forward(torch.as_tensor(hand.open)), points, links).numpy()
    reach = [cKDTree(placed[:n]).query(placed)[0].max() for n in (50, 200, 800)]
    assert reach[0] > reach[1] > reach[2] and reach[2] < 0.012


def test_the_mesh_shows_the_posed_hand(hand):
    wrist = pose.from_rt(np.eye(3), [0, 0, 1.0])
    mesh = shape.mesh(hand, wrist, hand.open)
    points, _, links = hand.surface
    points = place(hand, torch.as_tensor(wrist), torch.as_tensor(hand.open), points, links).numpy()
    assert mesh.is_watertight
    np.testing.assert_allclose(mesh.bounds, [points.min(axis=0), points.max(axis=0)], atol=0.003)


def test_joints_travel_with_their_names(hand):
    joints = hand.limits.mean(axis=1)
    named = hand.named(joints)
    assert tuple(named) == hand.joints
    np.testing.assert_array_equal(hand.vector(dict(reversed(named.items()))), joints)
    over = named | {hand.joints[0]: hand.limits[0, 1] + 1e-6}
    assert hand.vector(over)[0] == hand.limits[0, 1]


@pytest.mark.parametrize(
    "value, words", [(np.nan, "nan.*finite"), ("x", "'x'.*finite"), (9.0, "9, expected .* to ")]
)
def test_bad_joint_values_are_refused_by_name(hand, value, words):
    named = hand.named(hand.open) | {hand.joints[-1]: value}
    with pytest.raises(ParameterError, match=f"grasp.json: {hand.joints[-1]} is {words}"):
        hand.vector(named, source="grasp.json")


def test_missing_and_unknown_joints_are_refused_by_name(hand):
    named = hand.named(hand.open)
    value = named.pop(hand.joints[0])
    with pytest.raises(
        ParameterError,
        match=f"missing joints {hand.joints[0]}; unknown joints elbow; the {hand.name} hand has",
    ):
        hand.vector(named | {"elbow": value})
    with pytest.raises(ParameterError, match="the joint vector has 99 values"):
        hand.named(np.zeros(99))


def test_an_unknown_hand_is_refused_with_the_known_ones():
    with pytest.raises(
        ParameterError, match="unknown hand 'robotiq', expected one of shadow, barrett, franka"
    ):
        load_hand("robotiq")
    assert load_hand("shadow") is load_hand("shadow")


@pytest.mark.parametrize("name", ["leap_hand_right.urdf", "models/Hand.XML"])
def test_a_file_of_a_hand_is_refused_with_the_folder_that_is_needed(name):
    with pytest.raises(ParameterError, match=f"{name} is a file, expected the folder of a hand"):
        load_hand(name)
