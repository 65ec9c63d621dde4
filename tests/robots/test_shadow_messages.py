"""Joint trajectories and joint states, worked by hand."""

import json

import pytest

from graspbook.errors import RobotError
from graspbook.robots import shadow_messages
from graspbook.robots.shadow_messages import JointStates, seconds_of, trajectory

# As Shadow's user guide lists them.
NAMES = [f"rh_{finger}J{k}" for finger in ("FF", "MF", "RF") for k in (1, 2, 3, 4)]
NAMES += [f"rh_{finger}J{k}" for finger in ("LF", "TH") for k in (1, 2, 3, 4, 5)]
TENDONS = [n for n in NAMES if n[3:5] == "TH" or n[-1] not in "12"]
TENDONS += ["rh_FFJ0", "rh_MFJ0", "rh_RFJ0", "rh_LFJ0"]
WRIST = ["rh_WRJ1", "rh_WRJ2"]
STAMP = {"secs": 7, "nsecs": 250_000_000}


def states(names, values=None, stamp=STAMP):
    values = [0.1 * i for i in range(len(names))] if values is None else values
    return {"name": names, "position": values, "header": {"stamp": stamp}}


def taken(*messages):
    joint_states = JointStates()
    for message in messages:
        joint_states.take(json.loads(json.dumps(message)))
    return joint_states


def test_a_trajectory_is_what_ros_expects():
    points = [{"rh_FFJ3": 0.5, "rh_FFJ4": -0.1}, {"rh_FFJ3": 1, "rh_FFJ4": 0.0}]
    found = json.loads(json.dumps(trajectory(points, [0.25, 2.0])))
    rest = {"velocities": [0.0, 0.0], "accelerations": [], "effort": []}
    assert found == {
        "header": {"seq": 0, "stamp": {"secs": 0, "nsecs": 0}, "frame_id": ""},
        "joint_names": ["rh_FFJ3", "rh_FFJ4"],
        "points": [
            {"positions": [0.5, -0.1], "time_from_start": {"secs": 0, "nsecs": 250_000_000}} | rest,
            {"positions": [1.0, 0.0], "time_from_start": {"secs": 2, "nsecs": 0}} | rest,
        ],
    }
    assert trajectory([], [])["joint_names"] == trajectory([], [])["points"] == []


def test_ros_2_has_its_own_times_and_no_sequence_number():
    found = trajectory([{"rh_FFJ3": 0.5}], [1.5], ros2=True)
    assert found["header"] == {"stamp": {"sec": 0, "nanosec": 0}, "frame_id": ""}
    assert found["points"][0]["time_from_start"] == {"sec": 1, "nanosec": 500_000_000}
    assert seconds_of({"sec": 1, "nanosec": 500_000_000}) == seconds_of(STAMP) - 5.75 == 1.5
    assert taken(states(NAMES, stamp={"sec": 3, "nanosec": 0})).ros2
    assert not taken(states(NAMES)).ros2


def test_a_whole_hand_is_read_with_other_joints_left_out():
    arm = states(["ra_elbow_joint"], [], stamp={"secs": 9, "nsecs": 0})
    found = taken(states(NAMES + WRIST), arm)
    assert found.missing() is None and not found.tendons and found.time == 7.25
    assert found.read("see") == pytest.approx({name: 0.1 * i for i, name in enumerate(NAMES)})
    assert taken(states(NAMES, stamp={"secs": 0, "nsecs": 0})).time > 0, "by our clock"
    halves = taken(states(NAMES[:9]), states(NAMES[9:]))
    assert halves.missing() is None


def test_tendons_are_read_where_single_joints_are_not_named():
    found = taken(states(TENDONS))
    assert found.tendons and found.missing() is None and set(found.read("see")) == set(TENDONS)
    both = taken(states(NAMES + ["rh_FFJ0"]))
    assert not both.tendons and set(both.read("see")) == set(NAMES)


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        ([], "no joint states arrive on /joint_states; expected those of a running hand"),
        ([states(NAMES[:-1])], "/joint_states lacks 1 joints of a right hand: rh_THJ5"),
        ([states(TENDONS[:-1])], "/joint_states lacks 1 joints of a right hand: rh_LFJ0"),
        (
            [states(["lh_FFJ1"])],
            "lacks 22 joints of a right hand: rh_FFJ1, rh_FFJ2, rh_FFJ3, ...; it has lh_FFJ1",
        ),
        ([states(NAMES, [0.0])], "/joint_states is no sensor_msgs/JointState: ValueError"),
        ([{"name": NAMES}], "/joint_states is no sensor_msgs/JointState: KeyError 'header'"),
        ([states(NAMES, ["a"] * 22)], "/joint_states is no sensor_msgs/JointState: ValueError"),
    ],
)
def test_what_is_missing_is_said(messages, told):
    assert told in taken(*messages).missing()


def test_values_that_are_old_or_no_numbers_are_errors(monkeypatch):
    with pytest.raises(RobotError, match="see: the state of rh_FFJ2 is nan, expected a finite"):
        taken(states(NAMES), states(["rh_FFJ2"], [None])).read("see")
    with pytest.raises(RobotError, match="see: the state of rh_FFJ1 is inf, expected a finite"):
        taken(states(NAMES), states(["rh_FFJ1"], [float("inf")])).read("see")
    broken = taken(states(NAMES), {"name": ["rh_FFJ1"]})
    with pytest.raises(RobotError, match="see: /joint_states is no sensor_msgs/JointState"):
        broken.read("see")
    found, now = taken(states(NAMES)), shadow_messages.time.monotonic()
    monkeypatch.setattr(shadow_messages.time, "monotonic", lambda: now + 0.7)
    found.take(states(NAMES[1:]))
    with pytest.raises(RobotError, match=r"the last state of rh_FFJ1 is 0\.7 s old, expected at"):
        found.read("see")
