import mujoco
import numpy as np
import pytest
import torch

from graspbook.errors import ParameterError
from graspbook.hands.library import load_hand
from graspbook.hands.shadow_names import HARDWARE, from_hardware, to_hardware

# Chains of sr_description below the palm: (body, offset, quaternion, [(joint, axis)], ...).
TURN = (1, 0, 0, 0)
SIDE, SAME, BEND = (0, -1, 0), (0, 1, 0), (1, 0, 0)


def finger(name, at, side, base=()):
    f = name.upper()
    return [
        *base,
        (at, TURN, f"{f}J4", side),
        ((0, 0, 0), TURN, f"{f}J3", BEND),
        ((0, 0, 0.045), TURN, f"{f}J2", BEND),
        ((0, 0, 0.025), TURN, f"{f}J1", BEND),
    ]


CHAINS = {
    "ff": finger("ff", (0.033, 0, 0.095), SIDE),
    "mf": finger("mf", (0.011, 0, 0.099), SIDE),
    "rf": finger("rf", (-0.011, 0, 0.095), SAME),
    "lf": finger(
        "lf",
        (0, 0, 0.06579),
        SAME,
        [((-0.033, 0, 0.02071), TURN, "LFJ5", (0.573576, 0, 0.819152))],
    ),
    "th": [
        ((0.034, -0.00858, 0.029), (0.92388, 0, 0.382683, 0), "THJ5", (0, 0, -1)),
        ((0, 0, 0), TURN, "THJ4", BEND),
        ((0, 0, 0.038), TURN, "THJ3", BEND),
        ((0, 0, 0), TURN, "THJ2", SIDE),
        ((0, 0, 0.032), (1, 0, 0, -1), "THJ1", BEND),
    ],
}


def hardware_model():
    spec = mujoco.MjSpec()
    for name, chain in CHAINS.items():
        body = spec.worldbody
        for offset, quat, joint, axis in chain:
            body = body.add_body(pos=offset, quat=quat, name=f"{name}-{joint}")
            body.add_joint(name=joint, axis=axis, type=mujoco.mjtJoint.mjJNT_HINGE)
            body.add_geom(size=[0.001, 0, 0])
        body.add_site(name=name, pos=[0, 0, 0.025])
    return spec.compile()


def test_fingertips_are_where_the_hardware_has_them():
    hand, model = load_hand("shadow"), hardware_model()
    data, rng = mujoco.MjData(model), np.random.default_rng(0)
    links = {link: i for i, link in enumerate(hand.links)}
    tip = np.array([0, 0, 0.025])
    for values in rng.uniform(-0.5, 1.2, (20, len(hand.all_joints))):
        named = dict(zip(hand.all_joints, values, strict=True))
        for joint, value in to_hardware(named, prefix="").items():
            data.joint(joint).qpos = value
        mujoco.mj_kinematics(model, data)
        poses = hand.forward_all(torch.as_tensor(values)[None]).numpy()[0]
        for name in CHAINS:
            pose = poses[links[f"{name}distal"]]
            ours = pose[:3, :3] @ tip + pose[:3, 3]
            # 2 mm at the little finger, whose metacarpal axis differs by 0.2 degrees.
            assert np.linalg.norm(ours - data.site(name).xpos) < 2.5e-3


def test_every_joint_has_a_name_and_comes_back():
    hand = load_hand("shadow")
    assert set(hand.all_joints) == set(HARDWARE)
    values = {name: 0.1 * i for i, name in enumerate(hand.all_joints)}
    there = to_hardware(values)
    assert there["rh_FFJ4"] == -values["FFJ3"] and there["rh_RFJ4"] == values["RFJ3"]
    assert there["rh_THJ1"] == -values["THJ0"] and there["rh_THJ5"] == values["THJ4"]
    assert from_hardware(there | {"rh_WRJ1": 0.1}) == pytest.approx(values)


def test_a_tendon_is_the_sum_of_its_joints_and_is_shared_by_the_coupling():
    there = to_hardware({"FFJ0": 0.4, "FFJ1": 0.5, "FFJ2": 0.1}, tendons=True)
    assert there == pytest.approx({"rh_FFJ0": 0.9, "rh_FFJ3": 0.1})
    assert from_hardware({"rh_FFJ0": 0.9}) == pytest.approx({"FFJ1": 0.5, "FFJ0": 0.4})
    both = {"rh_FFJ0": 0.9, "rh_FFJ1": 0.3, "rh_FFJ2": 0.6}
    assert from_hardware(both) == pytest.approx({"FFJ0": 0.3, "FFJ1": 0.6})


def test_other_joints_are_refused_by_name():
    with pytest.raises(ParameterError, match="our Shadow Hand has no joint 'rh_FFJ4'"):
        to_hardware({"rh_FFJ4": 0.0})
    with pytest.raises(ParameterError, match="FFJ0 or FFJ1 is missing, expected both"):
        to_hardware({"FFJ1": 0.0}, tendons=True)
    with pytest.raises(ParameterError, match="'lh_FFJ4', expected a joint of the right hand"):
        from_hardware({"lh_FFJ4": 0.0})
    with pytest.raises(ParameterError, match="unknown joint 'rh_THJ0', expected"):
        from_hardware({"rh_THJ0": 0.0})
