"""Arguments that several subcommands share. Nothing heavy is imported for them."""

import argparse
import ast
import sys
from functools import cache
from pathlib import Path
from typing import Any

from graspbook.errors import ParameterError, WeightsError
from graspbook.hands.library import HANDS, is_folder, load_hand
from graspbook.imports import module_file


def count(text: str) -> int:
    """A whole number of 1 or more.

    text: as given. Raises ArgumentTypeError for anything else.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: expected a whole number, 1 or more")
    return int(text)


def seed(text: str) -> int:
    """A whole number of 0 or more.

    text: as given. Raises ArgumentTypeError for anything else.
    """
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text}: expected a whole number, 0 or more")
    return int(text)


def method_names() -> tuple[str, ...]:
    """Names of `graspnet.predict.METHODS`, the usual one first, read without importing torch."""
    return tuple(_methods_table())


@cache
def _methods_table() -> dict[str, list[str]]:
    """Names of the weights files of each method, read from the source of METHODS."""
    source = Path(module_file("graspbook.graspnet.predict") or "").read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "METHODS":
            rows: Any = node.value
            return {
                ast.literal_eval(key): [ast.literal_eval(name) for name in row.args[1].keys]
                for key, row in zip(rows.keys, rows.values, strict=True)
            }
    raise LookupError("graspnet.predict has no METHODS")


def check_hand(name: str) -> str:
    """The name of a hand in the names of files; what was assumed of a folder is said on stderr.

    name: one of HANDS, or the path of a folder with a hand.

    Raises ParameterError for another name, and HandError for a folder without a usable hand.
    """
    if not is_folder(name):
        return name
    hand = load_hand(name)
    for note in hand.notes:
        print(f"note: {name}: {note}", file=sys.stderr)
    return hand.name


def check_method(name: str, weights: Path | str | None = None) -> None:
    """Raise an error for an unknown method and for weights files that do not exist.

    name: of the method, expected in `method_names()`.
    weights: the folder of the networks; not checked if None.
    """
    if name not in method_names():
        raise ParameterError(f"method {name!r}, expected one of {', '.join(method_names())}")
    if weights is None:
        return
    for network in _methods_table()[name]:
        if not (path := Path(weights) / f"{network}.safetensors").is_file():
            raise WeightsError(f"{path}: no such weights file")


def _methods():
    usual, *middle, last = method_names()
    return {
        "default": usual,
        "metavar": "METHOD",
        "help": f"{', '.join([f'{usual} (default)', *middle])} or {last}",
    }


_MESHES = (
    ".obj .stl .ply .glb .gltf .off .dae, .urdf of one object, in metres (other units: --scale),"
    " or a folder of them"
)
_HANDS = (
    f"{', '.join(HANDS)} (default: {HANDS[0]}), or the folder of a hand of your own: its URDF or"
    " MJCF file, and hand.yaml"
)
_GRIPPER = "a gripper that `graspbook formats` lists (default: panda, the Franka Hand)"
_ROBOT = "address of a real arm's control interface (default: the simulated arm)"
_EXECUTE = "let the real arm move; nothing moves without this option"
_HAND_EYE = "pose of the camera on the real hand (`graspbook formats`); needed with --execute"
_PROFILE = "a name in params/ or the path of a .yaml file (default: smoke)"
_SCALE = "factor from the file's units to metres (whole numbers of depth are read as millimetres)"
_CAMERA = "camera matrix of a depth image: camera_info .json or .yaml, meta.mat, 3 x 3 numbers"
_TARGET = "id of the wanted object in the mask or segmap (default: nearest the optical axis)"
_CAMERA_POSE = "the camera's pose in the frame of a cloud: 4 x 4 numbers, or its position"
_UP = "axis that points up in the cloud's frame, such as z or -y; for an unknown camera pose"
SHARED: dict[str, dict[str, Any]] = {
    "meshes": {"nargs": "+", "metavar": "MESH", "help": _MESHES},
    "--method": _methods(),
    "--hand": {"default": HANDS[0], "metavar": "HAND", "help": _HANDS},
    "--weights": {"metavar": "DIR", "help": "folder of the networks (default: the package's)"},
    "--seed": {
        "type": seed,
        "default": 0,
        "metavar": "S",
        "help": "random seed (default: 0)",
    },
    "--gripper": {"metavar": "GRIPPER", "help": _GRIPPER},
    "--workers": {
        "type": count,
        "default": 2,
        "metavar": "N",
        "help": "processes (default: 2)",
    },
    "--threads": {"type": count, "default": 2, "help": "threads of the simulation (default: 2)"},
    "--mesh-root": {
        "metavar": "DIR",
        "help": "folder of the meshes (default: folder of the grasp file)",
    },
    # of a capture or a cloud
    "--scale": {"type": float, "default": 1.0, "help": _SCALE},
    "--camera": {"metavar": "FILE", "help": _CAMERA},
    "--mask": {
        "metavar": "FILE",
        "help": "image that marks the object's pixels, or has an id per pixel",
    },
    "--target": {"type": count, "metavar": "N", "help": _TARGET},
    "--topic": {
        "metavar": "NAME",
        "help": "topic to read, for a recording with several topics of depth images or clouds",
    },
    "--camera-pose": {"metavar": "FILE", "help": _CAMERA_POSE},
    "--up": {"metavar": "AXIS", "help": _UP},
    # of a real arm
    "--robot": {"metavar": "IP", "help": _ROBOT},
    "--execute": {"action": "store_true", "help": _EXECUTE},
    "--hand-eye": {"metavar": "FILE", "help": _HAND_EYE},
    "--recover": {
        "action": "store_true",
        "help": "first clear an error of the real arm",
    },
    # of a run of notebooks
    "--profile": {"default": "smoke", "help": _PROFILE},
    "--output-root": {"metavar": "DIR", "help": "where all files go (default: outputs/<profile>)"},
}
ROBOT = ("--robot", "--execute", "--hand-eye", "--recover")
RUN = ("--profile", "--output-root")
READING = ("--camera", "--mask", "--target", "--topic", "--camera-pose", "--up")


def add(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add shared arguments.

    parser: of the subcommand.
    names: of SHARED, in the order in which help lists them.
    """
    for name in names:
        parser.add_argument(name, **SHARED[name])


def reading(options: argparse.Namespace) -> dict[str, Any]:
    """Options of READING by name, as `perception.inputs` takes them.

    options: of the command line.
    """
    names = [name.strip("-").replace("-", "_") for name in READING]
    return {name: getattr(options, name) for name in names}
