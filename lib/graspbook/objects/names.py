"""Mesh files of folders, and names of objects by the files of their meshes."""

import os
from collections.abc import Sequence
from pathlib import Path

from graspbook.errors import MeshError, ParameterError
from graspbook.objects.mesh_files import SUFFIXES


def meshes_in(folder: Path | str) -> list[Path]:
    """The mesh files in a folder, sorted; where it has none, those in its subfolders.

    folder: hidden files and folders in it are left out.

    Raises MeshError for a folder without meshes.
    """
    for pattern in ("*", "**/*"):
        files = sorted(Path(folder).glob(pattern))
        found = [
            file
            for file in files
            if file.suffix.lower() in SUFFIXES
            and file.is_file()
            and not any(part.startswith(".") for part in file.relative_to(folder).parts)
        ]
        if found:
            return found
    raise MeshError(f"no meshes ({', '.join(SUFFIXES)}) in folder {folder}")


def stems(files: Sequence[Path | str]) -> list[str]:
    """The stem of each file, with its suffix where files of one folder share it.

    `nontextured.ply` and `nontextured.stl` are `nontextured_ply` and `nontextured_stl`.

    files: paths of the meshes.
    """
    keys = [_key(file) for file in files]
    return [
        f"{key.name}_{Path(file).suffix[1:]}" if keys.count(key) > 1 else key.name
        for file, key in zip(files, keys, strict=True)
    ]


def object_names(files: Sequence[Path | str]) -> list[str]:
    """A name for each mesh: its stem by `stems`, with folders before it where files share one.

    `003_cracker_box/textured.obj` and `004_sugar_box/textured.obj` are `003_cracker_box_textured`
    and `004_sugar_box_textured`. As many folders are used as it takes to tell files apart, the same
    number for all files of one stem.

    files: paths of the meshes. Raises ParameterError for a file that is given twice.
    """
    keys = [_key(file) for file in files]
    before = dict.fromkeys(keys, "")
    for depth in range(1, max((len(key.parts) for key in keys), default=0)):
        called = [before[key] + key.name for key in before]
        alike = {key.name for key in before if called.count(before[key] + key.name) > 1}
        if not alike:
            break
        for key in before:
            if key.name in alike:
                before[key] = "_".join([*key.parent.parts[-depth:], ""]).strip("/")
    names = [before[key] + stem for key, stem in zip(keys, stems(files), strict=True)]
    shared = {name for name in names if names.count(name) > 1}
    if shared:
        one, two = [file for file, name in zip(files, names, strict=True) if name in shared][:2]
        raise ParameterError(f"{one} and {two} would both be named {Path(one).stem!r}")
    return names


def object_files(files: Sequence[Path], given: Sequence[Path | str] = ()) -> list[str]:
    """The path of each mesh as its grasp file names it: from the folder that was given.

    It is the file's name for a mesh that was given itself. Meshes with the same path are told apart
    by the folders below the one that they share.

    files: paths of the meshes.
    given: what the user named; of it, the folders count.
    """
    folders = [Path(one) for one in given if Path(one).is_dir()]
    found = [
        next(
            (file.relative_to(one) for one in folders if file.is_relative_to(one)), Path(file.name)
        )
        for file in files
    ]
    whole = [file.absolute() for file in files]
    for path in {path for path in found if found.count(path) > 1}:
        alike = [i for i, one in enumerate(found) if one == path]
        shared = os.path.commonpath([whole[i].parent for i in alike])
        for i in alike:
            found[i] = whole[i].relative_to(shared)
    return [path.as_posix() for path in found]


def _key(file):
    return Path(file).absolute().with_suffix("")
