import re
import subprocess
import sys

import numpy as np
import plotly.graph_objects as go
import pytest
from plotly.io import renderers

from graspbook import figures
from graspbook.errors import OutputError
from graspbook.figures.page import figure_html, set_up_notebooks
from graspbook.pose import from_rt, random_rotations

CLOUD = np.random.default_rng(0).normal(0, 0.03, (200, 3))
POSES = from_rt(
    random_rotations(5, np.random.default_rng(0)), np.random.default_rng(1).normal(0, 0.1, (5, 3))
)


def test_a_view_is_one_page_with_its_own_script(tmp_path):
    one = figures.cloud_and_grasps(CLOUD, POSES, np.linspace(0, 1, 5))
    figures.write_view(tmp_path / "view.html", [one, one], "Grasps <here>", "5 & more")
    page = (tmp_path / "view.html").read_text()
    assert "Grasps &lt;here&gt;" in page and "5 &amp; more" in page
    assert page.count('class="plotly-graph-div"') == 2
    assert 'name="viewport"' in page and "Made by graspbook" in page
    assert page.count('"showSendToCloud": false') == 2  # and nothing leaves it
    assert len(page) > 3_000_000 and not re.search(
        r"<(script|link)[^>]+(src|href)=", page
    )  # nothing to fetch
    figures.write_view(tmp_path / "one.html", go.Figure(), "empty", "one\nand two. Note: it is so.")
    assert (
        "<p>one</p>\n<p>and two.</p>\n<p>Note: it is so.</p>" in (tmp_path / "one.html").read_text()
    )
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        figures.write_view(tmp_path / "file" / "view.html", one, "title")


def test_a_figure_in_jupyterlab_has_no_button_that_uploads_it():
    figure = figures.cloud_and_grasps(CLOUD)
    set_up_notebooks()
    (shown,) = renderers["plotly_mimetype"].to_mimebundle(figure.to_dict()).values()
    assert shown["config"]["showSendToCloud"] is False


def test_pages_outside_of_notebooks_load_nothing_of_notebooks():
    program = (
        "import sys; from graspbook import figures; figures.write_view;"
        " print({'ipykernel', 'nbformat', 'jsonschema'} & set(sys.modules))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (said.stdout, said.stderr) == ("set()\n", "")


def test_the_title_of_a_figure_becomes_a_caption_that_names_it():
    titled = {"data": [], "layout": {"title": {"text": "success<br>& more"}, "margin": {"t": 50}}}
    drawn = figure_html(titled, "figure-1", "draws curves")
    assert '<figure aria-label="success &amp; more"><figcaption>success &amp; more<' in drawn
    assert '"margin":{"t":30}' in drawn and "success<br>" not in drawn
    assert titled["layout"]["title"] == {"text": "success<br>& more"}  # left as it was
    plain = figure_html({"data": [], "layout": {"title": {}}}, "figure-1", 'draws "curves"')
    assert plain.startswith('<figure aria-label="draws &quot;curves&quot;"><div')
