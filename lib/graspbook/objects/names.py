"""Mesh files of folders, and names of objects by the files of their meshes."""

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


def object_names(files: Sequence[Path | str]) -> list[str]:
    """A name for each mesh: the stem of its file, with folders before it where stems are the same.

    `003_cracker_box/textured.obj` and `004_sugar_box/textured.obj` are `003_cracker_box_textured`
    and `004_sugar_box_textured`. As many folders are used as it takes to tell files apart, the same
    number for all files of one stem.

    files: paths of the meshes. Raises ParameterError for a file that is given twice.
    """
    paths = [Path(file).absolute() for file in files]
    names = [path.stem for path in paths]
    for depth in range(1, max((len(path.parts) for path in paths), default=0)):
        shared = {name for name in names if names.count(name) > 1}
        if not shared:
            return names
        alike = {path.stem for path, name in zip(paths, names, strict=True) if name in shared}
        names = [
            "_".join([*path.parent.parts[-depth:], path.stem]).strip("/")
            if path.stem in alike
            else name
            for path, name in zip(paths, names, strict=True)
        ]
    shared = {name for name in names if names.count(name) > 1}
    if shared:
        one, two = [file for file, name in zip(files, names, strict=True) if name in shared][:2]
        raise ParameterError(f"{one} and {two} would both be the object {Path(one).stem!r}")
    return names
