"""Scenes in three dimensions: objects, hands, points and grasps, as plotly figures that turn.

Lengths are metres; poses are in the ACRONYM grasp frame. Arrays go to the page as float32, which
halves it.
"""

import numpy as np
import plotly.graph_objects as go

from graspbook.figures.style import BAD, COLOURS, FORK, GOOD, OBJECT_COLOUR, POINT_COLOUR, SCALE
from graspbook.pose import transform

# Plotly drops the normals of faces whose size is below its epsilons, which at metres means
# millimetre faces.
_LIGHT = {
    "ambient": 0.7,
    "diffuse": 0.6,
    "specular": 0.05,
    "facenormalsepsilon": 0,
    "vertexnormalsepsilon": 0,
}

_FRONT_LIGHT = {"x": -3000, "y": -1600, "z": 3000}


def mesh_figure(objects, title=None, columns=None):
    """Objects (each a GraspObject) in rows of `columns` on the ground, coloured by family, their
    names on hovering.
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
        traces.append(
            _mesh(
                obj.mesh.vertices - ground + place,
                obj.mesh.faces,
                COLOURS[families.index(obj.family) % len(COLOURS)],
                name=obj.family,
                legendgroup=obj.family,
                showlegend=first,
                text=obj.name,
                hoverinfo="text",
            )
        )
    return _scene(traces, title).update_layout(
        scene_camera_projection_type="orthographic"
    )  # all in one scale


def parts_figure(obj, spread=0.3, title=None):
    """The convex parts of an object in different colours, moved apart from its centre by `spread`
    of their distance to it.
    """
    centre = np.mean(obj.mesh.bounds, axis=0)
    traces = [
        _mesh(
            part.vertices + spread * (part.center_mass - centre),
            part.faces,
            COLOURS[i % len(COLOURS)],
            hoverinfo="skip",
        )
        for i, part in enumerate(obj.parts)
    ]
    return _scene(traces, title)


def cloud_and_grasps(
    cloud=None,
    poses=None,
    values=None,
    label="score",
    mesh=None,
    limits=(0.0, 1.0),
    camera_frame=False,
    title=None,
    marked=None,
    cloud_name="observed points",
):
    """Points, a mesh, and grippers drawn as forks, in one frame.

    cloud: (M, 3), `cloud_name` in the legend; poses: (N, 4, 4) of the hand in that frame; mesh: a
    trimesh, drawn translucent. values colour the grippers: (N,) numbers with a colour bar named
    `label` (give its unit) over `limits` (None: their range), (N,) bool as held and dropped, (N, 3)
    RGB in 0 … 1, or None. marked (N,) bool: grippers to draw red instead, those that collide.
    camera_frame: look from the camera's side (x right, y down, z forward).
    """
    traces = []
    if mesh is not None:
        traces.append(
            _mesh(mesh.vertices, mesh.faces, OBJECT_COLOUR, opacity=0.45, hoverinfo="skip")
        )
    if cloud is not None:
        traces.append(_points(cloud, cloud_name))
    if marked is not None and np.any(marked):
        traces.append(
            _forks(poses[marked], {"color": BAD, "width": 2}, name="hand in observed points")
        )
        poses, values = poses[~marked], None if values is None else values[~marked]
    if poses is not None and len(poses):
        traces += _grippers(np.asarray(poses), values, label, limits)
    return _scene(traces, title, camera_frame)


def hand_figure(mesh, hands, contacts=None, title=None):
    """An object, one or more posed hands (trimesh each), and contact points (P, 3), in the object
    frame.
    """
    traces = [
        _mesh(
            mesh.vertices,
            mesh.faces,
            OBJECT_COLOUR,
            hoverinfo="skip",
            name="object",
            showlegend=True,
        )
    ]
    for i, hand in enumerate(hands):
        traces.append(
            _mesh(
                hand.vertices,
                hand.faces,
                COLOURS[i % len(COLOURS)],
                opacity=0.6,
                hoverinfo="skip",
                name="hand" if len(hands) == 1 else f"hand {i + 1}",
                showlegend=True,
            )
        )
    if contacts is not None and len(contacts):
        traces.append(_points(contacts, "contacts").update(marker={"size": 4, "color": BAD}))
    return _scene(traces, title)


def side_by_side(scenes, title=None):
    """Scenes by name, each a list of (trimesh or points (P, 3), colour), next to each other along x
    and in one scale, in metres.

    They stand on the ground, seen from the front (-y) at an angle, each under its name; slightly
    translucent, since points on what is opaque would be half buried in it.
    """
    traces, names, right = [], [], 0.0
    for name, shapes in scenes.items():
        corners = np.concatenate(
            [np.asarray(getattr(shape, "vertices", shape)) for shape, _ in shapes]
        )
        low, size = corners.min(axis=0), np.ptp(corners, axis=0)
        place = np.array([right, 0.0, 0.0]) - low - size * [0, 0.5, 0]
        for shape, colour in shapes:
            if hasattr(shape, "vertices"):
                traces.append(
                    _mesh(
                        shape.vertices + place, shape.faces, colour, hoverinfo="skip", opacity=0.9
                    )
                )
                traces[-1].update(lightposition=_FRONT_LIGHT, lighting_ambient=0.5)
            else:
                traces.append(
                    _points(shape + place, name).update(
                        marker={"size": 5, "color": colour}, showlegend=False
                    )
                )
        names.append([right + size[0] / 2, 0.0, size[2] + 0.02])
        right += 1.35 * size[0]
    x, y, z = np.array(names, np.float32).T
    traces.append(
        go.Scatter3d(
            x=x, y=y, z=z, mode="text", text=list(scenes), showlegend=False, hoverinfo="skip"
        )
    )
    return _close_up(_scene(traces, title))


def refinement_steps(
    cloud, iterations, scores, numbers, label="score", camera_frame=False, title=None
):
    """Grippers after each refinement step, chosen by a slider.

    cloud: (M, 3); iterations: (S, N, 4, 4) and scores: (S, N) in 0 … 1 after `numbers` (S,) steps,
    the first as sampled.
    """
    steps = [
        _grippers(np.asarray(poses), values, label, (0.0, 1.0))
        for poses, values in zip(iterations, scores, strict=True)
    ]
    figure = _scene(
        [_points(cloud), *(trace for step in steps for trace in step)], title, camera_frame
    )
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
    figure.update_layout(
        height=600,
        sliders=[
            {
                "steps": steps,
                "currentvalue": {"prefix": "refinement step "},
                "pad": {"t": 10, "b": 30, "l": 40, "r": 40},
            }
        ],
    )
    return figure


def _mesh(vertices, faces, colour, **kwargs):
    x, y, z = vertices.astype(np.float32).T
    i, j, k = faces.astype(
        np.int16 if len(vertices) < 2**15 else np.int32
    ).T  # half of what a page with many hands weighs
    return go.Mesh3d(
        x=x, y=y, z=z, i=i, j=j, k=k, color=colour, flatshading=True, lighting=_LIGHT, **kwargs
    )


def _points(cloud, name="observed points"):
    x, y, z = np.asarray(cloud, np.float32).T
    return go.Scatter3d(
        x=x,
        y=y,
        z=z,
        mode="markers",
        marker={"size": 2, "color": POINT_COLOUR},
        name=name,
        hoverinfo="skip",
    )


def _grippers(poses, values, label, limits):
    """Traces of forks; see `cloud_and_grasps` for values and limits."""
    values = None if values is None else np.asarray(values)
    if values is None:
        return [_forks(poses, {"color": GOOD}, name="grasps")]
    if values.dtype == bool:
        chosen = [("held", GOOD, values), ("dropped", BAD, ~values)]
        return [
            _forks(poses[which], {"color": colour}, name=name)
            for name, colour, which in chosen
            if which.any()
        ]
    each_corner = np.repeat(values, len(FORK) + 1, axis=0)
    if values.ndim == 2:
        rgb = np.round(255 * np.clip(each_corner, 0, 1)).astype(int)
        return [_forks(poses, {"color": [f"rgb({r},{g},{b})" for r, g, b in rgb]}, name="grasps")]
    low, high = limits or (float(values.min()), float(values.max()))
    line = {
        "color": each_corner.astype(np.float32),
        "colorscale": SCALE,
        "cmin": low,
        "cmax": high,
        "showscale": True,
        "colorbar": {"title": label, "thickness": 14, "len": 0.7},
    }
    return [_forks(poses, line, name="grasps", showlegend=False)]


def _forks(poses, line, **kwargs):
    strokes = np.full(
        (len(poses), len(FORK) + 1, 3), np.nan, np.float32
    )  # the last corner, NaN, lifts the pen
    strokes[:, :-1] = transform(poses, FORK)
    x, y, z = strokes.reshape(-1, 3).T
    return go.Scatter3d(
        x=x,
        y=y,
        z=z,
        mode="lines",
        line={"width": 4, **line},
        hoverinfo="skip",
        connectgaps=False,
        **kwargs,
    )


def _scene(traces, title, camera_frame=False):
    """Figure of 3-D traces with equal axes in metres, seen from above or from the camera's side."""
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
        legend={"x": 0, "y": 1, "itemsizing": "constant"},
        scene={
            "aspectmode": "data",
            "camera": camera,
            **{f"{a}axis": {"title": f"{a} [m]", **axis} for a in "xyz"},
        },
    )
    return figure


def _close_up(figure):
    """Move the camera of a scene that is wide in x to where it fills the figure, in front of it."""
    corners = np.array([np.concatenate([trace[axis] for trace in figure.data]) for axis in "xyz"])
    sides = np.maximum(np.ptp(corners, axis=1), 1e-3)
    widest = sides.max() / np.prod(sides) ** (1 / 3)  # as long as plotly draws it
    eye = (0.6 + 0.68 * widest) * np.array([0.15, -0.91, 0.38])
    return figure.update_layout(
        scene_camera={"eye": dict(zip("xyz", eye, strict=True)), "center": {"x": 0, "y": 0, "z": 0}}
    )
