"""Tables in notebooks, as markdown, for JupyterLab and for the rendered pages."""

from collections.abc import Mapping, Sequence
from typing import Any

from IPython.display import Markdown


def table(columns: Mapping[str, Sequence[Any]]) -> Markdown:
    """Show a table. Floats have four significant digits; None is a dash.

    columns: {heading: values}, of equal length.
    """
    rows = [list(columns), ["---"] * len(columns), *zip(*columns.values(), strict=True)]
    return Markdown("\n".join(f"| {' | '.join(_text(value) for value in row)} |" for row in rows))


def _text(value):
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
