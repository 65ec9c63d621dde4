"""Depth images with their camera and their colours: from one file, or from those beside it."""

from pathlib import Path

import numpy as np

from graspbook.errors import CaptureError
from graspbook.perception import arrays, images
from graspbook.perception.camera_info import CameraInfo, read_camera

FARTHEST = 1e4  # what is farther, in metres, was not measured
_NEAREST = 0.05  # metres of the median of a depth image, at least
_ASIDE = 0.12  # of the image's size, from its middle to the middle of the lens


def read_depth(
    path: Path,
    content: dict[str, np.ndarray],
    names: dict[str, str],
    scale: float,
    *,
    notes: list[str],
    info: CameraInfo,
) -> np.ndarray:
    """Depth (H, W) in metres, zero where nothing was measured.

    path: of the file, for errors.
    content, names: what `arrays.by_role` returns.
    scale: factor from the file's units to metres; 1 if none was given.
    notes: gets what was assumed.
    info: matrix, image size and factor of the camera, as `find_camera` returns it.

    Raises CaptureError for depth that is not in metres, and for the camera of another image.
    """
    depth = arrays.as_depth(str(path), names["depth"], content["depth"])
    factor = info.factor
    if "factor" in content:
        factor = arrays.depth_factor(str(path), content["factor"])
    height, width = depth.shape
    if info.size and info.size != (width, height):
        raise CaptureError(
            f"{path}: depth has {width} x {height} pixels, but its camera has {info.size[0]} x"
            f" {info.size[1]}; expected the camera of the depth image"
        )
    _check_middle(path, info.K, width, height, notes)
    depth = arrays.in_metres(str(path), names["depth"], depth, scale, notes, factor=factor)
    depth = np.where((depth > 0) & (depth < FARTHEST), depth, 0).astype(float)
    if not depth.any():
        raise CaptureError(f"{path}: no pixel of the {width} x {height} depth image has a depth")
    typical = np.median(depth[depth > 0])
    check_metres(path, names["depth"], typical)
    if typical < _NEAREST:
        raise CaptureError(
            f"{path}: {names['depth']}: the typical distance is {typical:.2g} m, expected at least"
            f" {_NEAREST} m; pass the factor from its units to metres with --scale"
        )
    return depth


def check_metres(path: Path, name: str, typical: float) -> None:
    """Raise CaptureError for distances that are too long for metres.

    path, name: of the file and the array.
    typical: the median of its distances.
    """
    if typical > 20:
        raise CaptureError(
            f"{path}: {name}: the typical distance is {typical:.4g}, expected metres; are these"
            " millimetres? Then pass --scale 0.001"
        )


def read_colours(
    path: Path, content: dict[str, np.ndarray], shape: tuple[int, ...], notes: list[str]
) -> np.ndarray | None:
    """Colours (H, W, 3) uint8 of the file, or of a picture beside it; None without usable ones.

    path: of the depth image.
    content: arrays by what they are.
    shape: (H, W) of the depth.
    notes: gets why colours are not used.
    """
    beside = [] if "rgb" in content else images.colours_beside(path)[:1]
    if "rgb" not in content and not beside:
        return None
    try:
        rgb = images.read_image(beside[0]) if beside else content["rgb"]
        if beside and rgb.shape[:2] != shape:
            notes.append(f"{beside[0].name} is not used: its size differs from the depth image's")
            return None
        return arrays.as_colours(str(beside[0] if beside else path), rgb, shape)
    except CaptureError as error:  # nothing needs the colours
        notes.append(f"the colours are not used: {error}")
        return None


def find_camera(
    path: Path,
    content: dict[str, np.ndarray],
    names: dict[str, str],
    camera: Path | str | None,
    notes: list[str],
) -> CameraInfo:
    """The camera that is given, in the file, or beside it.

    path: of the depth image.
    content, names: what `arrays.by_role` returns.
    camera: the file that is given, or None.
    notes: gets what was assumed.

    Raises CaptureError where there is none, and for several that differ.
    """
    if camera is not None:
        if "K" in content:
            notes.append(f"{Path(camera).name} is used in place of {names['K']}")
        info = read_camera(camera, path.stem)
    elif "K" in content:
        return CameraInfo(arrays.as_matrix(str(path), names["K"], content["K"], notes))
    else:
        info = _camera_beside(path, names, notes)
    notes.extend(info.notes)
    return info


def _camera_beside(path, names, notes):
    """The camera in the nearest files beside that hold one."""
    said = [f"{note}; " for note in notes if note.startswith("no camera_info")]
    for files in images.camera_beside(path):
        found = {}
        for file in files:
            try:
                found[file] = read_camera(file, path.stem)
            except CaptureError as error:
                said.append(f"{error}; ")
                notes.append(
                    f"{file.name}, next to the depth image, is not used: no camera matrix was read"
                    " from it"
                )
        if not found:
            continue
        first, *others = found.values()
        if any(not np.allclose(other.K, first.K, atol=1e-3) for other in others):
            raise CaptureError(
                f"{path}: found several different cameras ({', '.join(f.name for f in found)});"
                " choose one with --camera"
            )
        notes.append(
            f"the camera matrix was read from {next(iter(found)).name}, next to the depth image"
        )
        return next((info for info in found.values() if info.factor is not None), first)
    raise CaptureError(
        f"{path}: no camera matrix K (3, 3) with the depth; {''.join(said)}found only"
        f" {', '.join(names.values())}; pass --camera FILE"
    )


def _check_middle(path, K, width, height, notes):
    """Refuse a matrix whose middle is no pixel of the image; warn of one far from the middle."""
    middle, size = K[:2, 2], np.array([width, height])
    aside = np.abs(middle / size - 0.5).max()
    text = f"the middle of the lens in K is ({middle[0]:.4g}, {middle[1]:.4g})"
    shares = min(width, height) > 2 and middle.max() < 1  # of the width and of the height
    if aside >= 0.5 or shares:
        factor = size if shares else np.round(size / (2 * np.maximum(middle, 1e-6)), 3)
        advice = f"; multiply its first two rows by {factor[0]:g} and {factor[1]:g}"
        raise CaptureError(
            f"{path}: {text}, expected a pixel of the {width} x {height} depth image. Is K for"
            f" another resolution? Then scale K{advice if (middle > 0).all() else ''}"
        )
    if aside > _ASIDE:
        notes.append(
            f"warning: {text}, far from the middle of the {width} x {height} depth image. If K is"
            " for another resolution, sizes and grasps are wrong: pass the right K with"
            " --camera FILE"
        )
