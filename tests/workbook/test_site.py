"""Rendered pages: complete, local, and honest about failure."""

import re
from pathlib import Path

import nbformat
import pytest

from graspbook.errors import NotebookError, OutputError, ParameterError
from graspbook.provenance import package_versions, provenance
from graspbook.workbook import params
from graspbook.workbook.outputs import Outputs
from graspbook.workbook.params import load_profile, notebook_parameters
from graspbook.workbook.run import _failure
from graspbook.workbook.site import build_site

TRACE = {"type": "scatter3d", "x": [0, 1], "y": [0, 1], "z": [0, 1]}
PARAMETERS = (
    "count: int = 5  # how many & more\nseed: int = 0  # of all that is drawn",
    "count = 3\nseed = 0",
)
FIGURE = {"data": [TRACE], "layout": {"title": {"text": "A turning figure"}}}


def store_executed(
    toy_workbook,
    *outputs,
    words="See [the next](2_next.ipynb): $x^2$.",
    source="figure = draw(3)",
    more=(),
    made=None,
):
    """Write an executed toy notebook whose one code cell has these outputs, as the runner leaves
    it.
    """
    v4 = nbformat.v4
    code = v4.new_code_cell(source, execution_count=1, outputs=list(outputs))
    title = v4.new_markdown_cell("# A toy\n\nOne *short* sentence.\n\nMore.")
    notebook = v4.new_notebook(cells=[title, v4.new_markdown_cell(words), code, *more])
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "language": "python",
        "display_name": "Python 3",
    }
    notebook.metadata["graspbook"] = {
        "parameters": notebook_parameters(load_profile("smoke"), "toy", "smoke", "outputs/smoke"),
        "failure": _failure(notebook),
        "finished": "2026-01-02T03:04:05+00:00",
        "wall_time": 1.5,
    } | (provenance() | (made or {}))
    path = Outputs("outputs/smoke").notebook("toy")
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def page(toy_workbook, name="toy.html"):
    return (toy_workbook.root / "outputs" / "smoke" / "site" / name).read_text()


def loaded_addresses(html):
    """What a browser fetches by itself: scripts, styles, images, frames."""
    return re.findall(r'<(?:script|img|iframe|source|link)\b[^>]*\b(?:src|href)="([^"]*)"', html)


def test_a_page_shows_words_maths_code_parameters_and_revision(toy_workbook):
    store_executed(
        toy_workbook, nbformat.v4.new_output("stream", name="stdout", text="held 3 of 4\n")
    )
    index, failures = build_site("smoke")
    assert (
        index == toy_workbook.root / "outputs" / "smoke" / "site" / "index.html" and failures == []
    )
    html = page(toy_workbook)
    assert 'href="2_next.html"' in html and "$x^2$" in html and "mathjax-tex-svg.js" in html
    assert re.search(r'<details class="code"><summary>Code: A toy</summary>.*draw', html, re.S)
    assert "held 3 of 4" in html
    assert "<th>count</th><td>3</td>" in html and "<th>seed</th><td>0</td>" in html
    assert all(
        f"<th>{name}</th><td>{version}</td>" in html for name, version in package_versions().items()
    )
    assert "plotly.min.js" not in html


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("# Draws the set.\nfigure = draw(3)", "draws the set"),
        ('"""Draws the set."""\ndraw(3)', "draws the set"),
        ("# ROC curves <here>\ndraw(3)", "ROC curves &lt;here&gt;"),
        ("draw(3)  # a set", "A part"),
    ],
)
def test_a_fold_is_named_by_what_the_code_does(toy_workbook, source, name):
    store_executed(toy_workbook, words="Words.\n\n## A part\n\nMore.", source=source)
    build_site("smoke")
    assert f"<summary>Code: {name}</summary>" in page(toy_workbook)


def test_a_page_lists_its_parameters_once_with_meaning_and_other_default(toy_workbook):
    declared, injected = (nbformat.v4.new_code_cell(source) for source in PARAMETERS)
    declared.metadata["tags"], injected.metadata["tags"] = ["parameters"], ["injected-parameters"]
    versions = nbformat.v4.new_code_cell("# Prints versions\nprint(package_versions())")
    versions.metadata["tags"] = ["versions"]
    printed = nbformat.v4.new_output("stream", name="stdout", text="numpy 9.9\n")
    versions.outputs = [printed]
    store_executed(toy_workbook, more=[declared, injected, versions])
    build_site("smoke")
    html = page(toy_workbook)
    assert html.count("<th>count</th>") == 1 and html.count("<summary>Code") == 1
    assert re.search(
        r"<td>3 <span[^>]*>\(default: 5\)</span></td>\s*<td>how many &amp; more</td>", html
    )
    assert "<td>0</td><td>of all that is drawn</td>" in html and "numpy 9.9" not in html


def test_an_error_of_a_cell_that_the_page_leaves_out_is_shown(toy_workbook):
    cell = nbformat.v4.new_code_cell("count = 1 / 0", metadata={"tags": ["injected-parameters"]})
    error = {"ename": "ZeroDivisionError", "evalue": "", "traceback": ["ZeroDivisionError: toy"]}
    cell.outputs = [nbformat.v4.new_output("error", **error)]
    store_executed(toy_workbook, more=[cell])
    build_site("smoke")
    html = page(toy_workbook)
    assert "<pre>ZeroDivisionError: toy" in html and 'id="cell-4"' in html


def test_figures_turn_without_a_network(toy_workbook):
    data = {
        "application/vnd.plotly.v1+json": FIGURE,
        "text/html": "<script src='https://cdn.example/plotly.js'></script>",
    }
    store_executed(toy_workbook, nbformat.v4.new_output("display_data", data=data))
    build_site("smoke")
    html = page(toy_workbook)
    assert "A turning figure" in html and "Plotly.newPlot" in html and "cdn.example" not in html
    assert '"showSendToCloud": false' in html, (
        "plotly's button that uploads a figure is on unless told otherwise"
    )
    site = toy_workbook.root / "outputs" / "smoke" / "site"
    for path in [site / "index.html", site / "toy.html"]:
        for address in loaded_addresses(path.read_text()):
            assert address == "data:," or (path.parent / address).is_file(), address
    assert "plotly.js v" in (site / "_static" / "plotly.min.js").read_text()[:200]


def test_outputs_of_every_kind(toy_workbook):
    v4 = nbformat.v4
    store_executed(
        toy_workbook,
        v4.new_output("stream", name="stderr", text="1%\r"),
        v4.new_output("stream", name="stdout", text="one, "),
        v4.new_output("stream", name="stderr", text="50%\r100%\n"),
        v4.new_output("stream", name="stdout", text="two\n"),
        v4.new_output("display_data", data={"text/markdown": "| a |\n|---|\n| **b** |"}),
        v4.new_output("display_data", data={"image/png": "aGk=\n", "text/plain": "picture"}),
        v4.new_output("display_data", data={"image/svg+xml": "<svg id='drawn'></svg>"}),
        v4.new_output("execute_result", data={"text/plain": "<3 objects>"}),
    )
    build_site("smoke")
    html = page(toy_workbook)
    assert html.count("<summary>Messages of the run") == 1 and "<pre>100%</pre>" in html
    assert "<pre>one, two</pre>" in html
    assert "<strong>b</strong>" in html and "<svg id='drawn'>" in html
    assert 'alt="A toy" src="data:image/png;base64,aGk="' in html and "&lt;3 objects&gt;" in html


def test_the_index_has_a_picture_and_a_sentence_for_each_notebook(toy_workbook):
    store_executed(toy_workbook)
    outputs = Outputs("outputs/smoke")
    picture = outputs.thumbnail("toy")
    picture.parent.mkdir()
    picture.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    build_site("smoke")
    html = page(toy_workbook, "index.html")
    assert (
        "A toy</h2>" in html
        and "One <em>short</em> sentence." in html
        and 'href="toy.html"' in html
    )
    assert 'src="_static/thumbnails/toy.svg"' in html
    assert (outputs.site / "_static" / "thumbnails" / "toy.svg").read_text() == picture.read_text()


@pytest.mark.parametrize("dirty", [False, True])
def test_index_and_page_name_profile_revision_and_date(toy_workbook, dirty):
    made = {"revision": 40 * "a", "dirty": dirty}
    store_executed(toy_workbook, made=made)
    build_site("smoke")
    revision = f"revision {10 * 'a'}{' with local changes' if dirty else ''}"
    parts = ("profile smoke", revision, "2026-01-02", "2 s")
    for name in ("index.html", "toy.html"):
        told = re.findall(r'<span class="part">(.*?)</span>', page(toy_workbook, name))
        assert told == list(parts)


def test_a_failed_notebook_is_rendered_and_reported(toy_workbook):
    traceback = ["\x1b[31mValueError\x1b[0m: no <grasp>"]
    error = nbformat.v4.new_output(
        "error", ename="ValueError", evalue="no grasp", traceback=traceback
    )
    store_executed(toy_workbook, error)
    _, failures = build_site("smoke")
    assert len(failures) == 1 and failures[0].startswith(
        "toy failed in cell 3 (figure = draw(3)): ValueError: no grasp;"
    )
    html = page(toy_workbook)
    assert (
        'href="#cell-3"' in html
        and 'id="cell-3"' in html
        and "no &lt;grasp&gt;" in html
        and "\x1b" not in html
    )
    assert "failed in cell 3" in page(toy_workbook, "index.html")


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"cells": [',
        "[]",
        "{}",
        '{"nbformat": 4, "nbformat_minor": 5}',
        nbformat.writes(nbformat.v4.new_notebook()),
    ],
)
def test_an_interrupted_notebook_is_reported_and_has_no_page(toy_workbook, monkeypatch, text):
    monkeypatch.setitem(params.NOTEBOOKS, "next", params.NOTEBOOKS["toy"])
    interrupted = Outputs("outputs/smoke").notebook("next")
    interrupted.parent.mkdir(parents=True)
    interrupted.write_text(text)
    with pytest.raises(NotebookError, match=r"^next did not finish.*next\.ipynb$"):
        build_site("smoke")
    store_executed(toy_workbook)
    earlier = Outputs("outputs/smoke").site / "next.html"
    earlier.parent.mkdir()
    earlier.write_text("a page of an earlier run")
    index, failures = build_site("smoke")
    assert (
        len(failures) == 1
        and failures[0].startswith("next did not finish")
        and failures[0].endswith(str(interrupted))
    )
    assert (
        not earlier.exists()
        and "next.html" not in index.read_text()
        and 'href="toy.html"' in index.read_text()
    )


def test_nothing_to_render(toy_workbook):
    with pytest.raises(NotebookError, match="no executed notebooks"):
        build_site("smoke")
    with pytest.raises(ParameterError, match="unknown profile"):
        build_site("smoky")


def test_a_place_that_cannot_be_written(toy_workbook):
    store_executed(toy_workbook)
    Path("outputs/smoke/site").write_text("a file where the folder belongs")
    with pytest.raises(OutputError, match="site"):
        build_site("smoke")
