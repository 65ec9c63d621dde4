"""Run one notebook: validate its parameters, inject them through papermill, record provenance, and
report failures clearly.
"""

import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import DeadKernelError
from nbconvert.filters import strip_ansi
from papermill.execute import ERROR_MARKER_TAG

from graspbook.errors import NotebookError, ParameterError
from graspbook.provenance import provenance
from graspbook.storage import atomic_path
from graspbook.workbook import params
from graspbook.workbook.outputs import Outputs
from graspbook.workbook.params import load_profile, notebook_parameters, profile_name, project_root

TRACEBACK_LINES = 25


def run_notebook(
    notebook: Path | str,
    profile: Path | str = "smoke",
    overrides: Sequence[str] = (),
    output_root: Path | str | None = None,
) -> Path:
    """Execute a notebook in `notebooks/` and return the path of the executed one.

    notebook: path of its .ipynb file.
    profile: name or .yaml file.
    overrides: "section.key=value" strings.
    output_root: folder of all files, `outputs/<profile>` if omitted.

    The working directory of the kernel is the root of the workbook. Raises ParameterError before
    anything runs, and OutputError if files cannot be written. Raises NotebookError if a cell fails,
    stops early, or the kernel dies. The executed notebook is then on disk with its traceback.
    """
    name = notebook_name(notebook)
    sections = load_profile(profile, overrides)
    output_root = output_root or f"outputs/{profile_name(profile)}"
    parameters = notebook_parameters(sections, name, profile_name(profile), output_root)
    source = project_root() / "notebooks" / f"{name}.ipynb"
    _check_parameters_cell(source, parameters)

    target = Outputs(Path(output_root)).notebook(name)
    with atomic_path(target) as temporary:
        started = time.perf_counter()
        executed = _execute(source, temporary, parameters)
        failure = _failure(executed)
        executed.metadata["graspbook"] = {
            "notebook": name,
            "parameters": parameters,
            "overrides": list(overrides),
            "failure": failure,
            "wall_time": round(time.perf_counter() - started, 1),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        } | provenance()
        nbformat.write(executed, temporary)
    if failure:
        print(failure["traceback"], file=sys.stderr)
        raise NotebookError(describe(failure, name, target))
    return target


def describe(failure: Mapping[str, Any], name: str, executed: Path) -> str:
    """One line on a failure: the error, its place, and the file with more.

    failure: as recorded in the executed notebook.
    name: of the notebook, such as graspnet/1_objects.
    executed: path of the executed one.
    """
    return (
        f"{name} failed in cell {failure['cell']} ({failure['line']}): {failure['error']}; executed"
        f" notebook: {executed}"
    )


def notebook_name(notebook: Path | str) -> str:
    """The path below `notebooks/` without suffix, e.g. "graspnet/1_objects".

    notebook: path of its .ipynb file.

    Raises ParameterError unless it is a known notebook.
    """
    path = Path(notebook).resolve()
    folder = project_root() / "notebooks"
    if not path.is_file():
        raise ParameterError(f"{notebook}: no such notebook")
    below = path.is_relative_to(folder)
    name = str(path.relative_to(folder).with_suffix("") if below else path)
    if name not in params.NOTEBOOKS:
        known = ", ".join(params.NOTEBOOKS)
        raise ParameterError(
            f"{notebook}: no parameters are declared for this notebook;"
            f" the known notebooks in {folder} are {known}"
        )
    return name


def _check_parameters_cell(source, parameters):
    """Raise ParameterError if the file is no notebook, or if its `parameters` cell lacks a name;
    papermill would only warn.
    """
    broken = (nbformat.reader.NotJSONError, nbformat.ValidationError, KeyError, AttributeError)
    try:
        cell = papermill.inspect_notebook(source)
    except broken as error:
        raise ParameterError(f"{source}: not a readable notebook") from error
    missing = [name for name in parameters if name not in cell]
    if missing:
        raise ParameterError(
            f"{source}: its cell tagged `parameters` does not have {', '.join(missing)}"
        )


def _execute(source, target, parameters):
    """Execute `source` and return the notebook up to its end or failure; the outputs of a failed
    cell contain its error.
    """
    died = False
    with _environment(parameters["torch_threads"]):
        try:
            papermill.execute_notebook(
                source,
                target,
                parameters,
                kernel_name="python3",
                cwd=project_root(),
                progress_bar=sys.stderr.isatty(),
                extra_arguments=["--log-level=CRITICAL"],
            )
        except papermill.PapermillExecutionError:
            pass  # the traceback is in the cell's outputs
        except DeadKernelError:
            died = True
    executed = nbformat.read(target, 4)
    executed.cells = [
        cell for cell in executed.cells if ERROR_MARKER_TAG not in cell.metadata.get("tags", [])
    ]
    if died:
        code = (cell for cell in executed.cells if cell.cell_type == "code")
        begun = [cell for cell in code if cell.metadata.papermill.start_time]
        text = "the kernel died (killed, or out of memory?)"
        error = {"ename": "DeadKernelError", "evalue": text, "traceback": [text]}
        begun[-1].outputs.append(nbformat.v4.new_output("error", **error))
    return executed


def _failure(executed):
    """The failure of an executed notebook, or None: number and line of the cell, the error, the end
    of its traceback.
    """
    for number, cell in enumerate(executed.cells, 1):
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                traceback = strip_ansi("\n".join(output.traceback)).splitlines()
                marked = (re.match(r"-+> +\d+ (.*)", line) for line in traceback)
                arrows = [found[1] for found in marked if found]
                return {
                    "cell": number,
                    "line": [*arrows, cell.source.partition("\n")[0]][0],
                    "error": f"{output.ename}: {output.evalue}",
                    "traceback": "\n".join(traceback[-TRACEBACK_LINES:]),
                }
    return None


@contextmanager
def _environment(threads):
    """Set the number of threads of numerical libraries for kernels started inside the block."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
