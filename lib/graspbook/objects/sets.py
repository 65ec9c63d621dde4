"""Object sets: the parametric families, or any folder of meshes, behind the same two methods.

A set has `names(split)` with split "train", "held_out" or "all", and `load(name)`, which makes a
`GraspObject`. Sets are split by instance: all grasps and views of an object fall on one side.
"""

from pathlib import Path

import numpy as np
import trimesh

from graspbook.errors import MeshError, ParameterError
from graspbook.objects.families import FAMILIES, make_shape
from graspbook.objects.grasp_object import GraspObject
from graspbook.objects.mesh import load_mesh
from graspbook.objects.names import meshes_in, object_files, object_names
from graspbook.objects.parts import convex_parts
from graspbook.storage import atomic_path

# The paper trains on 206 objects and does not say how many of each kind.
PAPER_COUNTS = {"box": 40, "cylinder": 40, "bowl": 42, "bottle": 42, "mug": 42}


class FamilySet:
    """Objects of the families, the paper's or all, named like `mug_0003`.

    Raises ParameterError for unknown families and impossible numbers.

    counts: objects by family, or one number for each family.
    seed: an object depends on it, its family and its number alone, so any can be made by itself.
    held_out_fraction: share of each family that is held out.
    """

    def __init__(
        self,
        counts: dict[str, int] | int = PAPER_COUNTS,
        seed: int = 0,
        held_out_fraction: float = 0.2,
    ) -> None:
        self.counts = dict.fromkeys(FAMILIES, counts) if isinstance(counts, int) else dict(counts)
        for family, count in self.counts.items():
            if family not in FAMILIES:
                raise ParameterError(
                    f"unknown object family {family!r}; available: {', '.join(FAMILIES)}"
                )
            if count < 0:
                raise ParameterError(f"{count} objects of family {family!r}: expected 0 or more")
        self.seed = seed
        held_out: dict[str, bool] = {}
        for i, family in enumerate(FAMILIES):
            out = _held_out(self.counts.get(family, 0), held_out_fraction, [seed, 1, i])
            held_out |= {f"{family}_{number:04d}": out[number] for number in range(len(out))}
        self._splits = _splits(held_out)

    def names(self, split: str = "all") -> list[str]:
        """Names of the objects of a split, family by family.

        split: "train", "held_out" or "all".
        """
        return _names(self._splits, split)

    def load(self, name: str) -> GraspObject:
        """Make one object; raises ParameterError for a name that is not in the set.

        name: one of `names`.
        """
        if name not in self._splits["all"]:
            raise ParameterError(
                f"this set of {len(self._splits['all'])} objects has no object {name!r}"
            )
        family, number = name.rsplit("_", 1)
        rng = np.random.default_rng([self.seed, 0, FAMILIES.index(family), int(number)])
        return make_shape(family, rng, name)


class FolderSet:
    """The meshes of a folder, or else of its subfolders, sorted, with names by `object_names`.

    Raises MeshError for a missing or empty folder and for two files that get one name.

    path: the folder.
    scale: factor to metres for all of them.
    seed, held_out_fraction: which of them are held out.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        scale: float = 1.0,
        seed: int = 0,
        held_out_fraction: float = 0.0,
    ) -> None:
        files = meshes_in(path)
        try:
            self._files = dict(zip(object_names(files), files, strict=True))
            self._called = dict(zip(self._files, object_files(files, [path]), strict=True))
        except ParameterError as error:
            raise MeshError(f"{error}: rename one") from error
        self.scale = scale
        held_out = _held_out(len(files), held_out_fraction, [seed, 1])
        self._splits = _splits(dict(zip(self._files, held_out, strict=True)))

    def names(self, split: str = "all") -> list[str]:
        """Names of the objects of a split, sorted.

        split: "train", "held_out" or "all".
        """
        return _names(self._splits, split)

    def load(self, name: str) -> GraspObject:
        """Load one object with its convex parts.

        Raises ParameterError for an unknown name, MeshError for a bad mesh.

        name: one of `names`.
        """
        if name not in self._files:
            raise ParameterError(
                f"no object {name!r} in this set; available: {', '.join(self._files)}"
            )
        return load_object(self._files[name], self.scale, name=name, file=self._called[name])


def object_set(
    *, counts: dict[str, int] | int, seed: int, held_out_fraction: float, folder: str = ""
) -> FamilySet | FolderSet:
    """The set that a recipe of these names describes: a folder's meshes, or else the families.

    counts, seed, held_out_fraction: as for `FamilySet`.
    folder: of meshes in metres; "" for the families.
    """
    if folder:
        return FolderSet(folder, seed=seed, held_out_fraction=held_out_fraction)
    return FamilySet(counts, seed, held_out_fraction)


def load_object(
    path: Path | str,
    scale: float = 1.0,
    *,
    name: str = "",
    file: str = "",
    mesh: trimesh.Trimesh | None = None,
) -> GraspObject:
    """The GraspObject of one mesh file, of its folder's family.

    Raises MeshError for a bad mesh.

    path: of the mesh.
    scale: factor from the file's units to metres.
    name: of the object; the file's if empty.
    file: the path that grasp files name; the file's name if empty.
    mesh: what `load_mesh` returns for the file; loaded here if None.
    """
    path = Path(path)
    mesh = load_mesh(path, scale) if mesh is None else mesh
    parts = convex_parts(mesh)
    return GraspObject(name or path.stem, path.parent.name, mesh, parts, file or path.name, scale)


def export(obj: GraspObject, folder: Path | str) -> Path:
    """Write an object's mesh to `<folder>/<name>.obj` with all its digits, and return the path.

    obj: the object.
    folder: made if it is not there.
    """
    path = Path(folder) / f"{obj.name}.obj"
    lines = [f"v {x!r} {y!r} {z!r}" for x, y, z in obj.mesh.vertices.tolist()]
    lines += [f"f {a} {b} {c}" for a, b, c in (obj.mesh.faces + 1).tolist()]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n")
    return path


def _held_out(count, fraction, seed):
    """Which of `count` instances are held out: bool (count,), round(fraction · count) true."""
    if not 0 <= fraction < 1:
        raise ParameterError(f"held_out_fraction {fraction}: expected at least 0 and less than 1")
    chosen = np.random.default_rng(seed).permutation(count)[: round(fraction * count)]
    return np.isin(np.arange(count), chosen)


def _splits(held_out):
    return {
        "all": list(held_out),
        "train": [name for name, out in held_out.items() if not out],
        "held_out": [name for name, out in held_out.items() if out],
    }


def _names(splits, split):
    if split not in splits:
        raise ParameterError(f"unknown split {split!r}; available: {', '.join(splits)}")
    return list(splits[split])
