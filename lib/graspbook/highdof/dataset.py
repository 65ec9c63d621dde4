"""Training data of the high-DOF network: occupancy grids of turned objects, planned grasps,
distance fields (V-A and V-B).
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import torch
import trimesh
from safetensors.torch import save_file

from graspbook.errors import GraspFileError
from graspbook.hands import pose_vector
from graspbook.objects.distance import DistanceField, Fields, signed_distance_grid, stack
from graspbook.objects.occupancy import occupancy_grids
from graspbook.objects.rotations import rotations, turned_frame
from graspbook.storage import atomic_path

# One object's grids, turned_T_object, grasps and distance field.
Prepared = tuple[np.ndarray, np.ndarray, np.ndarray, DistanceField]


@dataclass(frozen=True)
class DataSettings:
    """Settings of grids and fields.

    grid: voxels per side.
    length: metres that 0.95 of a grid's side represent, for all objects.
    nodes: of the distance fields, per side; 128 in the paper.
    turned: whether all 27 rotations of the paper are used, one of which is the identity, or only
        the stored one.
    """

    grid: int = 64
    length: float = 0.4
    nodes: int = 128
    turned: bool = True


@dataclass(frozen=True)
class Examples:
    """N objects in R rotations with K grasps each, as tensors on one device.

    settings: of grids and fields.
    names: N of them.
    grids: (N, R, n, n, n) uint8.
    turned_T_object: (N, R, 4, 4).
    grasps: (N, R, K, 7 + J), pose vectors in the turned frames, of least energy first.
    fields: of the N objects, in their own frames.
    """

    settings: DataSettings
    names: tuple[str, ...]
    grids: torch.Tensor
    turned_T_object: torch.Tensor
    grasps: torch.Tensor
    fields: Fields

    def named(self, names: Iterable[str]) -> "Examples":
        """The Examples of some objects.

        names: of these.
        """
        return self.take([self.names.index(name) for name in names])

    def to(self, device: str) -> "Examples":
        """The Examples on a device.

        device: of torch's.
        """
        return replace(
            self,
            grids=self.grids.to(device),
            turned_T_object=self.turned_T_object.to(device),
            grasps=self.grasps.to(device),
            fields=Fields(*(values.to(device) for values in self.fields)),
        )

    def turned(self, chosen: slice | Sequence[int]) -> "Examples":
        """The Examples in some of their rotations.

        chosen: indices of these rotations.
        """
        return replace(
            self,
            grids=self.grids[:, chosen],
            turned_T_object=self.turned_T_object[:, chosen],
            grasps=self.grasps[:, chosen],
        )

    def take(self, objects: Sequence[int]) -> "Examples":
        """The Examples of some objects.

        objects: their indices.
        """
        return replace(
            self,
            names=tuple(self.names[i] for i in objects),
            grids=self.grids[objects],
            turned_T_object=self.turned_T_object[objects],
            grasps=self.grasps[objects],
            fields=Fields(*(values[objects] for values in self.fields)),
        )


def frames(com: np.ndarray, settings: DataSettings) -> np.ndarray:
    """`turned_T_object` (R, 4, 4) of an object.

    com: (3,), its centre of mass.
    settings: whether it is turned.
    """
    matrices = rotations() if settings.turned else np.eye(3)[None]
    return turned_frame(matrices, com)


def prepare(
    mesh: trimesh.Trimesh, com: np.ndarray, states: np.ndarray, settings: DataSettings
) -> Prepared:
    """One object's part of the Examples: grids (R, n, n, n) uint8, turned_T_object (R, 4, 4),
    grasps (R, K, 7 + J), and its DistanceField.

    Raises what `occupancy_grids` raises.

    mesh: of the object.
    com: (3,), its centre of mass.
    states: (K, 7 + J), pose vectors in the object frame.
    settings: of grid and field.
    """
    turned_T_object = frames(com, settings)
    grids, _ = occupancy_grids(mesh, turned_T_object, settings.grid, settings.length)
    grasps = turn(states, turned_T_object[:, None])
    field = signed_distance_grid(mesh, settings.nodes)
    return grids.astype(np.uint8), turned_T_object, grasps, field


def turn(states: np.ndarray | torch.Tensor, turned_T_object: np.ndarray) -> np.ndarray:
    """Pose vectors (..., 7 + J) in turned frames.

    states: (..., 7 + J), in the object frame.
    turned_T_object: (..., 4, 4).
    """
    wrist, joints = pose_vector.split(torch.as_tensor(states, dtype=torch.float64))
    return pose_vector.join(turned_T_object @ wrist.numpy(), joints.numpy())


def gather(
    settings: DataSettings,
    names: Iterable[str],
    parts: Iterable[Prepared],
    *,
    device: str = "cpu",
) -> Examples:
    """The Examples of objects from the results of `prepare`.

    settings: of these.
    names: of the objects.
    parts: of each.
    device: of torch's.
    """
    grids, turned, grasps, fields = zip(*parts, strict=True)
    return Examples(
        settings,
        tuple(names),
        torch.as_tensor(np.array(grids), device=device),
        torch.as_tensor(np.array(turned, np.float32), device=device),
        torch.as_tensor(np.array(grasps, np.float32), device=device),
        stack(fields, device),
    )


def write_examples(path: Path | str, examples: Examples, made_from: dict[str, Any]) -> None:
    """Write Examples to a safetensors file.

    path: of the file.
    examples: to write.
    made_from: plain data on which they depend.
    """
    tensors = {
        "grids": examples.grids,
        "turned_T_object": examples.turned_T_object,
        "grasps": examples.grasps,
    }
    tensors |= {f"fields.{name}": value for name, value in examples.fields._asdict().items()}
    header = {
        "names": examples.names,
        "settings": asdict(examples.settings),
        "made_from": made_from,
    }
    with atomic_path(path) as temporary:
        save_file(
            {name: tensor.cpu().contiguous() for name, tensor in tensors.items()},
            temporary,
            metadata={"examples": json.dumps(header, sort_keys=True)},
        )


def read_examples(path: Path | str) -> Examples:
    """The Examples in a file. Raises GraspFileError for one that is missing, broken or foreign.

    path: of a file of `write_examples`.
    """
    header = examples_header(path)
    with safetensors.safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    fields = Fields(*(tensors.pop(f"fields.{name}") for name in Fields._fields))
    return Examples(
        DataSettings(**header["settings"]), tuple(header["names"]), **tensors, fields=fields
    )


def examples_header(path: Path | str) -> dict[str, Any]:
    """`names`, `settings` and `made_from` of a file of Examples.

    Raises GraspFileError as `read_examples` does.

    path: of the file.
    """
    if not Path(path).is_file():
        raise GraspFileError(f"{path}: no such file of examples")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return json.loads(file.metadata()["examples"])
    except (safetensors.SafetensorError, OSError, KeyError, TypeError) as error:
        raise GraspFileError(f"{path}: not a file of examples ({error})") from error
