"""Tables in notebooks, as markdown: they show in JupyterLab and on the rendered pages alike."""

from IPython.display import Markdown


def table(columns):
    """Show columns of equal length, {heading: values}; floats with four significant digits, None as
    a dash.
    """
    rows = [list(columns), ["---"] * len(columns), *zip(*columns.values(), strict=True)]
    return Markdown("\n".join(f"| {' | '.join(_text(value) for value in row)} |" for row in rows))


def _text(value):
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
