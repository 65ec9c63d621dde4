"""What the high-DOF network learns from: occupancy grids of turned objects, planned grasps,
distance fields (V-A and V-B).
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors

from graspbook.errors import GraspFileError
from graspbook.hands import pose_vector
from graspbook.objects.distance import Fields, signed_distance_grid, stack
from graspbook.objects.occupancy import occupancy_grids
from graspbook.objects.rotations import rotations, turned_frame
from graspbook.storage import atomic_path


@dataclass(frozen=True)
class DataSettings:
    """How objects are shown. grid: voxels a side. length: metres that a grid's 0.95 stand for, the
    same for all objects. nodes: of the distance fields, a side; the paper's 128. turned: by the
    paper's 27 rotations, of which one is the identity, or only as it is stored.
    """

    grid: int = 64
    length: float = 0.4
    nodes: int = 128
    turned: bool = True


@dataclass(frozen=True)
class Examples:
    """N objects in R rotations with K grasps each, as torch tensors on one device.

    names (N,). grids (N, R, n, n, n) uint8. turned_T_object (N, R, 4, 4). grasps (N, R, K, 7 + J):
    pose vectors in the turned frames, of least energy first. fields: `distance.Fields` of the N
    objects, in their own frames. settings: DataSettings.
    """

    settings: DataSettings
    names: tuple
    grids: Any
    turned_T_object: Any
    grasps: Any
    fields: Any

    def named(self, names):
        """The Examples of the objects of these names."""
        return self.take([self.names.index(name) for name in names])

    def to(self, device):
        """The Examples on a device of torch's."""
        return replace(
            self,
            grids=self.grids.to(device),
            turned_T_object=self.turned_T_object.to(device),
            grasps=self.grasps.to(device),
            fields=Fields(*(values.to(device) for values in self.fields)),
        )

    def turned(self, chosen):
        """The Examples in some of their rotations, by index or slice."""
        return replace(
            self,
            grids=self.grids[:, chosen],
            turned_T_object=self.turned_T_object[:, chosen],
            grasps=self.grasps[:, chosen],
        )

    def take(self, objects):
        """The Examples of some objects, by index."""
        return replace(
            self,
            names=tuple(self.names[i] for i in objects),
            grids=self.grids[objects],
            turned_T_object=self.turned_T_object[objects],
            grasps=self.grasps[objects],
            fields=Fields(*(values[objects] for values in self.fields)),
        )


def frames(com, settings):
    """`turned_T_object` (R, 4, 4) of an object with its centre of mass (3,) at com."""
    matrices = rotations() if settings.turned else np.eye(3)[None]
    return turned_frame(matrices, com)


def prepare(mesh, com, states, settings):
    """One object's part of the Examples: grids (R, n, n, n) uint8, turned_T_object (R, 4, 4),
    grasps (R, K, 7 + J), numpy, and its DistanceField.

    com (3,): its centre of mass; states (K, 7 + J): pose vectors in the object frame. Raises what
    `occupancy_grids` raises.
    """
    turned_T_object = frames(com, settings)
    grids = occupancy_grids(mesh, turned_T_object, settings.grid, settings.length)[0].astype(
        np.uint8
    )
    return (
        grids,
        turned_T_object,
        turn(states, turned_T_object[:, None]),
        signed_distance_grid(mesh, settings.nodes),
    )


def turn(states, turned_T_object):
    """Pose vectors (..., 7 + J) of the object frame in turned frames (..., 4, 4), numpy."""
    import torch

    wrist, joints = pose_vector.split(torch.as_tensor(states, dtype=torch.float64))
    return pose_vector.join(turned_T_object @ wrist.numpy(), joints.numpy())


def gather(settings, names, parts, device="cpu"):
    """The Examples of objects from what `prepare` gave for each with DataSettings."""
    import torch

    grids, turned, grasps, fields = zip(*parts, strict=True)
    floats = [
        torch.as_tensor(np.array(arrays, np.float32), device=device) for arrays in (turned, grasps)
    ]
    return Examples(
        settings,
        tuple(names),
        torch.as_tensor(np.array(grids), device=device),
        *floats,
        stack(fields, device),
    )


def write_examples(path, examples, made_from):
    """Write Examples to a safetensors file, with plain data `made_from` that says what they depend
    on.
    """
    from safetensors.torch import save_file

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


def read_examples(path):
    """The Examples in a file. Raises GraspFileError for one that is missing, broken or foreign."""
    header = examples_header(path)
    with safetensors.safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    fields = Fields(*(tensors.pop(f"fields.{name}") for name in Fields._fields))
    return Examples(
        DataSettings(**header["settings"]), tuple(header["names"]), **tensors, fields=fields
    )


def examples_header(path):
    """`names`, `settings` and `made_from` of a file of Examples; raises GraspFileError as
    `read_examples` does.
    """
    if not Path(path).is_file():
        raise GraspFileError(f"{path}: no such file of examples")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return json.loads(file.metadata()["examples"])
    except (safetensors.SafetensorError, OSError, KeyError, TypeError) as error:
        raise GraspFileError(f"{path}: not a file of examples ({error})") from error
