"""Figures: scenes and charts as plotly figures, interactive pages that work offline, pictures."""

from graspbook.figures.charts import bars, curves, funnel, heat_map, histogram
from graspbook.figures.grasps import cloud_and_grasps, refinement_steps
from graspbook.figures.page import write_view
from graspbook.figures.scenes import hand_figure, mesh_figure, parts_figure, side_by_side
from graspbook.figures.style import BAD, COLOURS, FORK, GOOD, OBJECT_COLOUR, POINT_COLOUR, SCALE
from graspbook.figures.tables import table
from graspbook.figures.thumbnail import thumbnail_svg

__all__ = [
    "BAD",
    "COLOURS",
    "FORK",
    "GOOD",
    "OBJECT_COLOUR",
    "POINT_COLOUR",
    "SCALE",
    "bars",
    "cloud_and_grasps",
    "curves",
    "funnel",
    "hand_figure",
    "heat_map",
    "histogram",
    "mesh_figure",
    "parts_figure",
    "refinement_steps",
    "side_by_side",
    "table",
    "thumbnail_svg",
    "write_view",
]
