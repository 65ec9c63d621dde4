"""A small picture of a scene as SVG, drawn without a screen."""

from pathlib import Path

import numpy as np
import trimesh
from plotly.colors import sample_colorscale

from graspbook.figures.style import FORK, POINT_COLOUR, SCALE
from graspbook.pose import transform
from graspbook.storage import atomic_path

_FORWARD = np.array([-0.55, 0.68, -0.48])  # of the small pictures, in the object frame

_RIGHT = np.cross(_FORWARD, [0, 0, 1.0])

_FROM_ABOVE = np.stack(
    [v / np.linalg.norm(v) for v in (_RIGHT, np.cross(_FORWARD, _RIGHT), _FORWARD)]
)


def thumbnail_svg(
    path: Path | str,
    mesh: trimesh.Trimesh | None = None,
    cloud: np.ndarray | None = None,
    poses: np.ndarray | None = None,
    values: np.ndarray | None = None,
    *,
    view_T_object: np.ndarray | None = None,
    size: tuple[int, int] = (360, 240),
) -> None:
    """Draw a small picture without a screen: shaded faces, points and forks, from back to front.

    Lengths fit the picture.

    path: of the picture file to write.
    mesh: drawn shaded, in the frame of the poses, metres.
    cloud: (M, 3) points, in the frame of the poses, metres.
    poses: (N, 4, 4) of the hand, in the frame of the cloud.
    values: (N,) in 0 … 1, for the forks' colours.
    view_T_object: the rotation (4, 4) to a frame with x right, y down, z away from the viewer; from
        above at an angle if omitted.
    size: width and height, pixels.

    Raises OutputError.
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
        colours = sample_colorscale(
            SCALE, 0.9 * share
        )  # its brightest yellow is invisible on white
        forks = transform(np.asarray(poses), FORK) @ rotation
        for fork, colour in zip(forks, colours, strict=True):
            look = f'fill="none" stroke="{colour}" stroke-width="1.6"'
            shapes.append((fork[:, 2].mean(), fork[:, :2], look))
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
    head += (  # written once: a mesh has thousands of triangles
        'fill="currentColor" stroke="currentColor" stroke-width="0.4">'
    )
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join([head, *drawn, "</svg>"]) + "\n")
