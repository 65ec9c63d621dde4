"""Grasps in a scene: grippers drawn as forks, with their object.

Lengths are metres; poses are in the ACRONYM grasp frame.
"""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import trimesh

from graspbook.figures.style import BAD, FORK, GOOD, OBJECT_COLOUR, SCALE, fork
from graspbook.figures.traces import mesh_trace, points_trace, space
from graspbook.hands.parallel_jaw import FRANKA, ParallelJaw
from graspbook.pose import transform


def cloud_and_grasps(
    cloud: np.ndarray | None = None,
    poses: np.ndarray | None = None,
    values: np.ndarray | None = None,
    *,
    label: str = "score",
    mesh: trimesh.Trimesh | None = None,
    limits: tuple[float, float] | None = (0.0, 1.0),
    camera_frame: bool = False,
    title: str | None = None,
    marked: np.ndarray | None = None,
    cloud_name: str = "observed points",
    gripper: ParallelJaw = FRANKA,
) -> go.Figure:
    """Points, a mesh, and grippers drawn as forks, in one frame.

    cloud: (M, 3) points, in the frame of the poses, metres.
    poses: (N, 4, 4) of the hand, in the frame of the cloud.
    values: colours of the grippers: (N,) numbers by a colour bar, (N,) bool as held and dropped,
        (N, 3) RGB in 0 … 1; None for one colour.
    label: of the colour bar (give its unit).
    mesh: drawn translucent, in the frame of the poses, metres.
    limits: of the colour bar; None for the range of the values.
    camera_frame: look from the camera's side (x right, y down, z forward).
    title: text above the figure; no text if None.
    marked: (N,) bool, grippers drawn in red instead, e.g. if they collide.
    cloud_name: what the legend calls the cloud.
    gripper: the parallel-jaw hand of these grasps.
    """
    traces = []
    if mesh is not None:
        traces.append(
            mesh_trace(mesh.vertices, mesh.faces, OBJECT_COLOUR, opacity=0.45, hoverinfo="skip")
        )
    if cloud is not None:
        traces.append(points_trace(cloud, cloud_name))
    if poses is not None and marked is not None and np.any(marked):
        line = {"color": BAD, "width": 2}
        marked_forks = _forks(
            poses[marked], line, shape=fork(gripper), name="hand in observed points"
        )
        traces.append(marked_forks)
        poses, values = poses[~marked], None if values is None else values[~marked]
    if poses is not None and len(poses):
        traces += _grippers(np.asarray(poses), values, label, limits, shape=fork(gripper))
    return space(traces, title, camera_frame=camera_frame)


def refinement_steps(
    cloud: np.ndarray,
    iterations: np.ndarray,
    scores: np.ndarray,
    numbers: Sequence[int],
    *,
    label: str = "score",
    camera_frame: bool = False,
    title: str | None = None,
) -> go.Figure:
    """Grippers after each refinement step, chosen by a slider.

    cloud: (M, 3) points, in the frame of the poses, metres.
    iterations: (S, N, 4, 4) of the hand, the first as sampled.
    scores: (S, N) in 0 … 1.
    numbers: (S,) of steps.
    label: title of the colour bar, with the unit.
    camera_frame: look from the camera's side.
    title: text above the figure; no text if None.
    """
    steps = [
        _grippers(np.asarray(poses), values, label, (0.0, 1.0))
        for poses, values in zip(iterations, scores, strict=True)
    ]
    traces = [points_trace(cloud), *(trace for step in steps for trace in step)]
    figure = space(traces, title, camera_frame=camera_frame)
    owners = [-1, *(i for i, step in enumerate(steps) for _ in step)]
    for trace, owner in zip(figure.data, owners, strict=True):
        trace.visible = owner in (-1, 0)
    steps = [
        {
            "method": "restyle",
            "label": f"{number}: mean {mean:.2f}",
            "args": ["visible", [owner in (-1, i) for owner in owners]],
        }
        for i, (number, mean) in enumerate(zip(numbers, np.mean(scores, axis=1), strict=True))
    ]
    slider = {
        "steps": steps,
        "currentvalue": {"prefix": "refinement step "},
        "pad": {"t": 10, "b": 30, "l": 40, "r": 40},
    }
    return figure.update_layout(height=600, sliders=[slider])


def _grippers(poses, values, label, limits, *, shape=FORK):
    """Traces of forks; see `cloud_and_grasps` for values and limits."""
    values = None if values is None else np.asarray(values)
    if values is None:
        return [_forks(poses, {"color": GOOD}, shape=shape, name="grasps")]
    if values.dtype == bool:
        chosen = [("held", GOOD, values), ("dropped", BAD, ~values)]
        return [
            _forks(poses[which], {"color": colour}, shape=shape, name=name)
            for name, colour, which in chosen
            if which.any()
        ]
    each_corner = np.repeat(values, len(shape) + 1, axis=0)
    if values.ndim == 2:
        rgb = np.round(255 * np.clip(each_corner, 0, 1)).astype(int)
        line = {"color": [f"rgb({r},{g},{b})" for r, g, b in rgb]}
        return [_forks(poses, line, shape=shape, name="grasps", showlegend=False)]
    low, high = limits or (float(values.min()), float(values.max()))
    line = {
        "color": each_corner.astype(np.float32),
        "colorscale": SCALE,
        "cmin": low,
        "cmax": high,
        "showscale": True,
        "colorbar": {"title": label, "thickness": 14, "len": 0.7},
    }
    return [_forks(poses, line, shape=shape, name="grasps", showlegend=False)]


def _forks(poses, line, *, shape, **kwargs):
    # The last corner, NaN, ends the line.
    strokes = np.full((len(poses), len(shape) + 1, 3), np.nan, np.float32)
    strokes[:, :-1] = transform(poses, shape)
    x, y, z = strokes.reshape(-1, 3).T
    looks = {"line": {"width": 4, **line}, "hoverinfo": "skip", "connectgaps": False, **kwargs}
    return go.Scatter3d(x=x, y=y, z=z, mode="lines", **looks)
