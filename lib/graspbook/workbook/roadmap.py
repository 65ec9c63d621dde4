"""The source notebooks, and the table of notebooks that each of them shows."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from IPython.display import Markdown

from graspbook.workbook.params import project_root


def source_notebooks(root: Path | str) -> list[str]:
    """Names of a workbook's notebooks, e.g. "graspnet/1_objects", in the order of their numbers.

    Folders and files whose name starts with a dot are skipped: JupyterLab keeps copies there.

    root: the folder that holds `notebooks/`.
    """
    folder = Path(root) / "notebooks"
    files = [file.relative_to(folder) for file in folder.rglob("*.ipynb")]
    shown = [file for file in files if not any(part.startswith(".") for part in file.parts)]
    return sorted((str(file.with_suffix("")) for file in shown), key=_natural)


def heading(notebook: Mapping[str, Any]) -> list[str]:
    """Title and further paragraphs of a notebook's first markdown cell; an empty title if none.

    notebook: nbformat's or plain JSON, with its outputs, or not yet executed.
    """
    texts = (cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    title, *paragraphs = "".join(next(texts, "")).strip().split("\n\n")
    first, _, rest = title.partition("\n")
    return [first.lstrip("# "), *filter(None, [rest.strip(), *paragraphs])]


def roadmap(name: str) -> Markdown:
    """Table of the notebooks in the same folder and their questions, with the present one in bold.

    A question is the last paragraph of a notebook's first cell.

    name: of the present notebook, e.g. "graspnet/1_objects".
    """
    root, folder = project_root(), name.rpartition("/")[0]
    lines = ["| notebook | question |", "|---|---|"]
    for other in source_notebooks(root):
        if other.rpartition("/")[0] == folder:
            # Read as JSON: to import nbformat takes seconds.
            file = root / "notebooks" / f"{other}.ipynb"
            title, *words = heading(json.loads(file.read_text(encoding="utf-8")))
            question = " ".join(words[-1].split()) if words else ""
            link = f"[{title}]({other.rpartition('/')[2]}.ipynb)"
            lines.append(
                f"| **{title}** | **{question}** |" if other == name else f"| {link} | {question} |"
            )
    return Markdown("\n".join(lines))


def _natural(name):
    """Sorts "9_..." before "10_..."."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
