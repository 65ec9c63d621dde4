import json

import numpy as np
import pytest

from graspbook.errors import CaptureError
from graspbook.perception.view_files import read_views


@pytest.fixture
def files(tmp_path, mug_views):
    for i, view in enumerate(mug_views[:3]):
        np.savez(
            tmp_path / f"{i}.npz", depth=view.depth, K=view.K, world_T_camera=view.world_T_camera
        )
    return [tmp_path / f"{i}.npz" for i in range(3)]


def test_each_capture_has_its_pose(files, mug_views):
    views, notes = read_views(files)
    for one, other in zip(views, mug_views, strict=False):
        np.testing.assert_allclose(one.world_T_camera, other.world_T_camera)
        np.testing.assert_allclose(one.depth, other.depth, atol=1e-6)
    assert len(views[0].object_points) > 2000
    assert not any("file_T_camera" in note for note in notes)


@pytest.mark.parametrize("name", ["p.json", "p.npy", "p.txt"])
def test_a_file_has_all_poses(tmp_path, files, mug_views, name):
    poses = np.array([view.world_T_camera for view in mug_views[:3]]) + 0.0
    poses[:, 0, 3] += 1
    if name == "p.json":
        (tmp_path / name).write_text(json.dumps(poses.tolist()))
    elif name == "p.npy":
        np.save(tmp_path / name, poses)
    else:
        np.savetxt(tmp_path / name, poses.reshape(-1, 4))
    views, _ = read_views(files, tmp_path / name)
    np.testing.assert_allclose([view.world_T_camera for view in views], poses)


def test_a_single_view_needs_no_pose(tmp_path, mug_views):
    np.savez(tmp_path / "a.npz", depth=mug_views[0].depth, K=mug_views[0].K)
    ((view,), _) = read_views([tmp_path / "a.npz"])
    np.testing.assert_array_equal(view.world_T_camera, np.eye(4))


def test_poses_that_are_missing_or_none_are_refused(tmp_path, files, mug_views):
    np.savez(tmp_path / "a.npz", depth=mug_views[0].depth, K=mug_views[0].K)
    with pytest.raises(CaptureError, match=r"a.npz: it has no camera pose, expected .*world_T_cam"):
        read_views([files[0], tmp_path / "a.npz"])
    np.save(tmp_path / "two.npy", np.stack([np.eye(4)] * 2))
    with pytest.raises(CaptureError, match=r"shape \(2, 4, 4\), expected \(3, 4, 4\)"):
        read_views(files, tmp_path / "two.npy")
    np.save(tmp_path / "bad.npy", np.stack([np.eye(4), 2 * np.eye(4), np.eye(4)]))
    with pytest.raises(CaptureError, match=r"bad.npy: pose 2: not a pose"):
        read_views(files, tmp_path / "bad.npy")
    bad = {"depth": mug_views[0].depth, "K": mug_views[0].K, "camera_pose": np.ones(7)}
    np.savez(tmp_path / "b.npz", **bad)  # usable without its pose
    views, notes = read_views([tmp_path / "b.npz"])
    assert len(views) == 1 and any("camera_pose is not used" in note for note in notes)
    with pytest.raises(CaptureError, match="b.npz: it has no camera pose"):
        read_views([files[0], tmp_path / "b.npz"])
