"""One HTML page of figures that turn with no network."""

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from plotly.io import to_html
from plotly.offline import get_plotlyjs

from graspbook.storage import atomic_path

_CONFIG = {"displaylogo": False, "responsive": True, "showSendToCloud": False}


def write_view(
    path: Path | str, figures: go.Figure | Sequence[go.Figure], title: str, text: str = ""
) -> None:
    """Write one HTML page of figures that turns with no network: plotly's script is inside.

    path: of the page.
    figures: one or several.
    title: of the page.
    text: a paragraph under the title.

    Raises OutputError where it cannot be written.
    """
    figures = [figures] if isinstance(figures, go.Figure) else figures
    drawn = [
        to_html(
            figure, full_html=False, include_plotlyjs=i == 0, config=_CONFIG, div_id=f"figure-{i}"
        )
        for i, figure in enumerate(figures)
    ]
    title, text = html.escape(title), html.escape(text)
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta'
        f' charset="utf-8">\n<title>{title}</title>\n<style>body {{ font: 16px/1.5 sans-serif;'
        " color: #222; margin: 2rem auto; max-width: 72rem; padding: 0 1rem"
        f" }}</style>\n</head>\n<body>\n<h1>{title}</h1>\n<p>{text}</p>\n"
        + "\n".join(drawn)
        + "\n</body>\n</html>\n"
    )
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def plotly_script() -> str:
    """Plotly's own script, which pages of `figure_html` need."""
    return get_plotlyjs()


def figure_html(figure: dict[str, Any], identifier: str) -> str:
    """The part of a page that shows a figure and leaves the script to the page.

    figure: its data and layout, as a notebook holds them.
    identifier: unique on the page.
    """
    config = {"responsive": True, "displaylogo": False, "showSendToCloud": False}
    return to_html(
        figure,
        config=config,
        include_plotlyjs=False,
        full_html=False,
        validate=False,
        default_width="100%",
        div_id=identifier,
    )
