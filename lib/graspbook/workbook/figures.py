"""Figures: flat functions that take arrays and return a plotly figure, a page that turns offline,
or a small picture.

Lengths are metres; poses are in the ACRONYM grasp frame. Arrays go to the page as float32, which
halves it.
"""

import html

import numpy as np
import plotly.graph_objects as go
from plotly.colors import hex_to_rgb, sample_colorscale
from plotly.io import to_html

from graspbook.hands.franka import FINGER_MOUNT, MAX_OPENING, TIP_Z
from graspbook.pose import transform
from graspbook.storage import atomic_path

SCALE = "Viridis"
COLOURS = ("#3b6ea5", "#e08a1e", "#4c9f70", "#b5485d", "#7a5aa6", "#8a7356", "#4aa3b5", "#6b6b6b")
GOOD, BAD = "#1b9e77", "#d95f02"  # told apart by the colour-blind too
OBJECT_COLOUR, POINT_COLOUR = "#b8bec6", "#87909b"
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
_CONFIG = {"displaylogo": False, "responsive": True, "showSendToCloud": False}
_FORWARD = np.array([-0.55, 0.68, -0.48])  # of the small pictures, in the object frame
_RIGHT = np.cross(_FORWARD, [0, 0, 1.0])
_FROM_ABOVE = np.stack(
    [v / np.linalg.norm(v) for v in (_RIGHT, np.cross(_FORWARD, _RIGHT), _FORWARD)]
)
# The hand as a fork drawn in one stroke: tip, finger, palm, stem to the flange and back, palm,
# finger, tip.
FORK = np.array(
    [
        [MAX_OPENING / 2, 0, TIP_Z],
        [MAX_OPENING / 2, 0, FINGER_MOUNT],
        [0, 0, FINGER_MOUNT],
        [0, 0, 0],
        [0, 0, FINGER_MOUNT],
        [-MAX_OPENING / 2, 0, FINGER_MOUNT],
        [-MAX_OPENING / 2, 0, TIP_Z],
    ]
)


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


def heat_map(values, extent, x_title, y_title, label, title=None):
    """Values (n, m), x along the first axis, over extent (x_low, x_high, y_low, y_high), with the
    contour of zero; equal axes.

    White is zero, red what is less and blue what is more, both full at the extremes; `label` (give
    its unit) names the bar.
    """
    x, y = (
        np.linspace(low, high, count)
        for low, high, count in zip(extent[::2], extent[1::2], values.shape, strict=True)
    )
    low, high = min(float(values.min()), -1e-9), max(float(values.max()), 1e-9)
    scale = [[0.0, "#b2182b"], [low / (low - high), "#f7f7f7"], [1.0, "#2166ac"]]
    values = np.asarray(values.T, np.float32)
    figure = go.Figure(
        go.Heatmap(
            x=x, y=y, z=values, colorscale=scale, zmin=low, zmax=high, colorbar={"title": label}
        )
    )
    surface = {"start": 0, "end": 0, "coloring": "none"}
    figure.add_contour(
        x=x,
        y=y,
        z=values,
        contours=surface,
        line={"width": 2, "color": "black"},
        showscale=False,
        hoverinfo="skip",
        name="surface",
    )
    _plain(figure, x_title, y_title, title).update_xaxes(constrain="domain", showgrid=False)
    return figure.update_yaxes(scaleanchor="x", constrain="domain", showgrid=False).update_layout(
        height=520
    )


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


def curves(
    lines, x_title, y_title, bands=None, log_y=False, unit_square=False, markers=False, title=None
):
    """Curves by name -> (x, y).

    bands: name -> (low, high), intervals drawn around the curve of that name; unit_square: both
    axes from 0 to 1.
    """
    figure = go.Figure()
    for i, (name, (x, y)) in enumerate(lines.items()):
        x, colour = np.asarray(x, np.float32), COLOURS[i % len(COLOURS)]
        if name in (bands or {}):
            low, high = (np.asarray(edge, np.float32) for edge in bands[name])
            figure.add_scatter(
                x=np.concatenate([x, x[::-1]]),
                y=np.concatenate([high, low[::-1]]),
                mode="lines",
                fill="toself",
                fillcolor=f"rgba{(*hex_to_rgb(colour), 0.18)}",
                line={"width": 0},
                hoverinfo="skip",
                showlegend=False,
                legendgroup=name,
            )
        mode = "lines+markers" if markers else "lines"
        figure.add_scatter(
            x=x,
            y=np.asarray(y, np.float32),
            name=name,
            mode=mode,
            line={"color": colour},
            legendgroup=name,
        )
    figure.update_yaxes(
        type="log" if log_y else "linear", exponentformat="power" if log_y else "none"
    )
    if unit_square:
        figure.update_xaxes(range=[0, 1.02])
        figure.update_yaxes(range=[0, 1.02])
    return _plain(figure, x_title, y_title, title)


def bars(groups, categories, y_title, intervals=None, x_title=None, title=None):
    """Bars side by side: series name -> value for each category; intervals: series name -> (low,
    high) of each value.
    """
    figure = go.Figure()
    for i, (name, values) in enumerate(groups.items()):
        values = np.asarray(values, float)
        error = None
        if name in (intervals or {}):
            low, high = (np.asarray(edge, float) for edge in intervals[name])
            error = {
                "type": "data",
                "symmetric": False,
                "array": high - values,
                "arrayminus": values - low,
                "color": "#444",
            }
        figure.add_bar(
            name=name,
            x=list(categories),
            y=values,
            error_y=error,
            marker_color=COLOURS[i % len(COLOURS)],
        )
    return _plain(figure, x_title, y_title, title)


def funnel(stages, title=None):
    """What is left at each stage: series name -> {stage: count}, as shares of the first stage with
    the counts beside.
    """
    figure = go.Figure()
    for i, (name, counts) in enumerate(stages.items()):
        numbers = np.array(list(counts.values()), float)
        figure.add_bar(
            name=name,
            y=list(counts),
            x=numbers / numbers[0],
            orientation="h",
            text=[f"{n:,.0f}" for n in numbers],
            textposition="outside",
            cliponaxis=False,
            marker_color=COLOURS[i % len(COLOURS)],
        )
    order = max((list(counts) for counts in stages.values()), key=len)
    figure.update_yaxes(categoryorder="array", categoryarray=order[::-1])
    figure.update_xaxes(range=[0, 1.15], tickformat=".0%")
    return _plain(figure, "share of the first stage", None, title)


def histogram(groups, x_title, bins=40, title=None):
    """Distributions by name -> values (N,), overlaid, as shares of their own number; bins span all
    of them.
    """
    everything = np.concatenate([np.asarray(values, float) for values in groups.values()])
    edges = np.linspace(everything.min(), everything.max() or 1.0, bins + 1)
    figure = go.Figure()
    for i, (name, values) in enumerate(groups.items()):
        share = np.histogram(values, edges)[0] / max(len(values), 1)
        centres = (edges[:-1] + edges[1:]) / 2
        figure.add_bar(
            name=name,
            x=centres,
            y=share,
            width=np.diff(edges),
            opacity=0.65,
            marker_color=COLOURS[i % len(COLOURS)],
        )
    figure.update_layout(barmode="overlay")
    return _plain(figure, x_title, "share", title)


def write_view(path, figures, title, text=""):
    """Write one HTML page of figures that turns with no network: plotly's script is inside.

    figures: one plotly figure or a list; text: a paragraph under the title. Raises OutputError
    where it cannot be written.
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


def thumbnail_svg(
    path, mesh=None, cloud=None, poses=None, values=None, view_T_object=None, size=(360, 240)
):
    """Draw a small picture without a screen: shaded faces, points and forks, sorted from back to
    front.

    mesh: a trimesh; cloud: (M, 3); poses: (N, 4, 4), coloured by values (N,) in 0 … 1.
    view_T_object: the rotation (4, 4) to a frame with x right, y down, z away from the viewer; from
    above at an angle if omitted. Lengths fit the picture.
    """
    rotation = (_FROM_ABOVE if view_T_object is None else np.asarray(view_T_object)[:3, :3]).T
    shapes = []  # (depth, corners (k, 2), svg attributes)
    if mesh is not None:
        corners, normals = mesh.triangles @ rotation, mesh.face_normals @ rotation
        shade = np.clip(normals @ [-0.4, -0.6, -0.7], 0, 1)
        for triangle, light, facing in zip(corners, shade, normals[:, 2] < 0, strict=True):
            if facing:
                grey = "".join(f"{part + int(100 * light):02x}" for part in (120, 130, 142))
                shapes.append((triangle[:, 2].mean(), triangle[:, :2], f'color="#{grey}"'))
    if cloud is not None:
        for point in np.asarray(cloud) @ rotation:
            shapes.append((point[2], point[None, :2], f'fill="{POINT_COLOUR}" stroke="none"'))
    if poses is not None and len(poses):
        share = np.ones(len(poses)) if values is None else np.clip(np.asarray(values, float), 0, 1)
        colours = sample_colorscale(SCALE, 0.9 * share)  # its brightest yellow is lost on white
        for fork, colour in zip(
            transform(np.asarray(poses), FORK) @ rotation, colours, strict=True
        ):
            shapes.append(
                (
                    fork[:, 2].mean(),
                    fork[:, :2],
                    f'fill="none" stroke="{colour}" stroke-width="1.6"',
                )
            )
    everything = np.concatenate([corners for _, corners, _ in shapes])
    low, high = everything.min(axis=0), everything.max(axis=0)
    scale = 0.92 * np.min(np.array(size) / np.maximum(high - low, 1e-9))
    drawn = []
    for _, corners, look in sorted(shapes, key=lambda shape: -shape[0]):
        xy = (corners - (low + high) / 2) * scale + np.array(size) / 2
        if len(xy) == 1:
            drawn.append(f'<circle cx="{xy[0, 0]:.1f}" cy="{xy[0, 1]:.1f}" r="1.3" {look}/>')
        else:
            points = " ".join(f"{x:.1f},{y:.1f}" for x, y in xy)
            drawn.append(f'<{"polygon" if len(xy) == 3 else "polyline"} points="{points}" {look}/>')
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}"'
        f' width="{size[0]}" height="{size[1]}" '
    )
    head += (  # said once: a mesh has thousands of triangles
        'fill="currentColor" stroke="currentColor" stroke-width="0.4">'
    )
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join([head, *drawn, "</svg>"]) + "\n")


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


def _plain(figure, x_title, y_title, title):
    """Axis titles, margins and the white template of a two-dimensional figure."""
    figure.update_layout(
        template="plotly_white",
        title=title,
        height=420,
        margin={"l": 60, "r": 20, "b": 50, "t": 50 if title else 20},
        xaxis_title=x_title,
        yaxis_title=y_title,
    )
    return figure
