"""Tables of robot trials with the paper's figures: columns {heading: values} for
`figures.tables.table`.

Mousavian et al. 2019, section 4.2, Tables 1 and 2. A trial counts as in the paper: it is a failure
if the object was not lifted, even because of a fault of the equipment. Records are those of
`robots.trial_records`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graspbook.errors import ParameterError
from graspbook.metrics import wilson_interval
from graspbook.objects.trial_objects import TRIAL_OBJECTS
from graspbook.robots.trial_records import OUTCOMES, STAGES

Record = Mapping[str, Any]
Columns = dict[str, list[Any]]
CATEGORIES = ("box", "cylinder", "bowl", "mug")
METHODS = {"graspnet": "6-DOF GraspNet", "gpd": "GPD"}
# Table 2, trials #1 to #3 with either method: + lifted, - not. Its two kinds of failure differ only
# by colour, which the text has lost.
PAPER_TRIALS = {
    "jello_chocolate": {"graspnet": "+++", "gpd": "+++"},
    "spam_can": {"graspnet": "+-+", "gpd": "-+-"},
    "jello_strawberry": {"graspnet": "+++", "gpd": "++-"},
    "sponge": {"graspnet": "+++", "gpd": "+--"},
    "cheezit_box": {"graspnet": "--+", "gpd": "+--"},
    "sugar_box": {"graspnet": "+++", "gpd": "--+"},
    "pepper_shaker": {"graspnet": "++-", "gpd": "+++"},
    "pirouline_tin": {"graspnet": "+++", "gpd": "+++"},
    "mustard_bottle": {"graspnet": "+++", "gpd": "+--"},
    "white_bowl": {"graspnet": "+++", "gpd": "--+"},
    "green_bowl": {"graspnet": "+++", "gpd": "+++"},
    "red_bowl": {"graspnet": "+++", "gpd": "+++"},
    "white_mug": {"graspnet": "+++", "gpd": "---"},
    "blue_mug": {"graspnet": "++-", "gpd": "---"},
    "orange_mug": {"graspnet": "+++", "gpd": "--+"},
    "big_red_mug": {"graspnet": "-++", "gpd": "---"},
    "red_ycb_mug": {"graspnet": "+++", "gpd": "---"},
}
# Table 1 as printed, per cent. By its own counts, 13/15 is 87, 1/15 is 7, and the mean of GPD's
# four is 53.
PAPER_RATES = {
    "graspnet": {
        "box": 83,
        "cylinder": 89,
        "bowl": 100,
        "mug": 86,
        "mean of the four": 90,
        "all": 88,
    },
    "gpd": {"box": 50, "cylinder": 78, "bowl": 78, "mug": 6, "mean of the four": 52, "all": 47},
}
MARKS = dict(zip(OUTCOMES, "✓✗∅!", strict=True))
_PAPER_MARKS = str.maketrans("+-", "✓✗")


def methods_of(records: Sequence[Record]) -> list[str]:
    """Methods in the order of their first record.

    records: at least one, else ParameterError.
    """
    if not records:
        raise ParameterError("no trials recorded, expected at least one")
    return list(dict.fromkeys(record["method"] for record in records))


def of_method(records: Sequence[Record], method: str) -> list[Record]:
    """The records of one method.

    records: of it and others.
    method: name of the method.
    """
    return [record for record in records if record["method"] == method]


def success_counts(records: Sequence[Record]) -> dict[str, tuple[int, int]]:
    """(successes, trials) by category, the paper's four first, and of "all".

    records: of one method.
    """
    names = dict.fromkeys([*CATEGORIES, *(record["category"] for record in records)])
    counts = {
        name: _count(record for record in records if record["category"] == name) for name in names
    }
    return {**counts, "all": _count(records)}


def paper_counts(method: str) -> dict[str, tuple[int, int]]:
    """(successes, trials) by category and of "all", from the paper's Table 2.

    method: one of METHODS.
    """
    marks = {name: "" for name in (*CATEGORIES, "all")}
    for name, trials in PAPER_TRIALS.items():
        marks[TRIAL_OBJECTS[name].category] += trials[method]
        marks["all"] += trials[method]
    return {name: (text.count("+"), len(text)) for name, text in marks.items()}


def success_table(records: Sequence[Record]) -> Columns:
    """Table 1: success by category, over all trials, and the mean of the four categories, of each
    method and of the paper's.

    Rates are in per cent with 95 % Wilson intervals. The paper's rates are as printed, and its
    intervals are from its counts.

    records: at least one, else ParameterError, as for all tables.
    """
    methods = methods_of(records)
    rows = [*(name for name in success_counts(records) if name != "all"), "mean of the four", "all"]
    columns: Columns = {"category": rows}
    for method in methods:
        counts = success_counts(of_method(records, method))
        shares = [counts[name][0] / counts[name][1] for name in CATEGORIES if counts[name][1]]
        full = len(shares) == len(CATEGORIES)
        mean = round(100 * float(np.mean(shares)), 1) if full else None
        own = {name: (_share(*count), _interval(*count)) for name, count in counts.items()} | {
            "mean of the four": (mean, None)
        }
        columns[f"{method}: lifted"] = [_lifted(counts.get(name)) for name in rows]
        columns[f"{method} [%]"] = [own.get(name, (None, None))[0] for name in rows]
        columns[f"{method}, interval [%]"] = [own.get(name, (None, None))[1] for name in rows]
        if method in METHODS:
            counts, heading = paper_counts(method), f"paper, {METHODS[method]}"
            columns[f"{heading} [%]"] = [PAPER_RATES[method].get(name) for name in rows]
            columns[f"{heading}, interval [%]"] = [
                _interval(*counts[name]) if name in counts else None for name in rows
            ]
    return columns


def outcome_table(records: Sequence[Record]) -> Columns:
    """Table 2 as sums: number of trials per method and outcome; the paper's kinds of failure cannot
    be distinguished.

    records: of `robots.trial_records`, by any methods.
    """
    columns: Columns = {"outcome": [*OUTCOMES, "all"]}
    for method in methods_of(records):
        outcomes = [record["outcome"] for record in of_method(records, method)]
        columns[method] = [*(outcomes.count(outcome) for outcome in OUTCOMES), len(outcomes)]
        if method in METHODS:
            lifted, trials = paper_counts(method)["all"]
            failed = f"{trials - lifted} of both kinds"
            columns[f"paper, {METHODS[method]}"] = [lifted, failed, failed, None, trials]
    return columns


def object_table(records: Sequence[Record]) -> Columns:
    """Table 2: each object's trials in the order of seed and pose, ✓ lifted, ✗ grasp failed, ∅ no
    feasible grasp, ! fault.

    The paper's trials have ✗ for both kinds of failure. Objects are in the order of TRIAL_OBJECTS,
    then others in the order of their records.

    records: of `robots.trial_records`, by any methods.
    """
    methods = methods_of(records)
    used = dict.fromkeys(record["object"] for record in records)
    names = [
        *(name for name in TRIAL_OBJECTS if name in used),
        *(name for name in used if name not in TRIAL_OBJECTS),
    ]
    categories = {record["object"]: record["category"] for record in records}
    columns = {
        "category": [categories[name] for name in names],
        "object": [_cell(name) for name in names],
    }
    for method in methods:
        ordered = sorted(of_method(records, method), key=lambda one: (one["seed"], one["pose"]))
        own = [[record for record in ordered if record["object"] == name] for name in names]
        columns[method] = [
            "".join(MARKS[record["outcome"]] for record in trials) or None for trials in own
        ]
        columns[f"{method}: lifted"] = [_lifted(_count(trials)) for trials in own]
        if method in METHODS:
            marks = [
                PAPER_TRIALS[name][method].translate(_PAPER_MARKS) if name in PAPER_TRIALS else None
                for name in names
            ]
            columns[f"paper, {METHODS[method]}"] = marks
    return columns


def failure_table(records: Sequence[Record]) -> Columns:
    """Every trial without success, or with a fault after it, with its reason or fault.

    records: in the order of the table.
    """
    failed = [
        {**record, "reason": record["reason"] or record["fault"]}
        for record in records
        if record["outcome"] != "success" or record["fault"]
    ]
    headings = ("object", "pose", "method", "seed", "outcome", "reason")
    return {heading: [_cell(record[heading]) for record in failed] for heading in headings}


def stage_times(records: Sequence[Record], stage: str) -> np.ndarray:
    """Seconds (N,) of a stage in the trials that reached it.

    records: of `robots.trial_records`, of any trials.
    stage: one of `robots.trial_records.STAGES`.
    """
    times = [record["times"].get(stage) for record in records]
    return np.array([seconds for seconds in times if seconds is not None], float)


def time_table(records: Sequence[Record]) -> Columns:
    """Seconds of each stage by method: median and 95th percentile over the trials that reached it,
    and their number.

    records: of `robots.trial_records`, by any methods.
    """
    methods = methods_of(records)
    columns: Columns = {"stage": [stage.replace("_", " ") for stage in STAGES]}
    for method in methods:
        times = [stage_times(of_method(records, method), stage) for stage in STAGES]
        columns[f"{method}, median [s]"] = [
            float(np.median(seconds)) if seconds.size else None for seconds in times
        ]
        slow = [float(np.percentile(seconds, 95)) if seconds.size else None for seconds in times]
        columns[f"{method}, 95th percentile [s]"] = slow
        columns[f"{method}: trials"] = [int(seconds.size) for seconds in times]
    return columns


def _count(records):
    outcomes = [record["outcome"] for record in records]
    return outcomes.count("success"), len(outcomes)


def _lifted(count):
    """Successes and trials as text; None for no trials."""
    return "{}/{}".format(*count) if count and count[1] else None


def _share(successes, trials):
    return round(100 * successes / trials, 1) if trials else None


def _interval(successes, trials):
    low, high = wilson_interval(successes, trials)
    return f"{100 * low:.0f} to {100 * high:.0f}" if trials else None


def _cell(value):
    """A value as text that does not break a markdown table."""
    return " ".join(value.split()).replace("|", "\\|") if isinstance(value, str) else value
