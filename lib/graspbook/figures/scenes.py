"""Scenes in three dimensions: objects, hands and points, as figures that turn.

Lengths are metres.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
import trimesh

from graspbook.figures.style import BAD, COLOURS, OBJECT_COLOUR
from graspbook.figures.traces import mesh_trace, points_trace, space
from graspbook.objects.grasp_object import GraspObject

_FRONT_LIGHT = {"x": -3000, "y": -1600, "z": 3000}


def mesh_figure(
    objects: Sequence[GraspObject], title: str | None = None, columns: int | None = None
) -> go.Figure:
    """Objects in rows on the ground, coloured by family; hovering shows names.

    objects: the shown ones.
    title: text above the figure; no text if None.
    columns: objects per row; as many as fit its shape if None.
    """
    step = 1.25 * max(obj.extent for obj in objects)
    columns = columns or int(np.ceil(np.sqrt(1.5 * len(objects))))
    families = list(dict.fromkeys(obj.family for obj in objects))
    traces = []
    for i, obj in enumerate(objects):
        low, high = obj.mesh.bounds
        ground = np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])
        place = [step * (i % columns), -step * (i // columns), 0]
        first = obj.family not in (o.family for o in objects[:i])
        colour = COLOURS[families.index(obj.family) % len(COLOURS)]
        trace = mesh_trace(obj.mesh.vertices - ground + place, obj.mesh.faces, colour)
        trace.update(name=obj.family, legendgroup=obj.family, showlegend=first)
        traces.append(trace.update(text=obj.name, hoverinfo="text"))
    # All have the same scale.
    return space(traces, title).update_layout(scene_camera_projection_type="orthographic")


def parts_figure(obj: GraspObject, spread: float = 0.3, title: str | None = None) -> go.Figure:
    """The convex parts of an object in different colours, moved apart.

    obj: the `GraspObject`, metres.
    spread: share of its distance from the object's centre by which a part is moved.
    title: text above the figure; no text if None.
    """
    centre = np.mean(obj.mesh.bounds, axis=0)
    traces = []
    for i, part in enumerate(obj.parts):
        moved = part.vertices + spread * (part.center_mass - centre)
        traces.append(mesh_trace(moved, part.faces, COLOURS[i % len(COLOURS)], hoverinfo="skip"))
    return space(traces, title)


def hand_figure(
    mesh: trimesh.Trimesh,
    hands: Sequence[trimesh.Trimesh],
    contacts: Sequence[np.ndarray] | np.ndarray | None = None,
    title: str | None = None,
) -> go.Figure:
    """An object, posed hands and contact points, in the object frame.

    mesh: of the object, in its own frame, metres.
    hands: one or more.
    contacts: (P, 3) points where hands touch the object, metres.
    title: text above the figure; no text if None.
    """
    looks: dict[str, Any] = {"hoverinfo": "skip", "showlegend": True}
    traces = [mesh_trace(mesh.vertices, mesh.faces, OBJECT_COLOUR, name="object", **looks)]
    for i, hand in enumerate(hands):
        name, colour = "hand" if len(hands) == 1 else f"hand {i + 1}", COLOURS[i % len(COLOURS)]
        trace = mesh_trace(hand.vertices, hand.faces, colour, opacity=0.6, name=name, **looks)
        traces.append(trace)
    if contacts is not None and len(contacts):
        traces.append(points_trace(contacts, "contacts").update(marker={"size": 4, "color": BAD}))
    return space(traces, title)


def side_by_side(
    scenes: Mapping[str, Sequence[tuple[Any, str]]], title: str | None = None
) -> go.Figure:
    """Scenes next to each other along x, at the same scale.

    scenes: by name, each a list of (trimesh or points (P, 3), colour).
    title: text above the figure; no text if None.

    Scenes are on the ground, seen from the front (-y) at an angle, with their names above. They are
    slightly translucent, because opaque surfaces would half hide points on them.
    """
    traces, names, right = [], [], 0.0
    for name, shapes in scenes.items():
        corners = np.concatenate([getattr(shape, "vertices", shape) for shape, _ in shapes])
        low, size = corners.min(axis=0), np.ptp(corners, axis=0)
        place = np.array([right, 0.0, 0.0]) - low - size * [0, 0.5, 0]
        for shape, colour in shapes:
            if hasattr(shape, "vertices"):
                trace = mesh_trace(shape.vertices + place, shape.faces, colour, hoverinfo="skip")
                trace.update(opacity=0.9, lightposition=_FRONT_LIGHT, lighting_ambient=0.5)
            else:
                trace = points_trace(shape + place, name)
                trace.update(marker={"size": 5, "color": colour}, showlegend=False)
            traces.append(trace)
        names.append([right + size[0] / 2, 0.0, size[2] + 0.02])
        right += 1.35 * size[0]
    x, y, z = np.array(names, np.float32).T
    written = go.Scatter3d(x=x, y=y, z=z, mode="text", text=list(scenes), showlegend=False)
    return _close_up(space([*traces, written.update(hoverinfo="skip")], title))


def _close_up(figure):
    """Move the camera in front of a scene that is wide in x, so that the scene fills the figure."""
    corners = np.array([np.concatenate([trace[axis] for trace in figure.data]) for axis in "xyz"])
    sides = np.maximum(np.ptp(corners, axis=1), 1e-3)
    widest = sides.max() / np.prod(sides) ** (1 / 3)  # length as drawn by plotly
    eye = (0.6 + 0.68 * widest) * np.array([0.15, -0.91, 0.38])
    return figure.update_layout(
        scene_camera={"eye": dict(zip("xyz", eye, strict=True)), "center": {"x": 0, "y": 0, "z": 0}}
    )
