"""The rendered workbook: pages that open from disk with no network, from the executed notebooks of
one profile.

Code is folded under what it does, and figures turn with plotly's own script. MathJax 3 of `static/`
renders the mathematics. Every page lists its parameters once, and names its revision.
"""

import ast
import re
import shutil
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import jinja2
import nbformat
import papermill
from markupsafe import Markup, escape
from nbconvert.filters import Highlight2HTML, ansi2html, markdown2html

from graspbook.errors import NotebookError
from graspbook.figures.page import NARROW, figure_html, plotly_script
from graspbook.storage import atomic_path
from graspbook.workbook import params
from graspbook.workbook.outputs import Outputs
from graspbook.workbook.roadmap import heading
from graspbook.workbook.run import describe

STATIC = Path(__file__).parent / "static"
PLOTLY = "application/vnd.plotly.v1+json"
IMAGES = ("image/png", "image/jpeg")
# Cells that a page leaves out: its box of facts says the same.
BOXED = {"parameters", "injected-parameters", "versions"}
# Headings of the index, by the folder of the notebooks.
PAPERS = {"graspnet": "6-DOF GraspNet", "highdof": "Generating Grasp Poses for a High-DOF Gripper"}


@dataclass
class Page:
    """One executed notebook on its way to a page.

    name: as in params.NOTEBOOKS.
    notebook: as executed.
    parameters: (name, value, meaning, default where the value differs from it).
    picture: address of its thumbnail.
    href: address of its page, relative to the top of the site.
    made: profile, revision, date and duration of the run, as words.
    """

    name: str
    notebook: nbformat.NotebookNode
    parameters: list[tuple[str, Any, str, str]] = field(default_factory=list)
    picture: str | None = None
    href: str = field(init=False)
    title: str = field(init=False)
    sentence: Markup = field(init=False)
    record: dict[str, Any] = field(init=False)
    made: list[str] = field(init=False)

    def __post_init__(self):
        self.href = f"{self.name}.html"
        self.record = record = self.notebook.metadata["graspbook"]
        seconds, revision = record["wall_time"], record["revision"] or "unknown"
        self.made = [
            f"profile {record['parameters']['profile']}",
            f"revision {revision[:10]}{' with local changes' if record['dirty'] else ''}",
            record["finished"][:10],
            f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min",
        ]
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
    pages = [
        Page(name, notebook, _parameters(notebook, outputs.notebook(name)))
        for name, notebook in executed.items()
        if notebook
    ]
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
            page=page,
            record=page.record,
            cells=_render_cells(cells),
            has_figures=any(PLOTLY in output.get("data", {}) for output in outputs_of),
            narrow=Markup(NARROW),
            has_maths=any("$" in cell.source for cell in cells if cell.cell_type == "markdown"),
            before=before,
            after=after,
            up="../" * page.name.count("/"),
        )
        _write(outputs.site / page.href, html)
    folders = groupby(pages, lambda page: page.name.rpartition("/")[0])
    by_paper = [(PAPERS.get(folder, ""), list(some)) for folder, some in folders]
    html = templates.get_template("index.html").render(papers=by_paper, profile=name, up="")
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


def _parameters(notebook, path):
    """Rows of the page's one list of parameters; see `Page`."""
    declared = papermill.inspect_notebook(path)
    rows = []
    for name, value in notebook.metadata["graspbook"]["parameters"].items():
        told = declared.get(name, {"help": "", "default": repr(value)})
        try:
            usual = ast.literal_eval(told["default"]) == value
        except (ValueError, SyntaxError):
            usual = True  # an expression, whose value nobody knows here
        rows.append((name, value, told["help"], "" if usual else told["default"]))
    return rows


def _render_cells(cells):
    """What the page template needs of each cell: its number, and HTML of its words or of its code
    and outputs.
    """
    rendered, heading = [], ""
    for number, cell in enumerate(cells, 1):
        headings = re.findall(r"^#+ (.+)", cell.source, re.M)
        if cell.cell_type == "markdown":
            heading = headings[-1] if headings else heading
            words = Markup(_local_links(markdown2html(cell.source)))
            rendered.append({"number": number, "markdown": words})
        elif cell.cell_type == "code" and cell.source:
            rendered.append({"number": number} | _render_code(number, cell, heading))
    return rendered


def _render_code(number, cell, heading):
    """HTML of a cell's code, of its name and of its outputs; of a boxed cell only of its errors."""
    boxed = BOXED & set(cell.metadata.get("tags", []))
    name = _code_name(cell.source, heading)
    outputs = [
        _render_output(output, f"figure-{number}-{i}", name)
        for i, output in enumerate(_joined(cell.outputs))
        if not boxed or output.output_type == "error"
    ]
    code = None if boxed else Markup(Highlight2HTML()(cell.source, "python"))
    return {"name": name, "code": code, "outputs": outputs}


def _code_name(source, heading):
    """What a cell does: its first line where that is a comment or a docstring, else its heading."""
    said = re.match(r'#+\s*(.+)|"""\s*(.+?)\s*(?:"""|$)', source, re.M)
    if not said:
        return heading or "this cell"
    text = (said[1] or said[2]).rstrip(".").replace("`", "")
    return text if text[:2].isupper() else text[:1].lower() + text[1:]


def _joined(outputs):
    """The outputs of a cell with each run of pieces of one stream as one output, and its messages
    last, as one: a progress bar arrives in hundreds of pieces.
    """
    joined = []
    for output in sorted(outputs, key=lambda output: output.get("name") == "stderr"):
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


def _render_output(output, identifier, name):
    """{"kind", "html"} of one output of a cell, in the richest form that a page can show.

    name: what the cell does, for those who cannot see a picture.
    """
    if output.output_type == "error":
        return _output("error", f"<pre>{ansi2html(chr(10).join(output.traceback))}</pre>")
    if output.output_type == "stream":
        lines = [
            line.rstrip("\r").rpartition("\r")[2] for line in output.text.rstrip("\n").split("\n")
        ]
        text = f"<pre>{ansi2html(chr(10).join(lines))}</pre>"
        if output.name == "stderr":
            return _output(
                "messages", f"<details><summary>Messages of the run</summary>{text}</details>"
            )
        return _output("text", text)
    data = output.data
    if PLOTLY in data:
        figure = {key: data[PLOTLY][key] for key in ("data", "layout")}
        return _output("figure", figure_html(figure, identifier, name))
    if "text/html" in data:
        return _output("html", data["text/html"])
    if "image/svg+xml" in data:
        return _output("image", data["image/svg+xml"])
    for kind in IMAGES:
        if kind in data:
            source = f"data:{kind};base64,{data[kind].strip()}"
            return _output("image", f'<img alt="{escape(name)}" src="{source}">')
    if "text/markdown" in data:
        return _output("words", _local_links(markdown2html(data["text/markdown"])))
    return _output("text", f"<pre>{escape(data.get('text/plain', ''))}</pre>")


def _output(kind, html):
    return {"kind": kind, "html": Markup(html)}
