"""The rendered workbook: pages that open from disk with no network, from the executed notebooks of
one profile.

Code is folded, figures turn (plotly's own script, taken from its package), mathematics renders
(MathJax 3, shipped in `static/`), and every page shows the parameters and the revision it was made
with.
"""

import re
import shutil
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import jinja2
import nbformat
from markupsafe import Markup, escape
from nbconvert.filters import Highlight2HTML, ansi2html, markdown2html

from graspbook.errors import NotebookError
from graspbook.figures.page import figure_html, plotly_script
from graspbook.storage import atomic_path
from graspbook.workbook import params
from graspbook.workbook.outputs import Outputs
from graspbook.workbook.roadmap import heading
from graspbook.workbook.run import describe

STATIC = Path(__file__).parent / "static"
PLOTLY = "application/vnd.plotly.v1+json"
IMAGES = ("image/png", "image/jpeg")
# Headings of the index, by the folder of the notebooks.
PAPERS = {"graspnet": "6-DOF GraspNet", "highdof": "Generating Grasp Poses for a High-DOF Gripper"}


@dataclass
class Page:
    """One executed notebook on its way to a page: `name` as in params.NOTEBOOKS, `href` from the
    top of the site.
    """

    name: str
    notebook: nbformat.NotebookNode
    picture: str | None = None
    href: str = field(init=False)
    title: str = field(init=False)
    sentence: Markup = field(init=False)
    record: dict[str, Any] = field(init=False)

    def __post_init__(self):
        self.href = f"{self.name}.html"
        self.record = self.notebook.metadata["graspbook"]
        title, *paragraphs = heading(self.notebook)
        self.title = title or self.name
        paragraph = markdown2html("".join(paragraphs[:1]))
        self.sentence = Markup(re.sub(r"</?(p|a)\b[^>]*>", "", paragraph).strip())


def build_site(
    profile: Path | str = "smoke", output_root: Path | str | None = None
) -> tuple[Path, list[str]]:
    """Render every executed notebook of a profile, failed ones too.

    profile: name or .yaml file.
    output_root: the folder of the run, `outputs/<profile>` if omitted.

    Returns the path of `index.html`, and the failures, one line each; a notebook that was
    interrupted is one of them, and has no page. Raises ParameterError for an unknown profile,
    NotebookError where none of its notebooks has finished, OutputError where nothing can be
    written.
    """
    params.profile_path(profile)
    name = params.profile_name(profile)
    outputs = Outputs(Path(output_root or f"outputs/{name}"))
    begun = [name for name in params.NOTEBOOKS if outputs.notebook(name).is_file()]
    executed = {name: _read_executed(outputs.notebook(name)) for name in begun}
    pages = [Page(name, notebook) for name, notebook in executed.items() if notebook]
    unfinished = [name for name in begun if not executed[name]]
    lines = [
        f"{name} did not finish: it was interrupted; executed notebook: {outputs.notebook(name)}"
        for name in unfinished
    ]
    if lines and not pages:
        raise NotebookError("; ".join(lines))
    if not pages:
        raise NotebookError(
            f"{outputs.root} has no executed notebooks: run some first (`graspbook run`, `make"
            " reproduce`)"
        )

    static = outputs.site / "_static"
    _write(static / "plotly.min.js", plotly_script())
    for file in ("site.css", "mathjax-tex-svg.js"):
        _write(static / file, (STATIC / file).read_text())
    for page in pages:
        page.picture = _thumbnail(outputs, page)

    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(STATIC), autoescape=True, trim_blocks=True
    )
    for before, page, after in zip([None, *pages[:-1]], pages, [*pages[1:], None], strict=True):
        cells = page.notebook.cells
        outputs_of = (output for cell in cells for output in cell.get("outputs", []))
        html = templates.get_template("page.html").render(
            title=page.title,
            record=page.record,
            cells=[_render_cell(number, cell) for number, cell in enumerate(cells, 1)],
            has_figures=any(PLOTLY in output.get("data", {}) for output in outputs_of),
            has_maths=any("$" in cell.source for cell in cells if cell.cell_type == "markdown"),
            before=before,
            after=after,
            up="../" * page.name.count("/"),
        )
        _write(outputs.site / page.href, html)
    revisions = sorted({(page.record["revision"] or "unknown")[:10] for page in pages})
    folders = groupby(pages, lambda page: page.name.rpartition("/")[0])
    by_paper = [(PAPERS.get(folder, ""), list(some)) for folder, some in folders]
    html = templates.get_template("index.html").render(
        papers=by_paper, profile=name, revisions=revisions, up=""
    )
    _write(outputs.site / "index.html", html)
    for name in unfinished:
        (outputs.site / f"{name}.html").unlink(missing_ok=True)  # of an earlier run
    failed = [page for page in pages if page.record["failure"]]
    lines += [
        describe(page.record["failure"], page.name, outputs.notebook(page.name)) for page in failed
    ]
    return outputs.site / "index.html", lines


def _read_executed(path):
    """An executed notebook; None unless the runner wrote it to its end (Snakemake leaves an empty
    file of a killed one).
    """
    broken = (nbformat.reader.NotJSONError, nbformat.ValidationError, KeyError, AttributeError)
    try:
        notebook = nbformat.read(path, 4)
    except (*broken, UnicodeDecodeError):
        return None
    return notebook if "graspbook" in notebook.metadata else None


def _write(path, text):
    with atomic_path(path) as temporary:
        temporary.write_text(text)


def _thumbnail(outputs, page):
    """Copy the notebook's small picture into the site; its address, None if it has none."""
    drawn = outputs.thumbnail(params.section_name(page.name))
    for file in (drawn, drawn.with_suffix(".png")):
        if file.is_file():
            with atomic_path(outputs.site / "_static" / "thumbnails" / file.name) as temporary:
                shutil.copyfile(file, temporary)
            return f"_static/thumbnails/{file.name}"
    return None


def _render_cell(number, cell):
    """What the page template needs of a cell: its number, and HTML of its words or of its code and
    outputs.
    """
    if cell.cell_type == "markdown":
        return {"number": number, "markdown": Markup(_local_links(markdown2html(cell.source)))}
    if cell.cell_type != "code" or not cell.source:
        return {"number": number}
    tags = cell.metadata.get("tags", [])
    labels = {
        "parameters": "Parameters and their defaults",
        "injected-parameters": "Parameters of this run",
    }
    label = next((labels[tag] for tag in tags if tag in labels), "Code")
    outputs = [
        _render_output(output, f"figure-{number}-{i}")
        for i, output in enumerate(_joined(cell.outputs))
    ]
    code = Markup(Highlight2HTML()(cell.source, "python"))
    return {"number": number, "label": label, "code": code, "outputs": outputs}


def _joined(outputs):
    """The outputs of a cell with each run of pieces of one stream as one output: a progress bar
    arrives in hundreds.
    """
    joined = []
    for output in outputs:
        last = joined[-1] if joined else nbformat.NotebookNode(output_type=None)
        if output.output_type == last.output_type == "stream" and output.name == last.name:
            text = last.text + output.text
            joined[-1] = nbformat.v4.new_output("stream", name=output.name, text=text)
        else:
            joined.append(output)
    return joined


def _local_links(html):
    """Links between notebooks lead to their pages."""
    return re.sub(r'(<a [^>]*href="(?!https?:)[^"]*)\.ipynb', r"\1.html", html)


def _render_output(output, identifier):
    """{"kind", "html"} of one output of a cell, in the richest form that a page can show."""
    if output.output_type == "error":
        return _output("error", f"<pre>{ansi2html(chr(10).join(output.traceback))}</pre>")
    if output.output_type == "stream":
        lines = [
            line.rstrip("\r").rpartition("\r")[2] for line in output.text.rstrip("\n").split("\n")
        ]
        text = f"<pre>{ansi2html(chr(10).join(lines))}</pre>"
        if output.name == "stderr":
            return _output("messages", f"<details><summary>Messages</summary>{text}</details>")
        return _output("text", text)
    data = output.data
    if PLOTLY in data:
        figure = {key: data[PLOTLY][key] for key in ("data", "layout")}
        return _output("figure", figure_html(figure, identifier))
    if "text/html" in data:
        return _output("html", data["text/html"])
    if "image/svg+xml" in data:
        return _output("image", data["image/svg+xml"])
    for kind in IMAGES:
        if kind in data:
            return _output("image", f'<img alt="" src="data:{kind};base64,{data[kind].strip()}">')
    if "text/markdown" in data:
        return _output("words", _local_links(markdown2html(data["text/markdown"])))
    return _output("text", f"<pre>{escape(data.get('text/plain', ''))}</pre>")


def _output(kind, html):
    return {"kind": kind, "html": Markup(html)}
