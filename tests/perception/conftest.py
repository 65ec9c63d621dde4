"""Made-up scenes: simple objects as a depth camera sees them, with the truth of each pixel."""

from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import trimesh
from scipy.ndimage import gaussian_filter
from scipy.spatial import ConvexHull, cKDTree

from graspbook.objects.families import make_shape
from graspbook.perception.arc import views_on_arc
from graspbook.perception.camera import DepthRenderer, backproject
from graspbook.perception.camera_frame import looking_at
from graspbook.perception.depth_sensor import d415, measure
from graspbook.pose import inverse

SHAPES = ("box", "cylinder", "bowl", "bottle", "mug")
KINDS = (
    *("table", "clutter", "down", "upside", "alone", "room", "wall", "pair", "touch"),
    *("tote", "flat", "glass", "glass3", "mug"),
)


def block(low, high):
    """A box between two corners."""
    return trimesh.creation.box(bounds=[low, high])


def shape(rng, families=SHAPES):
    """A random object on z = 0, turned about z."""
    mesh = make_shape(str(rng.choice(families)), rng).mesh.copy()
    mesh.apply_transform(
        trimesh.transformations.rotation_matrix(rng.uniform(0, 2 * np.pi), [0, 0, 1])
    )
    return mesh


def outline(mesh):
    """Points (N, 2), about 1 mm apart, around what a mesh covers of the table."""
    corners = mesh.vertices[:, :2]
    corners = corners[ConvexHull(corners).vertices]
    ends = np.roll(corners, -1, axis=0)
    share = np.linspace(0, 1, 60)[:, None, None]
    return (corners + share * (ends - corners)).reshape(-1, 2)


def put_beside(mesh, other, gap, rng):
    """Move `other` along a random direction until its outline is `gap` away from that of `mesh`."""
    angle = rng.uniform(0, 2 * np.pi)
    step, tree = np.array([np.cos(angle), np.sin(angle)]), cKDTree(outline(mesh))
    around, far = outline(other), 0.4
    while far > 0 and tree.query(around + far * step)[0].min() > gap:
        far -= 0.001
    other.apply_translation([*(far * step), 0])


def bodies_of(kind, rng):
    """The wanted mesh and all others, by kind."""
    families = ("mug",) if kind == "mug" else SHAPES
    wanted, board = shape(rng, families), block([-0.8, -0.8, -0.02], [0.8, 0.8, 0])
    if kind == "flat":
        half = rng.uniform([0.03, 0.02], [0.05, 0.04])
        wanted = block([*-half, 0], [*half, rng.uniform(0.0045, 0.0055)])
    if kind in ("alone", "room"):
        walls = [block([-3, rng.uniform(0.4, 1.2), -3], [3, 1.3, 3])]
        return wanted, walls if kind == "room" else []
    if kind == "wall":
        half = rng.uniform(0.12, 0.2)
        table = block([-half, -half, -0.02], [half, half, 0])
        back = half + rng.uniform(0.03, 0.3)
        floor = block([-3, -3, -0.75], [3, 3, -0.7])
        return wanted, [table, block([-3, back, -0.7], [3, back + 0.1, 3]), floor]
    others = [board]
    if kind in ("pair", "touch"):
        others.append(shape(rng))
        put_beside(wanted, others[1], 0.015 if kind == "pair" else 0.002, rng)
    if kind == "clutter":
        for _ in range(3):
            others.append(shape(rng))
            put_beside(trimesh.util.concatenate([wanted, *others[1:-1]]), others[-1], 0.05, rng)
    if kind == "tote":
        (x, y), z = rng.uniform([0.13, 0.1], [0.19, 0.15]), rng.uniform(0.08, 0.18)
        for low, high in (
            ([-x, -y, -0.004], [x, y, 0]),
            ([-x, -y, 0], [x, -y + 0.004, z]),
            ([-x, y - 0.004, 0], [x, y, z]),
            ([-x, -y, 0], [-x + 0.004, y, z]),
            ([x - 0.004, -y, 0], [x, y, z]),
        ):
            others.append(block(low, high))
        board.apply_translation([0, 0, -0.004])
        free = np.maximum([x, y] - np.abs(wanted.bounds[:, :2]).max(axis=0) - 0.01, 0)
        shift = [*rng.uniform(-free, free), 0]
        for mesh in others:
            mesh.apply_translation(shift)
    return wanted, others


def camera_of(kind, wanted, rng):
    """`world_T_camera`: it looks at about the object."""
    ranges = {"wall": (8, 25), "tote": (50, 85), "room": (-20, 40)}
    low, high = (90, 90) if kind in ("down", "mug") else ranges.get(kind, (30, 60))
    up, side = np.deg2rad(rng.uniform(low, high)), np.deg2rad(rng.uniform(-20, 20))
    target = wanted.bounds.mean(axis=0) + rng.uniform(-0.02, 0.02, 3)
    away = np.array([np.cos(up) * np.sin(side), -np.cos(up) * np.cos(side), np.sin(up)])
    pose = looking_at(target + rng.uniform(0.45, 0.65) * away, target)
    if kind == "upside":
        pose[:3, :2] *= -1
    return pose


def transparent(depth, truth, behind, rng, *, kept):
    """Depth of an object that keeps its own in some patches: else none, or what is behind."""
    patches = gaussian_filter(rng.standard_normal(depth.shape), 4)
    which = truth & (patches < np.quantile(patches[truth], 1 - kept))
    through = gaussian_filter(rng.standard_normal(depth.shape), 6) > 0
    depth[which] = np.where(through, behind, np.nan)[which]
    return truth & ~which


@cache
def make_scene(kind, seed, size=(640, 480)):
    """One scene: `depth` (H, W) metres, NaN holes, `K`, and which pixels are the `wanted` object's.

    kind: one of KINDS.
    """
    rng = np.random.default_rng([KINDS.index(kind), seed])
    wanted, others = bodies_of(kind, rng)
    sensor, camera_T_world = d415(*size), inverse(camera_of(kind, wanted, rng))
    own, *rest = (
        DepthRenderer(mesh).depth(sensor.camera, camera_T_world) for mesh in (wanted, *others)
    )
    behind = np.fmin.reduce(rest) if rest else np.full_like(own, np.nan)
    exact = np.fmin(own, behind)
    depth = measure(sensor, exact, rng)
    truth = region = np.isfinite(own) & (own <= exact)
    if kind.startswith("glass"):
        empty = measure(sensor, behind, rng)
        kept = 0.03 if kind == "glass3" else rng.uniform(0.15, 0.6)
        truth = transparent(depth, truth, empty, rng, kept=kept)
    return SimpleNamespace(
        depth=depth, K=sensor.camera.K, wanted=truth & np.isfinite(depth), region=region
    )


def judge(scene, found):
    """Share of the found points that are the object's, and share of the object's that are found."""
    pixels = np.rint((found @ scene.K.T)[:, :2] / found[:, 2:]).astype(int)
    hits = scene.wanted[pixels[:, 1], pixels[:, 0]].sum()
    return hits / max(len(found), 1), hits / max(scene.wanted.sum(), 1)


@pytest.fixture(scope="session")
def scenes():
    """`make(kind, seed)`, `points(scene)` and `judge(scene, found)` of made-up scenes."""
    return SimpleNamespace(
        make=make_scene,
        points=lambda scene: backproject(scene.depth, scene.K),
        judge=judge,
        kinds=KINDS,
    )


@pytest.fixture(scope="session")
def mug():
    """A mug that stands on z = 0."""
    mesh = make_shape("mug", np.random.default_rng(1)).mesh.copy()
    mesh.apply_translation([0, 0, -mesh.bounds[0, 2]])
    return mesh


@pytest.fixture(scope="session")
def mug_views(mug):
    """Six noisy views of the mug on a table, with exact poses."""
    return views_on_arc(mug, 6, np.random.default_rng(0))
