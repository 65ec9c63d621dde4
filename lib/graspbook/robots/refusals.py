"""Why grasps were refused, by counts."""

from collections.abc import Mapping

import numpy as np

from graspbook.perception.table import TableView
from graspbook.pose import from_rt
from graspbook.robots.grasp_choice import Choice
from graspbook.robots.planning import TURNED, MotionSettings
from graspbook.robots.scene import TABLE_CLEARANCE, hand_clears_table

FLAT = 0.015  # metres; fingers hardly get hold of what is no higher
CLOSES, TABLE = "close on nothing or start inside points", "hand or camera in the table"
TOUCHES, REACH = "hand touches the object on its way in", "out of the arm's reach"
NO_PATH, UNSEARCHED = "no path there", "no path searched, as enough others had none"
# Plainer words for names that result files have.
_SAID = {
    CLOSES: "fingers close on nothing or start inside points",
    UNSEARCHED: "no path searched, because enough other grasps had no path",
}


def refusals(choice: Choice, settings: MotionSettings) -> dict[str, int]:
    """How many grasps before the chosen one are refused, by the first reason that holds.

    choice: made; where nothing was chosen, all its grasps count.
    settings: distances (m), speeds and time limits of the arm's motion.
    """
    before = slice(choice.rank)
    grasps = choice.base_T_hand[before]
    both = np.concatenate([grasps, grasps @ TURNED])
    ways = [both, both @ from_rt(np.eye(3), [0, 0, -settings.retreat])]
    table, arm = choice.scene.limits.table, choice.scene.arm
    over = np.logical_and(*(hand_clears_table(way, table, arm=arm) for way in ways))
    passed = {
        CLOSES: choice.closing[before],
        TABLE: over.reshape(2, -1).any(axis=0),
        TOUCHES: choice.clear[before],
        REACH: choice.reachable[before],
    }
    left, counts = np.ones(len(grasps), bool), {}
    for reason, kept in passed.items():
        counts[reason] = int((left & ~kept).sum())
        left &= kept
    # `choose` searches only for the first of those that can be reached.
    searched = choice.tried - (choice.rank is not None)
    counts |= {
        NO_PATH: min(int(left.sum()), searched),
        UNSEARCHED: max(int(left.sum()) - searched, 0),
    }
    return {reason: count for reason, count in counts.items() if count}


def in_words(counts: Mapping[str, int]) -> str:
    """Counts of refused grasps in one line.

    counts: grasps by the reason for refusal, as `refusals` returns.
    """
    said = [(_SAID.get(reason, reason), count) for reason, count in counts.items()]
    return "; ".join(f"{reason} ({count} grasp{'s' * (count > 1)})" for reason, count in said)


def flat_note(view: TableView) -> str:
    """What to know where an object is flat, "" where it is not.

    view: what the camera sees: the object, the table, and all else.
    """
    height = float((view.object_points @ view.normal + view.offset).max())
    if height > FLAT:
        return ""
    return (
        f"the object is only {1000 * height:.0f} mm high, and the fingertips stay"
        f" {1000 * TABLE_CLEARANCE:.0f} mm above the table: stand the object upright, or let it"
        " overhang an edge"
    )
