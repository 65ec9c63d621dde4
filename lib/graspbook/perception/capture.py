"""Real captures: depth images and point clouds from files, and the object in them.

Depth in metres or whole millimetres (NaN or 0 where nothing was measured) with a camera matrix, in
`.npz` or as a picture; or a point cloud. Names and shapes of other programs are understood
(`perception.arrays`). Results are in the camera frame: x right, y down, z forward.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from graspbook.errors import CaptureError
from graspbook.perception import arrays, images
from graspbook.perception.camera import Camera, backproject
from graspbook.perception.camera_frame import (
    camera_T_cloud,
    pose_from_above,
    read_camera_pose,
    rigid_pose,
)
from graspbook.perception.capture_files import SUFFIXES, read_arrays
from graspbook.perception.depth_images import (
    FARTHEST,
    check_metres,
    find_camera,
    read_colours,
    read_depth,
)
from graspbook.perception.extraction import (
    FEWEST_POINTS,
    OBJECT_EXTENT,
    dominant_plane,
    extract_object,
    size_note,
)
from graspbook.perception.masks import (
    has_table,
    is_alone,
    is_rectangle,
    masked_object,
    nothing_around,
    one_object,
)
from graspbook.perception.missing_depth import check_depth
from graspbook.pose import transform

SMALLEST = 0.005  # longest side of a cloud and of an object, metres

__all__ = ["SUFFIXES", "Capture", "dominant_plane", "extract_object", "load_capture"]


@dataclass(frozen=True)
class Capture:
    """What one file shows, in the camera frame and metres.

    points: (M, 3) on the object.
    scene: (K, 3) all that was measured, the object included.
    rgb: (H, W, 3) uint8 or None.
    notes: what was assumed about units, names, axes and the object, one plain sentence each.
    file_T_camera: (4, 4) of the camera in the frame of the file's cloud, or in the world frame if a
        depth image has a pose; None where there is no other frame.
    is_mesh: whether it is a view of a mesh; the file's frame is then the object's.
    camera: of a depth image, None for a cloud.
    """

    points: np.ndarray
    scene: np.ndarray
    rgb: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    file_T_camera: np.ndarray | None = None
    is_mesh: bool = False
    camera: Camera | None = None


def load_capture(
    path: Path | str,
    scale: float = 1.0,
    *,
    camera: Path | str | None = None,
    mask: Path | str | None = None,
    target: int | None = None,
    camera_pose: Path | str | None = None,
    up: str | None = None,
    topic: str | None = None,
    points: np.ndarray | None = None,
    find: bool = True,
) -> Capture:
    """Load a depth capture or a point cloud and find the object in it.

    The object is `object_points` where the file has them, what a mask or label image marks, the
    whole cloud where that is no longer than 0.4 m, what is left of a depth image that is 0 all
    around, and else what `extract_object` finds.

    path: of one of SUFFIXES.
    scale: factor from the file's units to metres; whole numbers are millimetres without it.
    camera: a file with the camera matrix; without it that of the capture, or one next to it.
    mask: an image of the object's pixels or of ids; without it that of the capture, or one beside.
    target: the id of the wanted object in the mask.
    camera_pose: a file with the camera's pose in the frame of a cloud, see `read_camera_pose`.
    up: the axis of a cloud's frame that points upwards, as z or -y, where no pose is known.
    topic: of a recording with several depth images or clouds.
    points: (M, 3) of a cloud, in the file's units, where the caller has read them already.
    find: look for an object that nothing marks; without it `points` is then `scene` itself.

    Raises CaptureError when a file is missing, unreadable or of another kind, when arrays have
    wrong shapes, when the target is not there, and when there are no points.
    """
    path = Path(path)
    if not (np.isfinite(scale) and scale > 0):
        raise CaptureError(f"{path}: scale {scale} is not a positive number")
    notes: list[str] = []
    stored = read_arrays(path, notes, topic=topic) if points is None else {"points": points}
    content, names = arrays.by_role(str(path), stored, notes)
    if not {"depth", "points", "object_points"} & set(content):
        raise CaptureError(
            f"{path}: expected the arrays depth and K, or points; found"
            f" {', '.join(names.values()) or 'none'}"
        )
    labels = _labels(path, content, names, mask, notes)
    given = content.get("object_points")
    if target is not None and labels is None:
        raise CaptureError(f"{path}: id {target} cannot be found without a segmap or mask")
    pose = eye = None
    if "depth" in content:
        if camera_pose is not None or up is not None:
            raise CaptureError(f"{path}: --camera-pose and --up are for clouds, not for depth")
        if "points" in content:
            notes.append(f"{names['points']} is not used, because there is a depth image")
        info = find_camera(path, content, names, camera, notes)
        depth = read_depth(path, content, names, scale, notes=notes, info=info)
        eye = Camera(info.K, depth.shape[1], depth.shape[0])
        if "pose" in content:
            pose = _stored_pose(names["pose"], content["pose"], notes)
        grid = np.zeros((*depth.shape, 3))
        grid[depth > 0] = backproject(depth, info.K)
        rgb = read_colours(path, content, depth.shape, notes)
        scene = grid[grid[..., 2] > 0]
    else:
        if "pose" in content:
            notes.append(f"{names['pose']} is not used: --camera-pose gives the pose of a cloud")
        if camera is not None:
            raise CaptureError(f"{path}: a cloud needs no camera file ({camera})")
        rgb, name = None, names.get("points", names.get("object_points", "points"))
        grid = _read_cloud(path, name, content.get("points", given), scale, notes)
        scene = _cloud(path, name, grid)
        viewpoint = content.get("viewpoint")
        if camera_pose is not None:
            viewpoint = read_camera_pose(camera_pose, scene)
            if up is not None:
                notes.append(f"--up {up} is not used, because --camera-pose is given")
        elif up is not None:
            viewpoint = pose_from_above(scene, up)
            notes.append(f"{up} points up; the camera is assumed to look down at 45 degrees")
        exact = camera_pose is not None or up is not None
        camera_T_file = camera_T_cloud(scene, viewpoint, notes, exact=exact)
        if not np.array_equal(camera_T_file, np.eye(4)):
            pose = np.linalg.inv(camera_T_file)
            notes.append(
                "the results are in the camera's frame; the matrix file_T_camera brings them back"
                " to the file's frame"
            )
            scene = transform(camera_T_file, scene)
            grid = transform(camera_T_file, grid.reshape(-1, 3)).reshape(grid.shape)
    if given is not None and labels is not None and target is None and mask is None:
        notes.append(f"the object's points are {names['object_points']}; {labels[0]} is not used")
        labels = None
    if labels is not None:
        points = masked_object(labels[0], labels[1], grid, target, notes)
    elif given is not None:
        points = _read_cloud(path, names["object_points"], given, scale, notes)
        points = _cloud(path, names["object_points"], points)
        points = points if pose is None or eye else transform(np.linalg.inv(pose), points)
    elif not find or "depth" not in content and np.ptp(scene, axis=0).max() <= OBJECT_EXTENT:
        points = scene
    else:
        points = _find(path, scene, grid if "depth" in content else None, pose, notes)
    length = np.ptp(points, axis=0).max()
    if find and length < SMALLEST:
        raise CaptureError(
            f"{path}: the object is {length:.2g} m long, expected at least {SMALLEST} m; check the"
            " mask and --scale"
        )
    return Capture(points, scene, rgb, tuple(dict.fromkeys(notes)), pose, camera=eye)


def _stored_pose(name, numbers, notes):
    """The camera's pose (4, 4) in an array of a depth capture, None if it is something else."""
    try:
        pose = rigid_pose(name, np.squeeze(numbers))
    except CaptureError as error:
        notes.append(f"{name} is not used ({error})")
        return None
    notes.append(
        f"the results are in the camera's frame; {name}, written as file_T_camera, brings them to"
        " the world's"
    )
    return pose


def _find(path, scene, grid, pose, notes):
    """The object of a scene without a mask."""
    alone = grid is not None and nothing_around(grid)
    short = np.ptp(scene, axis=0).max() <= OBJECT_EXTENT
    if alone and short and not is_rectangle(grid) and not has_table(scene):
        notes.append(
            f"only {len(scene)} pixels away from the image border have a depth; they are used as"
            " the object, and no plane is searched for"
        )
        return one_object(scene, notes)
    if alone and is_alone(scene):
        notes.append(
            f"no table is under the {len(scene)} points with a depth, so all are used as the object"
        )
        return scene
    try:
        found = extract_object(scene, notes)
        notes.append(size_note(found))
        if grid is not None:
            check_depth(scene, found, grid[..., 2] > 0, notes)
        return found
    except CaptureError as error:
        said: list[str] = []
        found = one_object(scene, said) if alone else scene
        if not alone or len(found) < FEWEST_POINTS or np.ptp(found, axis=0).max() > OBJECT_EXTENT:
            warnings = "".join(f"; {note}" for note in notes if note.startswith("warning"))
            if grid is None and pose is None and not warnings:
                warnings = (
                    ". If the cloud is not in a camera's frame, say where the camera was:"
                    " --camera-pose FILE, or --up AXIS"
                )
            raise CaptureError(f"{path}: {error}{warnings}") from error
        notes += [f"only {len(scene)} points have a depth, so they are used as the object", *said]
        return found


def _labels(path, content, names, mask, notes):
    """(what to call them, ids) of the mask that is given, in the file, or beside it, or None."""
    if mask is not None:
        if "labels" in content:
            notes.append(f"{Path(mask).name} is used in place of {names['labels']}")
        return str(mask), images.read_image(mask)
    if "labels" in content:
        return f"{path}: {names['labels']}", content["labels"]
    found = images.masks_beside(path) if "depth" in content else []
    if len(found) == 1:
        notes.append(f"{found[0].name}, next to the depth image, is used as the mask")
        return str(found[0]), images.read_image(found[0])
    if found:
        shown = ", ".join(file.name for file in found)
        notes.append(
            f"no mask is used: several are next to the depth image ({shown}); choose one with"
            " --mask"
        )
    return None


def _read_cloud(path, name, points, scale, notes):
    points = arrays.as_points(str(path), name, points, notes)
    return arrays.in_metres(str(path), name, points, scale, notes)


def _cloud(path, name, points):
    """The finite points (M, 3); organised clouds may have zeros where nothing was measured."""
    kept = points[(np.abs(points) < FARTHEST).all(axis=-1)].astype(float)
    if points.ndim == 3:
        kept = kept[kept.any(axis=1)]
    if len(kept) < FEWEST_POINTS:
        raise CaptureError(
            f"{path}: {len(kept)} of {points.size // 3} {name} are finite, expected at least"
            f" {FEWEST_POINTS}"
        )
    check_metres(path, name, np.median(np.linalg.norm(kept, axis=1)))
    length = np.ptp(kept, axis=0).max()
    if 0 < length < SMALLEST:
        raise CaptureError(
            f"{path}: the extent of {name} is {length:.2g} m, expected at least {SMALLEST} m;"
            " check --scale"
        )
    return kept
