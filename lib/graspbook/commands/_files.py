"""Files of a command: inputs that exist, and results that overwrite nothing unless forced."""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from graspbook.errors import OutputError, ParameterError

_PAGES = (".html", ".htm")
JSON = (".json",)


def add_results(
    parser: argparse.ArgumentParser, out: str, name: str, *, html: str = "", metavar: str = "FILE"
) -> None:
    """Add `--out`, `--force`, and `--html` for a command with a page.

    parser: of the subcommand.
    out: what the file of `--out` holds.
    name: the file's default name, as the help shows it.
    html: what the page shows, "" for a command without one.
    metavar: what the help calls the value of `--out`.
    """
    parser.add_argument("--out", metavar=metavar, help=f"{out} (default: {name})")
    if html:
        text = f"{html} (default: the name of --out with .html)"
        parser.add_argument("--html", metavar="PAGE", help=text)
    parser.add_argument("--force", action="store_true", help="overwrite files that exist")


def check_inputs(*files: Path | str) -> None:
    """Raise ParameterError for input files that do not exist, and for folders.

    files: paths of the inputs. The folder of a ROS 2 recording counts as a file.
    """
    for file in map(Path, files):
        if file.is_dir() and not (file / "metadata.yaml").is_file():
            raise ParameterError(f"{file}: it is a folder, expected a file")
        if not file.exists():
            raise ParameterError(f"{file}: no such file")


def mesh_inputs(given: Sequence[str]) -> list[Path]:
    """Mesh files as given, and those of folders.

    given: files and folders. Raises ParameterError for a file that does not exist, and MeshError
        for a folder without meshes.
    """
    found: list[Path] = []
    for one in given:
        if not Path(one).is_dir():
            check_inputs(one)
            found.append(Path(one))
            continue
        from graspbook.objects.names import meshes_in

        found += (files := meshes_in(one))
        print(f"note: {one}: found {len(files)} meshes", file=sys.stderr)
    return found


def refuse_file_as_folder(out: Path | str) -> None:
    """Raise OutputError for a folder to be made under a file's name, such as `plan.h5`.

    out: the folder. One that exists may have any name.
    """
    if re.fullmatch(r"\.[A-Za-z]\w{0,10}", Path(out).suffix) and not Path(out).is_dir():
        raise OutputError(
            f"cannot write {out}: --out has the suffix {Path(out).suffix!r}, as for a file;"
            " expected a folder"
        )


def folder_for(source: Path | str) -> Path:
    """The folder of an input, or the working folder where that cannot be written.

    source: path of the input; a folder that does not exist is left to the reader.
    """
    folder = Path(source).parent
    if not folder.is_dir() or os.access(folder, os.W_OK | os.X_OK):
        return folder
    print(f"note: {folder} is not writable, so results go to the working folder", file=sys.stderr)
    return Path()


def results(
    options: argparse.Namespace,
    inputs: Sequence[Path | str],
    tag: str,
    suffixes: Sequence[str] = JSON,
) -> list[Path]:
    """The paths of `--out`, and of `--html` where the command has it, ready to be written.

    Without `--out` the file is `<input>_<tag><suffix>` in the folder of the first input; of
    several inputs it is `<tag><suffix>`. Without `--html` the page has the name of that file.

    options: the parsed options of the command.
    inputs: its input files, which no result may overwrite.
    tag: the end of the default name.
    suffixes: those that `--out` may have, the usual one first.

    Raises OutputError for a file that exists without `--force`, for an unknown suffix, and where
    nothing can be written.
    """
    if options.out:
        out = Path(options.out)
        if not out.name:  # "." and "/"
            raise OutputError(f"cannot write {out}: it is a folder")
    else:
        stem = Path(inputs[0]).stem.replace(":", "_")
        name = tag if len(inputs) > 1 else f"{stem}_{tag}"
        out = folder_for(inputs[0]) / f"{name}{suffixes[0]}"
    found = {"--out": (out, suffixes)}
    if hasattr(options, "html"):
        found["--html"] = (Path(options.html or out.with_suffix(".html")), _PAGES)
    paths = [path for path, _ in found.values()]
    from graspbook.storage import check_writable

    check_writable(*paths)
    for option, (path, expected) in found.items():
        if path.suffix.lower() not in expected:
            raise OutputError(
                f"cannot write {path}: {option} has the suffix {path.suffix!r}, expected"
                f" {' or '.join(expected)}"
            )
    refuse_existing(paths, inputs, force=options.force)
    return paths


def refuse_existing(
    paths: Sequence[Path],
    inputs: Sequence[Path | str] = (),
    *,
    force: bool = False,
    content: str = "",
) -> None:
    """Raise OutputError for results that exist, and for results that are an input.

    paths: of the results.
    inputs: files that are never overwritten.
    force: whether results that exist may be overwritten.
    content: what the files hold, where that is why they are refused.
    """
    taken = {Path(file).resolve() for file in inputs}
    for path in paths:
        if path.resolve() in taken:
            raise OutputError(f"cannot write {path}: it is an input of this command")
        if path.exists() and not path.is_file():
            raise OutputError(f"cannot write {path}: it is not a regular file")
        if path.exists() and not force:
            held = f" and holds {content}" if content else ""
            raise OutputError(
                f"{path} exists{held}: choose another name, or overwrite it with --force"
            )
