"""Arrays as other programs save them, brought to one name, one shape and metres.

What had to be assumed goes into a list of notes, one plain sentence each.
"""

import numpy as np

from graspbook.errors import CaptureError

# Names that programs of this field use, the usual one first; matched without regard to case.
ROLES = {
    "depth": ("depth", "depth_image", "depth_map", "depth_img", "depth_raw", "raw_depth"),
    "K": (
        *("k", "intrinsics_matrix", "intrinsic_matrix", "camera_matrix", "intrinsics"),
        *("intrinsic", "cam_k", "camera_k", "camera_intrinsics", "cam_intrinsics", "cam_intr"),
    ),
    "rgb": ("rgb", "image", "color", "colour", "rgb_image", "color_image", "img", "rgba"),
    "points": (
        *("points", "pc", "xyz", "point_cloud", "pointcloud", "cloud", "pts", "pcd"),
        *("vertices", "pc_full", "full_pc", "scene_points", "scene_pc"),
    ),
    "object_points": (
        *("object_points", "object_pc", "smoothed_object_pc", "pc_object", "obj_pc"),
        *("object_cloud", "object_xyz"),
    ),
    "labels": (
        *("segmap", "mask", "labels", "segmentation", "seg", "label", "seg_map", "object_mask"),
        *("masks", "instances", "instance_map", "segmask", "instance_mask", "seg_mask"),
    ),
    "viewpoint": ("viewpoint",),
    "pose": (*("world_t_camera", "t_world_camera", "camera_pose", "cam_pose", "base_t_camera"),),
    "factor": ("factor_depth", "depth_scale", "depth_factor"),
}
_ROLE_OF = {name: role for role, names in ROLES.items() for name in names}
METRES = (0.05, 20)  # of the median of float depth, to which no factor is applied
MILLIMETRES = (100, 20_000)  # of the median of an integer depth that is read as millimetres


def by_role(
    source: str, stored: dict[str, np.ndarray], notes: list[str]
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Arrays by what they are, and the name that each has in the file.

    source: the file's name, for errors.
    stored: arrays by the names of the file.
    notes: gets what is not used.

    Raises CaptureError for two different arrays of one kind.
    """
    found: dict[str, np.ndarray] = {}
    names: dict[str, str] = {}
    unused = []
    counts = _counts(stored)
    for name, value in stored.items():
        role = _ROLE_OF.get(name.lower())
        array = np.asarray(value)
        if role is None or (role == "labels" and not _is_labels(array, counts)):
            unused.append(name)
        elif role not in found:
            found[role], names[role] = array, name
        elif not np.array_equal(found[role], array):
            if role not in ("rgb", "pose"):
                raise CaptureError(
                    f"{source}: it holds both {names[role]} and {name}, which differ; expected one"
                    f" array for {role}"
                )
            unused.append(name)
    if unused and ("depth" in found or "points" in found or "object_points" in found):
        notes.append(f"not used: {', '.join(unused[:8])}{', ...' if len(unused) > 8 else ''}")
    return found, names


def _counts(stored):
    """How many pixels or points there can be, by the shapes of depth and points."""
    counts = set()
    for name, value in stored.items():
        array = np.asarray(value)
        if _ROLE_OF.get(name.lower()) == "depth":
            counts.add(array.size)
        elif _ROLE_OF.get(name.lower()) == "points":
            counts |= {array.size, *(array.size // n for n in array.shape if n)}
    return counts


def _is_labels(array, counts):
    """Whether numbers can be one label per point; names and lists of classes are something else."""
    if array.dtype.kind not in "iufb" or array.ndim == 0:
        return False
    return array.ndim > 1 or not counts or array.size in counts


def as_depth(source: str, name: str, depth: np.ndarray) -> np.ndarray:
    """A depth image (H, W) in the file's units.

    source, name: of the file and the array, for errors.
    depth: (H, W), (H, W, 1) or (1, H, W) numbers.

    Raises CaptureError for any other shape or type.
    """
    _check_numbers(source, name, depth)
    if depth.ndim == 3 and 1 in (depth.shape[0], depth.shape[2]):
        depth = depth[..., 0] if depth.shape[2] == 1 else depth[0]
    if depth.ndim != 2:
        raise CaptureError(f"{source}: {name} has shape {depth.shape}, expected (H, W)")
    if depth.dtype.itemsize == 1:
        raise CaptureError(
            f"{source}: {name} has 8 bits per pixel, expected depth in 16 bits or in floats"
        )
    return depth


def as_matrix(source: str, name: str, values: np.ndarray, notes: list[str]) -> np.ndarray:
    """A camera matrix K (3, 3).

    source, name: of the file and the array, for errors.
    values: (3, 3), (1, 3, 3), (3, 4) or (4, 4) with zeros added, nine numbers row by row, or fx,
        fy, cx, cy. A matrix written column by column is recognised by its last row.
    notes: gets what was assumed.

    Raises CaptureError for anything else.
    """
    _check_numbers(source, name, values)
    K = np.asarray(values, float)
    if K.size == 9:
        K = K.reshape(3, 3)
    elif K.size == 4 and 0.8 < K.flat[0] / (K.flat[1] or np.nan) < 1.25:
        fx, fy, cx, cy = K.ravel()
        K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])
        notes.append(f"{name} has four numbers, read as fx, fy, cx, cy")
    elif K.shape == (3, 4) and not K[:, 3].any():
        K = K[:, :3]
    elif K.shape == (4, 4) and K[0, 0] > 2 and not K[:3, 3].any() and not K[3, :3].any():
        K = K[:3, :3]
    if K.shape == (3, 3) and K[2, 0] > 1 and K[2, 1] > 1 and not K[:2, 2].any():
        K = K.T
        notes.append(f"{name} is written column by column, and was transposed")
    if K.shape != (3, 3) or not np.isfinite(K).all() or K[0, 0] <= 0 or K[1, 1] <= 0:
        text = str(K.tolist())
        raise CaptureError(
            f"{source}: {name} is not a camera matrix (3, 3) with positive focal lengths:"
            f" {text if len(text) < 200 else f'shape {K.shape}'}"
        )
    return K


def as_points(source: str, name: str, points: np.ndarray, notes: list[str]) -> np.ndarray:
    """Points (M, 3) or organised (H, W, 3) in the file's units.

    source, name: of the file and the array, for errors.
    points: (M, 3 to 12) of which the first three columns are x, y, z; (3, M); (H, W, 3 to 12);
        (1, M, 3); or records with the fields x, y and z.
    notes: gets what was assumed.

    Raises CaptureError for any other shape or type.
    """
    if points.dtype.names and {"x", "y", "z"} <= set(points.dtype.names):
        points = np.stack([points[axis] for axis in "xyz"], axis=-1)
    _check_numbers(source, name, points)
    if points.ndim == 3 and points.shape[0] == 1:
        points = points[0]
    if points.ndim == 2 and points.shape[0] in (3, 4) and points.shape[1] > 12:
        points = points.T
        notes.append(f"{name} has one point per column, and was transposed")
    if points.ndim not in (2, 3) or not 3 <= points.shape[-1] <= 12:
        raise CaptureError(f"{source}: {name} has shape {points.shape}, expected (M, 3)")
    if points.shape[-1] > 3:
        notes.append(f"{name} has {points.shape[-1]} columns; the first three are used as x, y, z")
    return points[..., :3]


def as_colours(source: str, colours: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Colours (H, W, 3) uint8 of a depth image.

    source: the file's name, for errors.
    colours: (H, W, 3 or 4), or (3 or 4, H, W) as torch has them; bytes, or floats up to 1 or up
        to 255; grey (H, W).
    shape: (H, W) of the depth.

    Raises CaptureError for any other shape or type.
    """
    _check_numbers(source, "rgb", colours)
    if colours.ndim == 2:
        colours = np.repeat(colours[..., None], 3, axis=2)
    last = ((*shape, 3), (*shape, 4))
    if colours.shape not in last and colours.shape in ((3, *shape), (4, *shape)):
        colours = np.moveaxis(colours, 0, 2)
    if colours.shape not in last:
        raise CaptureError(
            f"{source}: rgb has shape {colours.shape}, expected {(*shape, 3)} like depth"
        )
    if colours.dtype.kind == "f":
        finite = np.nan_to_num(colours.astype(float), posinf=0, neginf=0)
        colours = (finite * (255 if finite.max(initial=0) <= 1 else 1)).clip(0, 255)
    return colours[..., :3].astype(np.uint8)


def in_metres(
    source: str,
    name: str,
    values: np.ndarray,
    scale: float,
    notes: list[str],
    *,
    factor: float | None = None,
) -> np.ndarray:
    """Values in metres: by the scale, else by the file's own factor, else by their type.

    source, name: of the file and the array, for errors.
    values: depth (H, W) or points (..., 3); zeros and NaN are none.
    scale: from the file's units to metres; 1 if nothing was said.
    notes: gets what was assumed.
    factor: of the file itself, metres per unit, if it has one.

    Raises CaptureError for integers that cannot be millimetres.
    """
    if scale != 1.0:
        return scale * (values if values.dtype.itemsize > 2 else values.astype(float))
    if factor is not None and values.dtype.kind == "f" and _in_metres_already(values):
        notes.append(f"{name} holds floats in metres: the factor {factor:.6g} is not used")
        return values
    if factor is not None:
        notes.append(f"{name} is in units of {factor:.6g} m, as its file says")
        return values * factor
    if values.dtype.kind == "f":
        return values
    distances = values.ravel() if values.ndim == 2 and values.shape[1] != 3 else None
    if distances is None:
        distances = np.linalg.norm(values.reshape(-1, 3).astype(float), axis=1)
    measured = distances[distances > 0]
    typical = float(np.median(measured)) if len(measured) else 0.0
    if len(measured) and not MILLIMETRES[0] <= typical <= MILLIMETRES[1]:
        raise CaptureError(
            f"{source}: {name} holds whole numbers of about {typical:.4g}, expected millimetres"
            f" ({MILLIMETRES[0]} to {MILLIMETRES[1]}); for other units pass --scale"
        )
    far = "" if typical < 2000 else "; if that is too far, pass --scale"
    notes.append(
        f"{name} holds whole numbers of about {typical:.0f}, read as millimetres"
        f" ({typical / 1000:.2f} m){far}"
    )
    return values * 0.001


def _in_metres_already(values):
    """Whether typical values are distances of an object from a camera in metres."""
    measured = values[np.isfinite(values) & (values > 0)]
    return bool(len(measured)) and bool(METRES[0] <= np.median(measured) <= METRES[1])


def depth_factor(source: str, value: np.ndarray) -> float:
    """Metres per unit of depth, of a factor in one of the three customs.

    source: the file's name, for errors.
    value: one number. Below 0.05 it is metres per unit (RealSense), from 0.05 to 50 millimetres
        per unit (BOP), above it is units per metre (YCB-Video, TUM, Open3D).

    Raises CaptureError for anything but one positive number.
    """
    if value.size != 1 or value.dtype.kind not in "iuf" or not 0 < value.flat[0] < 1e7:
        raise CaptureError(f"{source}: the factor from depth to metres is not one positive number")
    number = float(value.flat[0])
    return number if number < 0.05 else number / 1000 if number < 50 else 1 / number


def _check_numbers(source, name, values):
    if values.dtype.kind not in "iuf":
        raise CaptureError(f"{source}: {name} holds {values.dtype} values, expected numbers")
