"""The page of one pick: the object as seen, and the grasps, the chosen one among them."""

from pathlib import Path

import numpy as np

from graspbook.figures.page import write_view
from graspbook.figures.trials import kinds_of, scene_figure
from graspbook.robots.pick import Picked
from graspbook.robots.refusals import in_words

_POINTS = 5000


def write_pick(path: Path | str, picked: Picked) -> None:
    """Write the page.

    path: of the .html file to write.
    picked: what `robots.pick.pick` returns.

    Raises OutputError.
    """
    found = picked.found
    if picked.choice:
        poses, kinds = kinds_of(picked.choice)
        text = _told(found)
    else:
        poses = np.array([] if found["base_T_hand"] is None else [found["base_T_hand"]])
        kinds = np.array(["chosen"] * len(poses))
        text = ": ".join(filter(None, (found["outcome"], found["reason"])))
    points = np.zeros((0, 3)) if picked.view is None else picked.view.object_points
    shown = points[np.random.default_rng(0).permutation(len(points))[:_POINTS]]
    figure = scene_figure(shown, poses.reshape(-1, 4, 4), kinds)
    write_view(path, figure, f"Pick: {Path(found['source']).name}", text)


def _told(found):
    grasps = found["grasps"]
    return (
        f"{found['outcome']}: {grasps['clear']} of {grasps['predicted']} grasps keep the hand clear"
        f" of what was observed, and the arm can reach {grasps['reachable']} of these. Base frame"
        " of the arm, metres. "
        + (
            "The camera's pose was not measured but read off the table."
            if found["camera_pose_assumed"]
            else ""
        )
        + (f" Refused: {in_words(found['refused'])}." if "refused" in found else "")
        + "".join(f" Note: {note}." for note in found.get("notes", ()))
    )
