"""Real captures: depth images and point clouds from files, and the object in them.

Files: `.npz` with `depth` (H, W) in metres (NaN or 0 where nothing was measured) and `K` (3, 3),
optionally `rgb` (H, W, 3) and `object_points` (M, 3); or a point cloud in metres, `.ply`, `.pcd`,
`.npy` (M, 3) or `.npz` with `points`. Everything is in the camera frame (x right, y down, z
forward).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from graspbook.errors import CaptureError
from graspbook.perception.camera import backproject

SUFFIXES = (".npz", ".npy", ".ply", ".pcd")
# A cloud no longer than this is an object alone, and no cluster longer than this is one object.
OBJECT_EXTENT = 0.4
FEWEST_POINTS = 50
PLANE_DISTANCE = 0.006  # of noise around a plane, metres
_HYPOTHESES, _SAMPLE = 500, 8000  # of the search for a plane


@dataclass(frozen=True)
class Capture:
    """What one file shows, in the camera frame and metres.

    points: (M, 3) on the object.
    scene: (K, 3) all that was measured, the object included.
    rgb: (H, W, 3) uint8 or None.
    """

    points: np.ndarray
    scene: np.ndarray
    rgb: np.ndarray | None = None


def load_capture(path: Path | str, scale: float = 1.0) -> Capture:
    """Load a depth capture or a point cloud and find the object in it.

    The object is `object_points` where the file has them, the whole cloud where that is no longer
    than 0.4 m, and else what `extract_object` finds. Raises CaptureError when the file is missing,
    unreadable or of another kind, when arrays have wrong shapes, and when there are no points.

    path: of one of SUFFIXES.
    scale: factor from the file's units to metres.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise CaptureError(
            f"{path}: unknown kind of capture {path.suffix!r}; expected one of"
            f" {', '.join(SUFFIXES)}"
        )
    if not path.is_file():
        raise CaptureError(f"{path}: no such capture file")
    try:
        content = _READERS[path.suffix.lower()](path)
        lengths = {"depth", "points", "object_points"} & set(content)
        content |= {name: scale * content[name] for name in lengths}
    except CaptureError:
        raise
    except Exception as error:  # the readers raise whatever their format's parser raises
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise CaptureError(f"{path}: not a readable {path.suffix} file ({reason})") from error
    rgb = None
    if "depth" in content:
        scene, rgb = _depth_points(path, content), content.get("rgb")
        if rgb is not None and rgb.shape != (*content["depth"].shape, 3):
            raise CaptureError(
                f"{path}: rgb has shape {rgb.shape}, expected {(*content['depth'].shape, 3)} like"
                " depth"
            )
    elif "points" in content:
        scene = _cloud(path, "points", content["points"])
    else:
        raise CaptureError(
            f"{path}: expected the arrays depth and K, or points; found"
            f" {', '.join(content) or 'none'}"
        )
    if "object_points" in content:
        return Capture(_cloud(path, "object_points", content["object_points"]), scene, rgb)
    if "depth" not in content and np.ptp(scene, axis=0).max() <= OBJECT_EXTENT:
        return Capture(scene, scene)
    try:
        return Capture(extract_object(scene), scene, rgb)
    except CaptureError as error:
        raise CaptureError(f"{path}: {error}") from error


def extract_object(points: np.ndarray) -> np.ndarray:
    """Points (M, 3) of the object that stands on the dominant plane of a scene.

    The largest plane (RANSAC, then least squares) and all behind it, seen from the camera, are
    removed if it holds a fifth of the points. The rest falls into clusters wherever there is a gap
    of about 2 cm. Clusters longer than 0.4 m or of fewer than 50 points are not objects. Of those
    with at least a quarter of the points of the largest, the one nearest the optical axis is taken:
    the camera was pointed at it. Raises CaptureError when none is left.

    points: (K, 3) of the scene, camera frame, metres.
    """
    normal, offset, share = dominant_plane(points, np.random.default_rng(0))
    above = points[points @ normal + offset > PLANE_DISTANCE] if share > 0.2 else points
    labels = clusters(above)
    found = []
    for label in range(labels.max(initial=-1) + 1):
        cluster = above[labels == label]
        if len(cluster) >= FEWEST_POINTS and np.ptp(cluster, axis=0).max() <= OBJECT_EXTENT:
            found.append(cluster)
    if not found:
        raise CaptureError(
            f"no object of {FEWEST_POINTS} points or more stands out among {len(points)} points"
        )
    largest = max(len(cluster) for cluster in found)
    centres = [cluster.mean(axis=0) for cluster in found]
    off_axis = [
        np.hypot(*centre[:2]) / centre[2] if len(cluster) >= largest / 4 else np.inf
        for centre, cluster in zip(centres, found, strict=True)
    ]
    return found[int(np.argmin(off_axis))]


def dominant_plane(points: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, float, float]:
    """The largest plane: unit normal (3,) towards the origin, offset, and share of the points.

    n · p + offset is 0 on the plane. RANSAC with 500 hypotheses on at most 8000 of the points, then
    least squares on those of them that lie within 6 mm of the best plane.

    points: (K, 3) metres.
    rng: draws hypotheses.
    """
    if len(points) < 3:
        return np.array([0, 0, 1.0]), 0.0, 0.0
    few = points[rng.choice(len(points), min(_SAMPLE, len(points)), replace=False)]
    a, b, c = few[rng.integers(len(few), size=(3, _HYPOTHESES))]
    normals = np.cross(b - a, c - a)
    length = np.linalg.norm(normals, axis=1)
    normals /= np.maximum(length, 1e-12)[:, None]
    on_plane = np.abs(few @ normals.T - np.einsum("ij,ij->i", normals, a)) < PLANE_DISTANCE
    # A point drawn twice, or three in a line, span no plane, yet every point would lie on it.
    on_plane &= length > 1e-10
    if not on_plane.any():
        return np.array([0, 0, 1.0]), 0.0, 0.0
    best = few[on_plane[:, np.argmax(on_plane.sum(axis=0))]]
    centre = best.mean(axis=0)
    normal = np.linalg.svd(best - centre, full_matrices=False)[2][2]
    normal *= np.sign(-centre @ normal) or 1.0
    return normal, -float(centre @ normal), len(best) / len(few)


def clusters(points: np.ndarray, gap: float = 0.02) -> np.ndarray:
    """Label (M,) of the connected cluster of each point.

    Voxels of gap / 2.5 belong together within the gap.

    points: (M, 3) metres.
    gap: metres.
    """
    if not len(points):
        return np.zeros(0, int)
    cells = np.floor(points / (gap / 2.5)).astype(int)
    voxels, voxel_of_point = np.unique(cells, axis=0, return_inverse=True)
    pairs = cKDTree(voxels).query_pairs(2.5, output_type="ndarray")
    graph = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(len(voxels), len(voxels)))
    return connected_components(graph, directed=False)[1][voxel_of_point.ravel()]


def _depth_points(path, content):
    depth = content["depth"]
    if depth.ndim != 2:
        raise CaptureError(f"{path}: depth has shape {depth.shape}, expected (H, W)")
    if "K" not in content:
        raise CaptureError(
            f"{path}: no camera matrix K (3, 3) beside depth; found {', '.join(content)}"
        )
    K = np.asarray(content["K"], float)
    if K.shape != (3, 3) or not np.isfinite(K).all() or K[0, 0] <= 0 or K[1, 1] <= 0:
        raise CaptureError(
            f"{path}: K is not a camera matrix (3, 3) with positive focal lengths: {K.tolist()}"
        )
    depth = np.where(np.isfinite(depth), depth, 0).astype(float)
    measured = depth[depth > 0]
    if not len(measured):
        raise CaptureError(
            f"{path}: no pixel of the {depth.shape[1]} x {depth.shape[0]} depth image has a depth"
        )
    _check_metres(path, "depth", np.median(measured))
    return backproject(depth, K)


def _cloud(path, name, points):
    if points.ndim != 2 or points.shape[1] != 3:
        raise CaptureError(f"{path}: {name} has shape {points.shape}, expected (M, 3)")
    kept = points[np.isfinite(points).all(axis=1)].astype(float)
    if len(kept) < FEWEST_POINTS:
        raise CaptureError(
            f"{path}: {len(kept)} of {len(points)} {name} are finite, expected at least"
            f" {FEWEST_POINTS}"
        )
    _check_metres(path, name, np.median(np.linalg.norm(kept, axis=1)))
    return kept


def _check_metres(path, name, typical):
    if typical > 20:
        raise CaptureError(
            f"{path}: {name} is about {typical:.4g} from the camera, expected metres; are these"
            " millimetres?"
        )


def _read_npz(path):
    with np.load(path) as stored:
        return {name: stored[name] for name in stored.files}


def _read_npy(path):
    return {"points": np.load(path)}


def _read_ply(path):
    loaded = trimesh.load_scene(path, process=False)
    return {"points": np.concatenate([np.asarray(g.vertices) for g in loaded.geometry.values()])}


def _read_pcd(path):
    """Point cloud of a PCD 0.7 file, ascii or binary (PCL's "The PCD file format")."""
    header, raw = {}, path.read_bytes()
    start = 0
    while "DATA" not in header:
        end = raw.index(b"\n", start)
        key, *values = raw[start:end].decode("ascii").split() or ["#"]
        header[key] = values
        start = end + 1
    if header["DATA"] not in (["ascii"], ["binary"]):
        raise CaptureError(
            f"{path}: PCD data is {' '.join(header['DATA'])}, expected ascii or binary"
        )
    counts = header.get("COUNT", ["1"] * len(header["FIELDS"]))
    kinds = {"F": "f", "I": "i", "U": "u"}
    names = [name if name in "xyz" else f"{i}:{name}" for i, name in enumerate(header["FIELDS"])]
    columns = zip(names, header["TYPE"], header["SIZE"], counts, strict=True)
    layout = np.dtype([(n, f"<{kinds[t]}{s}", (int(c),)) for n, t, s, c in columns])
    number = int(header["POINTS"][0])
    if header["DATA"] == ["binary"]:
        rows = np.frombuffer(raw, layout, number, start)
        return {"points": np.stack([rows[axis][:, 0] for axis in "xyz"], axis=1).astype(float)}
    starts = np.cumsum([0, *map(int, counts)])
    table = np.array(raw[start:].split(), dtype=float).reshape(number, starts[-1])
    return {"points": table[:, [starts[names.index(axis)] for axis in "xyz"]]}


_READERS = {".npz": _read_npz, ".npy": _read_npy, ".ply": _read_ply, ".pcd": _read_pcd}
