"""Arguments that several subcommands share. Nothing heavy is imported for them."""

import argparse
import ast
from pathlib import Path
from typing import Any

from graspbook.hands.library import HANDS
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
    source = Path(module_file("graspbook.graspnet.predict") or "").read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Dict):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if getattr(targets[0], "id", "") == "METHODS":
                return tuple(ast.literal_eval(key) for key in node.value.keys if key)
    raise LookupError("graspnet.predict has no METHODS")


def _methods():
    usual, *middle, last = method_names()
    return {
        "default": usual,
        "metavar": "METHOD",
        "help": f"{', '.join([f'{usual} (default)', *middle])} or {last}",
    }


_MESHES = ".obj .stl .ply .glb .gltf .off .dae, .urdf of one object, in metres (else --scale)"
_HANDS = f"{', '.join(HANDS)} (default: {HANDS[0]})"
_GRIPPER = "a parallel gripper of `hands.grippers` (default: panda, the Franka Hand)"
_ROBOT = "a real arm, through its control interface (default: the simulated one)"
_EXECUTE = "let the real arm move; without this nothing does"
_HAND_EYE = "where the camera is on the real hand (`graspbook formats`); needed with --execute"
_PROFILE = "a name in params/ or the path of a .yaml file (default: smoke)"
_SCALE = "factor from the file's units to metres (whole numbers of depth are millimetres)"
_CAMERA = "camera matrix of a depth image: camera_info .json or .yaml, meta.mat, 3 x 3 numbers"
_TARGET = "id of the wanted object in the mask or segmap (default: the one nearest the axis)"
_CAMERA_POSE = "the camera's pose in the frame of a cloud: 4 x 4 numbers, or its position"
_UP = "axis of a cloud's frame that points upwards, as z or -y, if its camera is unknown"
SHARED: dict[str, dict[str, Any]] = {
    "meshes": {"nargs": "+", "metavar": "MESH", "help": _MESHES},
    "--method": _methods(),
    "--hand": {"default": HANDS[0], "metavar": "HAND", "help": _HANDS},
    "--weights": {"metavar": "DIR", "help": "default: those that come with the package"},
    "--seed": {"type": seed, "default": 0, "metavar": "S"},
    "--gripper": {"metavar": "GRIPPER", "help": _GRIPPER},
    "--workers": {
        "type": count,
        "default": 2,
        "metavar": "N",
        "help": "processes side by side (default: 2)",
    },
    "--threads": {"type": count, "default": 2, "help": "threads of the simulation (default: 2)"},
    "--mesh-root": {
        "required": True,
        "metavar": "DIR",
        "help": "the folder that object/file is relative to",
    },
    # of a capture or a cloud
    "--scale": {"type": float, "default": 1.0, "help": _SCALE},
    "--camera": {"metavar": "FILE", "help": _CAMERA},
    "--mask": {"metavar": "FILE", "help": "image of the object's pixels, or of ids"},
    "--target": {"type": count, "metavar": "N", "help": _TARGET},
    "--camera-pose": {"metavar": "FILE", "help": _CAMERA_POSE},
    "--up": {"metavar": "AXIS", "help": _UP},
    # of a real arm
    "--robot": {"metavar": "IP", "help": _ROBOT},
    "--execute": {"action": "store_true", "help": _EXECUTE},
    "--hand-eye": {"metavar": "FILE", "help": _HAND_EYE},
    "--recover": {
        "action": "store_true",
        "help": "recover the real arm from an error that it is in",
    },
    # of a run of notebooks
    "--profile": {"default": "smoke", "help": _PROFILE},
    "--output-root": {"metavar": "DIR", "help": "where all files go (default: outputs/<profile>)"},
}
ROBOT = ("--robot", "--execute", "--hand-eye", "--recover")
RUN = ("--profile", "--output-root")
READING = ("--camera", "--mask", "--target", "--camera-pose", "--up")


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
