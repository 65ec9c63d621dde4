"""The runner: typed parameters, execution of notebooks, rendered pages, shipped networks."""

from graspbook.extras import require

require("workbook", "papermill", "nbclient", "nbformat", "nbconvert", "jinja2")
