"""Labels of anybody's grasps by the frozen shake test, and how well they agree with labels that are
there already.
"""

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from graspbook.errors import GraspFileError
from graspbook.grasp_files import read_grasps, write_grasps
from graspbook.grasp_set import ASSUMED
from graspbook.hands.grippers import GRIPPERS
from graspbook.hands.parallel_jaw import ParallelJaw
from graspbook.metrics import confusion, wilson_interval
from graspbook.objects.sets import load_object
from graspbook.simulation.shake import Shaker
from graspbook.simulation.shake_grades import GRADES
from graspbook.simulation.shake_model import ShakeSettings, physics

_KEPT = ("frame", "object_T_camera")  # parameters of the source that its labels keep


def label_file(
    source: Path | str,
    mesh_root: Path | str,
    out: Path | str,
    *,
    threads: int = 2,
    gripper: ParallelJaw | None = None,
    progress: bool = False,
) -> dict[str, Any] | None:
    """Test every grasp of a grasp file with the frozen shake test and write them, labelled.

    Returns the confusion counts of the file's own labels (truth) and ours, None where it has none.

    source: grasp file with the poses to test.
    mesh_root: folder that its mesh's path starts from, or that holds the mesh.
    out: grasp file to write, with labels and grades.
    threads: of the CPU that simulate at the same time.
    gripper: the hand; the one that the file names if None.
    progress: say on stderr what is done.

    Grades in the source, such as scores, are kept, and so are the pose of the camera and notes.

    Raises GraspFileError or MeshError for a file, a hand or a mesh that cannot be used. Examples
    are files without grasps and files whose grasps are not in the object's frame.
    """
    grasps, obj, hand = _load(source, mesh_root, gripper)
    notes = [note for note in grasps.notes if gripper is None or note != ASSUMED]
    if gripper is not None:
        if gripper.name != grasps.gripper and ASSUMED not in grasps.notes:
            notes.append(
                f"the grasps are for {grasps.gripper}, but they are tested with {gripper.name}"
            )
        grasps = replace(grasps, gripper=gripper.name, configuration=gripper.configuration)
    if progress:
        print(f"{source}: simulating {len(grasps.transforms)} grasps", file=sys.stderr, flush=True)
    outcome = Shaker(obj, threads=threads, gripper=hand).test(grasps.transforms)
    grades = grasps.grades | {name: getattr(outcome, name) for name in GRADES}
    settings = ShakeSettings()
    kept = {name: grasps.parameters[name] for name in _KEPT if name in grasps.parameters}
    kept |= {"notes": notes} if notes else {}
    write_grasps(
        out,
        replace(
            grasps,
            success=outcome.success,
            grades=grades,
            physics=physics(obj, settings),
            parameters={"settings": asdict(settings)} | kept,
        ),
    )
    return None if grasps.success is None else confusion(grasps.success, outcome.success)


def calibrate(
    source: Path | str, mesh_root: Path | str, *, threads: int = 2, progress: bool = False
) -> dict[str, Any]:
    """How well the shake test agrees with a labelled grasp file, as plain data for a results file.

    Every variant of the settings is measured on the even grasps, the half that the frozen settings
    were chosen on; the frozen test, the same without any shake, and a threshold on the closing
    width alone (chosen on the even half) are reported on the odd half too.

    source: grasp file with the poses to test.
    mesh_root: folder that its mesh's path starts from, or that holds the mesh.
    threads: of the CPU that simulate at the same time.
    progress: whether a bar is shown on stderr.

    Raises GraspFileError for a file without labels or with fewer than 2 grasps, and for what
    `label_file` does.
    """
    grasps, obj, gripper = _load(source, mesh_root, labels=True)
    truth = {"even": grasps.success[0::2], "odd": grasps.success[1::2]}
    poses = {"even": grasps.transforms[0::2], "odd": grasps.transforms[1::2]}

    def outcome(half, **changes):
        settings = replace(ShakeSettings(), **changes)
        shaker = Shaker(obj, settings, threads=threads, gripper=gripper)
        found = shaker.test(poses[half], grade=False)
        bar.update()
        return found

    runs = 4 + sum(map(len, SWEEP.values()))
    bar = tqdm(total=runs, desc="settings", leave=False, disable=not progress)
    still = {"acceleration": 0.0, "angular_acceleration": 0.0}
    report = {}
    for half in ("even", "odd"):
        frozen = outcome(half)
        if half == "even":
            threshold = _best_width(truth[half], frozen.closing_width)
        predictions = {
            "frozen": frozen.success,
            "no_shake": outcome(half, **still).success,
            "closing_width": frozen.closing_width <= threshold,
        }
        report[half] = {
            name: _agreement(truth[half], predicted) for name, predicted in predictions.items()
        }
    sweep = [
        {
            "name": name,
            "value": value,
            **_agreement(truth["even"], outcome("even", **{name: value}).success),
        }
        for name, values in SWEEP.items()
        for value in values
    ]
    bar.close()
    return {
        "halves": report,
        "closing_width_threshold": threshold,
        "sweep": sweep,
        "settings": asdict(ShakeSettings()),
        "grasps": len(grasps.transforms),
        "object_file": grasps.object_file,
    }


SWEEP = {
    "acceleration": (0.0, 4.0, 8.0, 12.0, 20.0, 30.0),
    "angular_acceleration": (0.0, 35.0, 100.0, 150.0),
    "friction": (0.3, 0.4, 0.5, 0.7, 1.0),
    "force": (10.0, 15.0, 30.0, 40.0),
    "mass": (0.1, 0.25, 1.0),
}


def _load(source, mesh_root, gripper=None, *, labels=False):
    """Grasps, object and gripper of a file; the cheap checks come before the mesh is loaded."""
    grasps = read_grasps(source)
    count, frame = len(grasps.transforms), grasps.frame
    if count < 1 + labels:
        raise GraspFileError(f"{source}: it holds {count} grasps, expected {1 + labels} or more")
    if frame != "object":
        raise GraspFileError(
            f"{source}: its grasps are in the {frame} frame, expected the object's: the simulation"
            " needs each pose relative to the mesh; `graspbook grasp MESH` writes such poses"
        )
    if labels and grasps.success is None:
        raise GraspFileError(f"{source}: no labels to compare with")
    if not grasps.object_file:
        raise GraspFileError(f"{source}: it does not name its mesh (object/file is missing)")
    gripper = gripper or GRIPPERS.get(grasps.gripper)
    if gripper is None:
        raise GraspFileError(
            f"{source}: its grasps are for the gripper {grasps.gripper!r} (field gripper/type),"
            f" expected {' or '.join(GRIPPERS)}"
        )
    root, file = Path(mesh_root).absolute(), Path(grasps.object_file)
    # The root may be one of the folders in the mesh's path, or one beside it.
    above = [root, *root.parents][: len(file.parts)]
    places = [*(folder / file for folder in above), root / file.name]
    for place in places:
        if place.is_file():
            return grasps, load_object(place, grasps.object_scale), gripper
    raise GraspFileError(
        f"{source}: its mesh {grasps.object_file} was not found below {mesh_root}"
        f" (tried {Path(mesh_root) / file} and {Path(mesh_root) / file.name});"
        " pass the folder of the mesh with --mesh-root"
    )


def _agreement(truth, predicted):
    counts = confusion(truth, predicted)
    counts["sensitivity_interval"] = wilson_interval(counts["tp"], counts["tp"] + counts["fn"])
    counts["specificity_interval"] = wilson_interval(counts["tn"], counts["tn"] + counts["fp"])
    return counts


def _best_width(truth, width):
    """The closing width, metres, up to which calling every grasp good agrees best with `truth`;
    lost grasps have none. It is 0 where every grasp is lost.
    """
    candidates = np.unique(width[np.isfinite(width)])
    if not len(candidates):
        return 0.0
    scores = [confusion(truth, width <= candidate)["balanced_accuracy"] for candidate in candidates]
    return float(candidates[int(np.argmax(scores))])
