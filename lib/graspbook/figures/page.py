"""One HTML page of figures that turn with no network."""

import html
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from plotly.io import to_html
from plotly.offline import get_plotlyjs

from graspbook.provenance import version_text
from graspbook.storage import atomic_path

_CONFIG = {"displaylogo": False, "responsive": True, "showSendToCloud": False}
# On a telephone: a scene, which plotly fits to the height of its figure, would be cut off at its
# sides, and a legend on the right would leave no space for the curves.
NARROW = """
const drawn = Plotly.newPlot;
Plotly.newPlot = (plot, data, layout, config) => {
  if (innerWidth < 640 && layout.scene) {
    layout.height = 0.8 * innerWidth + 40;
    document.getElementById(plot).parentElement.style.height = "auto";
  } else if (innerWidth < 640) {
    layout.legend = {orientation: "h", yref: "container", y: 0, yanchor: "bottom"};
  }
  return drawn(plot, data, layout, config);
};
"""
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 1.0625rem/1.6 system-ui, sans-serif; color: #1d2530; background: #fff;
  margin: 0 auto; max-width: 62rem; padding: 1rem 1.25rem }}
h1 {{ font-size: 1.7rem; line-height: 1.25; overflow-wrap: anywhere }}
p {{ max-width: 46rem; margin: 0.6rem 0; overflow-wrap: break-word }}
footer {{ color: #5b6675; font-size: 0.875rem; border-top: 1px solid #dfe4ea; margin-top: 2rem }}
</style>
<script>{script}</script>
<script>{narrow}</script>
</head>
<body>
<h1>{title}</h1>
{words}
{figures}
<footer><p>Made by graspbook {version}. Drag a figure to turn it.</p></footer>
</body>
</html>
"""


def set_up_notebooks() -> None:
    """Show figures in JupyterLab as on pages, without a button that uploads them."""
    from plotly.io import renderers  # loads nbformat and all below it: seconds

    renderers["plotly_mimetype"].config = _CONFIG


if "ipykernel" in sys.modules:  # the process of a notebook
    set_up_notebooks()


def write_view(
    path: Path | str, figures: go.Figure | Sequence[go.Figure], title: str, text: str = ""
) -> None:
    """Write one HTML page of figures that turns with no network: plotly's script is inside.

    path: of the .html file to write.
    figures: one or several.
    title: heading of the page, and of its tab.
    text: under the title; each line is a paragraph, and so is what follows "Note: ".

    Raises OutputError where it cannot be written.
    """
    figures = [figures] if isinstance(figures, go.Figure) else figures
    drawn = [
        to_html(
            figure, full_html=False, include_plotlyjs=False, config=_CONFIG, div_id=f"figure-{i}"
        )
        for i, figure in enumerate(figures)
    ]
    lines = re.split(r"\n| (?=Note: )", text)
    paragraphs = [f"<p>{html.escape(line)}</p>" for line in lines if line]
    page = _PAGE.format(
        title=html.escape(title),
        words="\n".join(paragraphs),
        script=get_plotlyjs(),
        figures="\n".join(drawn),
        narrow=NARROW,
        version=html.escape(version_text()),
    )
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def plotly_script() -> str:
    """Plotly's own script, which pages of `figure_html` need."""
    return get_plotlyjs()


def figure_html(figure: dict[str, Any], identifier: str, label: str = "") -> str:
    """The part of a page that shows a figure and leaves the script to the page.

    Its title becomes a caption of the page, where it is not cut off and nothing covers it.

    figure: its data and layout, as a notebook holds them.
    identifier: unique on the page.
    label: what it shows, for those who cannot see it; its title where it has one.
    """
    layout = dict(figure["layout"])
    title = html.escape(re.sub("<[^>]+>", " ", layout.pop("title", {}).get("text") or ""))
    if title:
        layout["margin"] = {**layout.get("margin", {}), "t": 30}
    drawn = to_html(
        {"data": figure["data"], "layout": layout},
        config=_CONFIG,
        include_plotlyjs=False,
        full_html=False,
        validate=False,
        default_width="100%",
        div_id=identifier,
    )
    caption = f"<figcaption>{title}</figcaption>" if title else ""
    return f'<figure aria-label="{title or html.escape(label)}">{caption}{drawn}</figure>'
