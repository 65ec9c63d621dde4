"""Tables of robot trials."""

import pytest

from graspbook.errors import ParameterError
from graspbook.figures import trial_tables
from graspbook.figures.tables import table
from graspbook.metrics import wilson_interval
from graspbook.objects.trial_objects import TRIAL_OBJECTS


def record(name="red_bowl", pose=0, method="graspnet", outcome="success", category=None, **changes):
    """What the tables read of a record."""
    category = category or TRIAL_OBJECTS[name].category
    return {
        "object": name,
        "category": category,
        "pose": pose,
        "method": method,
        "seed": 0,
        "outcome": outcome,
        "reason": "" if outcome == "success" else "it slipped",
        "fault": None,
        "times": {},
        **changes,
    }


def row(columns, key):
    """Values of the row whose first is `key`, by heading."""
    i = next(iter(columns.values())).index(key)
    return {heading: values[i] for heading, values in columns.items()}


def paper_records():
    """The paper's own 102 trials as records, its failures as failed grasps."""
    return [
        record(name, pose, method, "success" if mark == "+" else "grasp failed")
        for method in trial_tables.METHODS
        for name, trials in trial_tables.PAPER_TRIALS.items()
        for pose, mark in enumerate(trials[method])
    ]


def test_the_paper_s_trials_are_of_our_objects_and_make_its_printed_rates():
    assert list(trial_tables.PAPER_TRIALS) == list(TRIAL_OBJECTS)
    assert trial_tables.paper_counts("graspnet") == {
        "box": (15, 18),
        "cylinder": (8, 9),
        "bowl": (9, 9),
        "mug": (13, 15),
        "all": (45, 51),
    }
    assert trial_tables.paper_counts("gpd") == {
        "box": (9, 18),
        "cylinder": (7, 9),
        "bowl": (7, 9),
        "mug": (1, 15),
        "all": (24, 51),
    }
    for method in trial_tables.METHODS:
        for name, (lifted, trials) in trial_tables.paper_counts(method).items():
            assert (
                abs(trial_tables.PAPER_RATES[method][name] - 100 * lifted / trials) < 0.7
            )  # it cuts off 86.7 and 6.7


def test_the_paper_s_trials_as_records_give_the_paper_s_table():
    columns = trial_tables.success_table(paper_records())
    assert columns["category"] == ["box", "cylinder", "bowl", "mug", "mean of the four", "all"]
    assert columns["graspnet: lifted"] == ["15/18", "8/9", "9/9", "13/15", None, "45/51"]
    assert columns["graspnet [%]"] == [83.3, 88.9, 100.0, 86.7, 89.7, 88.2]
    assert columns["paper, 6-DOF GraspNet [%]"] == [83, 89, 100, 86, 90, 88]
    assert columns["gpd [%]"] == [50.0, 77.8, 77.8, 6.7, 53.1, 47.1]
    assert columns["paper, GPD [%]"] == [50, 78, 78, 6, 52, 47]
    for ours, theirs in (("graspnet", "6-DOF GraspNet"), ("gpd", "GPD")):
        assert columns[f"{ours}, interval [%]"] == columns[f"paper, {theirs}, interval [%]"]
    low, high = wilson_interval(45, 51)
    assert (
        row(columns, "all")["graspnet, interval [%]"]
        == f"{100 * low:.0f} to {100 * high:.0f}"
        == "77 to 94"
    )
    objects = trial_tables.object_table(paper_records())
    assert (
        objects["graspnet"] == objects["paper, 6-DOF GraspNet"]
        and objects["gpd"] == objects["paper, GPD"]
    )
    table(columns), table(objects)  # columns of one length


def test_categories_without_trials_and_objects_of_one_s_own():
    records = [
        record(),
        record("brick", category="own", outcome="fault"),
        record(pose=1, method="geometric", outcome="grasp failed"),
    ]
    columns = trial_tables.success_table(records)
    assert columns["category"] == [
        "box",
        "cylinder",
        "bowl",
        "mug",
        "own",
        "mean of the four",
        "all",
    ]
    assert (
        row(columns, "box")["graspnet [%]"] is row(columns, "box")["graspnet, interval [%]"] is None
    )
    assert (
        row(columns, "own")["graspnet: lifted"] == "0/1"
        and row(columns, "own")["paper, 6-DOF GraspNet [%]"] is None
    )
    assert (
        row(columns, "mean of the four")["graspnet [%]"] is None
    )  # of two it would be another figure
    assert row(columns, "all")["graspnet [%]"] == 50.0  # a fault is a failure
    assert (
        row(columns, "own")["geometric: lifted"] is None
        and row(columns, "bowl")["geometric: lifted"] == "0/1"
    )
    assert sum(heading.startswith("paper") for heading in columns) == 2
    objects = trial_tables.object_table(records)
    assert objects["object"] == ["red_bowl", "brick"]
    assert objects["graspnet"] == ["✓", "!"] and objects["geometric"] == ["✗", None]
    assert objects["geometric: lifted"] == ["0/1", None]
    assert objects["paper, 6-DOF GraspNet"] == ["✓✓✓", None]


def test_outcomes_are_counted_by_kind():
    outcomes = ["success", "no feasible grasp", "grasp failed", "no feasible grasp", "fault"]
    columns = trial_tables.outcome_table(
        [record(pose=i, outcome=outcome) for i, outcome in enumerate(outcomes)]
    )
    assert dict(zip(columns["outcome"], columns["graspnet"], strict=True)) == {
        "success": 1,
        "grasp failed": 1,
        "no feasible grasp": 2,
        "fault": 1,
        "all": 5,
    }
    assert columns["paper, 6-DOF GraspNet"] == [45, "6 of both kinds", "6 of both kinds", None, 51]


def test_an_object_s_trials_stand_in_the_order_of_seed_and_pose():
    records = [
        record(pose=1, outcome="no feasible grasp"),
        record(pose=0, seed=1, outcome="fault"),
        record(pose=0),
    ]
    columns = trial_tables.object_table(records)
    assert columns["graspnet"] == ["✓∅!"] and columns["graspnet: lifted"] == ["1/3"]


def test_every_failure_is_listed_with_its_reason_in_one_cell():
    records = [
        record(),
        record(pose=1, outcome="no feasible grasp", reason="0 of 200 | none\nreachable"),
        record(
            pose=2, method="gpd", outcome="fault", reason="camera sends no frames for 2 s", seed=3
        ),
        record(pose=3, fault="back: refused"),
    ]
    columns = trial_tables.failure_table(records)
    assert list(zip(*columns.values(), strict=True)) == [
        ("red_bowl", 1, "graspnet", 0, "no feasible grasp", "0 of 200 \\| none reachable"),
        ("red_bowl", 2, "gpd", 3, "fault", "camera sends no frames for 2 s"),
        ("red_bowl", 3, "graspnet", 0, "success", "back: refused"),
    ]
    assert all(values == [] for values in trial_tables.failure_table(records[:1]).values())


def test_times_are_of_the_trials_that_came_to_the_stage():
    records = [
        record(pose=i, times={"look": float(i), "put_back": None if i < 20 else 3.0})
        for i in range(21)
    ]
    columns = trial_tables.time_table(records)
    look, put_back, lift = (row(columns, stage) for stage in ("look", "put back", "lift"))
    assert (
        look["graspnet, median [s]"],
        look["graspnet, 95th percentile [s]"],
        look["graspnet: trials"],
    ) == (10.0, 19.0, 21)
    assert (put_back["graspnet, median [s]"], put_back["graspnet: trials"]) == (3.0, 1)
    assert (
        lift["graspnet, median [s]"],
        lift["graspnet, 95th percentile [s]"],
        lift["graspnet: trials"],
    ) == (None, None, 0)


@pytest.mark.parametrize(
    "make",
    [
        trial_tables.success_table,
        trial_tables.outcome_table,
        trial_tables.object_table,
        trial_tables.time_table,
    ],
)
def test_no_trials_make_no_table(make):
    with pytest.raises(ParameterError, match="no trials recorded"):
        make([])
