"""The runner: typed parameters, running notebooks, the rendered pages, shipping networks."""

from graspbook.extras import require

require("workbook", "papermill", "nbclient", "nbformat", "nbconvert", "jinja2")
