"""The files in the folder of a hand of one's own: hand.yaml, and the XML of the hand."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import yaml

from graspbook.errors import HandError
from graspbook.hands.own_tree import MOST, some
from graspbook.storage import refuse_deep, refuse_endless

SUFFIXES = (".urdf", ".xml", ".mjcf")
FILES = ("hand.yaml", "hand.yml")
KEYS = "name file palm closing effort mimic contacts skip_missing notes".split()
LARGEST = 5_000_000  # bytes of an XML or YAML file
_MOST = {"link": 200, "body": 200, "joint": 200, "collision": 400, "geom": 1000, "mesh": 1000}


@dataclass(frozen=True)
class Settings:
    """What hand.yaml says.

    path: of the file, also where it is not there.
    values: by key; none where the file is not there.
    """

    path: Path
    values: Mapping[str, Any]

    def mapping(self, key: str) -> dict[str, Any]:
        """The lines of a key by joint, empty where there are none.

        key: one of KEYS.

        Raises HandError where it has no such lines.
        """
        values = self.values.get(key)
        if values is not None and not isinstance(values, dict):
            raise HandError(f"{self.path}: {key} is {values!r}, expected lines of JOINT: VALUE")
        return {str(joint): value for joint, value in (values or {}).items()}

    def signs(self, joints: Iterable[str]) -> dict[str, int]:
        """The signs in which joints close the hand.

        joints: that have one.
        """
        signs = self.mapping("closing")
        for joint, sign in signs.items():
            if joint not in joints or not is_number(sign) or sign not in (-1, 0, 1):
                raise HandError(
                    f"{self.path}: `closing` has {joint}: {sign!r}, expected one of the joints"
                    f" {some(joints, 30)} with the value 1, -1 or 0"
                )
        return {joint: int(sign) for joint, sign in signs.items()}

    def efforts(self, joints: Iterable[str]) -> dict[str, float]:
        """The efforts of joints.

        joints: that can have one.
        """
        every = self.values.get("effort")
        efforts: dict[str, Any] = (
            dict.fromkeys(joints, every) if is_number(every) else self.mapping("effort")
        )
        for joint, effort in efforts.items():
            if joint not in joints or not is_number(effort) or not 0 < effort <= max(MOST):
                raise HandError(
                    f"{self.path}: `effort` has {joint}: {effort!r}, expected one of the joints"
                    f" {some(joints, 30)} with a realistic value in N·m or N"
                )
        return {joint: float(effort) for joint, effort in efforts.items()}

    def coupling(self) -> dict[str, tuple[str, float, float]]:
        """The coupled joints, as `Hand.coupling` has them."""
        found = {}
        for joint, row in self.mapping("mimic").items():
            row = {"factor": 1, "offset": 0} | row if isinstance(row, dict) else {}
            if row.keys() != {"joint", "factor", "offset"} or not (
                is_number(row["factor"]) and is_number(row["offset"])
            ):
                raise HandError(
                    f"{self.path}: `mimic` has a wrong entry for {joint}, expected"
                    " {joint: NAME, factor: 1, offset: 0}"
                )
            found[joint] = (str(row["joint"]), float(row["factor"]), float(row["offset"]))
        return found


def read_settings(folder: Path) -> Settings:
    """The Settings in a folder.

    folder: of the hand.

    Raises HandError where hand.yaml cannot be read, or has lines that are unknown.
    """
    if not folder.is_dir():
        raise HandError(f"{folder}: no such folder, expected one with a hand's URDF or MJCF file")
    path = next((folder / name for name in FILES if (folder / name).is_file()), None)
    if path is None:
        return Settings(folder / FILES[0], {})
    try:
        text = read_bytes(path).decode()
        refuse_deep(text)
        values = yaml.safe_load(text)
        refuse_endless(values, len(text) + 100)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise HandError(f"{path}: not readable as YAML ({' '.join(str(error).split())})") from error
    values = {} if values is None else values
    if not isinstance(values, dict):
        raise HandError(
            f"{path}: it holds a {type(values).__name__}, expected lines KEY: VALUE with the keys"
            f" {', '.join(KEYS)}"
        )
    if unknown := [str(key) for key in values if key not in KEYS]:
        raise HandError(f"{path}: unknown keys {some(unknown)}, expected only {', '.join(KEYS)}")
    for key in {"name", "file", "palm"} & values.keys():
        if not isinstance(values[key], str | int) or "\0" in str(values[key]):
            raise HandError(f"{path}: {key} is {values[key]!r}, expected text")
        values[key] = str(values[key])
    if not isinstance(values.get("skip_missing", False), bool):
        raise HandError(f"{path}: skip_missing: {values['skip_missing']!r}, expected true or false")
    return Settings(path, values)


def read_bytes(path: Path) -> bytes:
    """The bytes of a file that people write.

    path: of the file.

    Raises HandError where it is too large or cannot be read.
    """
    try:
        if (size := path.stat().st_size) > LARGEST:
            raise HandError(f"{path}: it has {size} bytes, expected at most {LARGEST}")
        return path.read_bytes()
    except OSError as error:
        raise HandError(f"{path}: cannot be read ({error.strerror})") from error


def hand_file(folder: Path, settings: Settings) -> Path:
    """The URDF or MJCF file in a folder.

    folder: of the hand.
    settings: that may name it.

    Raises HandError where there is none, or there are several and none is named.
    """
    if name := settings.values.get("file"):
        if not (folder / name).is_file():
            raise HandError(f"{folder / name}: no such file, but {settings.path.name} names it")
        return folder / name
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if len(found) != 1:
        names = some(path.name for path in found) or "none"
        raise HandError(
            f"{folder}: it has {len(found)} files of a hand ({names}), expected a single .urdf,"
            " .xml or .mjcf, or the line `file: NAME` in hand.yaml"
        )
    return found[0]


def xml_root(path: Path) -> ElementTree.Element:
    """The root of an XML file: `robot` of a URDF, or `mujoco` of an MJCF.

    path: of the file.

    Raises HandError for anything else, and for more links and shapes than hands have.
    """
    data = read_bytes(path)
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise HandError(f"{path}: it has a DOCTYPE or an ENTITY, expected plain XML")
    if b"<xacro:" in data:
        raise HandError(
            f"{path}: this is a xacro file, expected URDF: run `xacro {path.name} > hand.urdf`"
        )
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise HandError(f"{path}: not readable as XML ({error})") from error
    if root.tag not in ("robot", "mujoco"):
        raise HandError(f"{path}: its root element is <{root.tag}>, expected <robot> or <mujoco>")
    for tag, most in _MOST.items():
        if (count := sum(1 for _ in root.iter(tag))) > most:
            raise HandError(f"{path}: it has {count} <{tag}> elements, expected at most {most}")
    return root


def hand_name(settings: Settings, found: str, folder: Path) -> str:
    """The name of a hand, which becomes part of file names.

    settings: that may name it.
    found: in the XML file; other characters than names of files have become `_`.
    folder: of the hand, if nothing else names it.
    """
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", found or folder.resolve().name).strip("._-")[:64]
    name = settings.values.get("name", plain or "hand")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise HandError(f"{settings.path}: name {name!r}, expected letters, digits, dots, _ and -")
    return name


def is_number(value: Any) -> bool:
    """Whether a value of YAML is a number that lengths and angles of a hand can have.

    value: any.
    """
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return plain and -1e6 < value < 1e6 and math.isfinite(value)
