"""Elements of scenes in three dimensions: traces of meshes and points, and their axes.

Lengths are metres. Arrays are written as float32, which halves the page.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from graspbook.figures.style import POINT_COLOUR

# Plotly drops the normals of faces whose size is below its epsilons, which at metres means
# millimetre faces.
_LIGHT = {
    "ambient": 0.7,
    "diffuse": 0.6,
    "specular": 0.05,
    "facenormalsepsilon": 0,
    "vertexnormalsepsilon": 0,
}


def mesh_trace(vertices: np.ndarray, faces: np.ndarray, colour: str, **kwargs: Any) -> go.Mesh3d:
    """A trace of a triangle mesh.

    vertices: (V, 3), metres.
    faces: (F, 3) of indices.
    colour: of its surface, such as "#b2182b".
    kwargs: more of plotly's properties.
    """
    x, y, z = vertices.astype(np.float32).T
    # This is half the size of a page with many hands.
    i, j, k = faces.astype(np.int16 if len(vertices) < 2**15 else np.int32).T
    return go.Mesh3d(
        x=x, y=y, z=z, i=i, j=j, k=k, color=colour, flatshading=True, lighting=_LIGHT, **kwargs
    )


def points_trace(
    cloud: Sequence[np.ndarray] | np.ndarray, name: str = "observed points"
) -> go.Scatter3d:
    """A trace of points.

    cloud: (M, 3) points, in the frame of the poses, metres.
    name: what the legend calls it.
    """
    x, y, z = np.asarray(cloud, np.float32).T
    marker = {"size": 2, "color": POINT_COLOUR}
    return go.Scatter3d(x=x, y=y, z=z, mode="markers", marker=marker, name=name, hoverinfo="skip")


def space(
    traces: Sequence[Any], title: str | None = None, *, camera_frame: bool = False
) -> go.Figure:
    """A figure of traces with equal axes in metres.

    traces: three-dimensional.
    title: text above the figure; no text if None.
    camera_frame: look from the camera's side (x right, y down, z forward), else from above.
    """
    axis = {"showbackground": False, "gridcolor": "#e4e7eb", "zeroline": False, "nticks": 6}
    camera = {"eye": {"x": 1.2, "y": -1.65, "z": 1.0}, "center": {"x": 0, "y": 0, "z": -0.1}}
    if camera_frame:
        camera = {
            "eye": {"x": 0.45, "y": -0.9, "z": -2.0},
            "center": {"x": 0, "y": 0.1, "z": 0},
            "up": {"x": 0, "y": -1, "z": 0},
        }
    figure = go.Figure(traces)
    figure.update_layout(
        template="plotly_white",
        title=title,
        height=520,
        margin={"l": 0, "r": 0, "b": 0, "t": 50 if title else 10},
        legend={"x": 0, "y": 1, "itemsizing": "constant", "bgcolor": "rgba(255,255,255,0)"},
        scene={
            "aspectmode": "data",
            "camera": camera,
            **{f"{a}axis": {"title": f"{a} [m]", **axis} for a in "xyz"},
        },
    )
    return figure
