"""Depth images, masks and colours as picture files, and what lies beside them in the folder."""

from pathlib import Path

import numpy as np
from PIL import Image

from graspbook.errors import CaptureError
from graspbook.perception.camera_info import SUFFIXES as CAMERAS
from graspbook.perception.readable import readable

SUFFIXES = (".png", ".tif", ".tiff")
_PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
MOST_PIXELS = 50_000_000
_COLOUR = ("color", "colour", "rgb", "image", "col")
_MASK = ("mask", "segmap", "label", "labels", "seg", "segmentation")
_CAMERA = (
    *("camera_info", "camerainfo", "meta", "intrinsics", "intrinsic", "camera", "camera_matrix"),
    *("cam_K", "K", "camera_intrinsics", "camera-intrinsics", "cam", "calib", "calibration"),
    *("scene_camera", "info"),
)


def read_image(path: Path | str) -> np.ndarray:
    """Pixels of a picture file: (H, W) or (H, W, channels), as they are stored.

    path: of the file.

    Raises CaptureError when it is missing, unreadable, or has more than 50 million pixels.
    """
    path = Path(path)
    with readable(path, "image"):
        if path.suffix.lower() == ".npy":
            return np.load(path)
        with Image.open(path) as image:
            if image.width * image.height > MOST_PIXELS:
                raise CaptureError(
                    f"{path}: {image.width} x {image.height} pixels, expected at most {MOST_PIXELS}"
                )
            return np.array(image)  # palettes stay ids


def camera_beside(path: Path) -> list[list[Path]]:
    """Camera files that belong to a depth file: named after it, in its folder, in the one above.

    path: of the depth file.
    """
    own = _named(path, _CAMERA, CAMERAS)
    usual = set(map(str.lower, _CAMERA))
    return [own, *(_in(folder, usual, CAMERAS) for folder in (path.parent, path.parent.parent))]


def masks_beside(path: Path) -> list[Path]:
    """Masks named after a depth image: `mask.png` of `depth.png`, `7-label.png` of `7-depth.png`.

    path: of the depth image.
    """
    return _named(path, _MASK, SUFFIXES)


def colours_beside(path: Path) -> list[Path]:
    """Colour images named after a depth image.

    path: of the depth image.
    """
    return _named(path, _COLOUR, _PICTURES)


def _named(path, words, suffixes):
    """Files beside whose name is the depth file's with another word where "depth" is.

    A folder "depth" may have the word instead of the name.
    """
    stem, folder = path.stem.lower(), path.parent
    found = []
    if "depth" in stem:
        found = _in(folder, {stem.replace("depth", word.lower()) for word in words}, suffixes)
    if folder.name.lower() == "depth":
        for word in words:
            found += _in(folder.parent / word, {stem}, suffixes)
    return [file for file in found if file != path]


def _in(folder, stems, suffixes):
    if not folder.is_dir():
        return []
    return sorted(
        file
        for file in folder.iterdir()
        if file.stem.lower() in stems and file.suffix.lower() in suffixes and file.is_file()
    )
