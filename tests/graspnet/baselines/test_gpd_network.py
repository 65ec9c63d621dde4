import json
from dataclasses import asdict

import numpy as np
import pytest
import torch

from graspbook import pose
from graspbook.errors import CaptureError, GraspFileError, WeightsError
from graspbook.graspnet.baselines.gpd import GpdSettings
from graspbook.graspnet.baselines.gpd_network import (
    GpdNetwork,
    candidate_rng,
    detect,
    label_candidates,
    load_gpd,
    read_candidates,
    score_images,
    train_gpd,
)
from graspbook.objects.sets import FamilySet
from graspbook.perception.camera import DepthRenderer, random_view
from graspbook.perception.degrade import degrade
from graspbook.storage import content_hash
from graspbook.training import TrainSettings
from graspbook.weights_files import save_weights

SETTINGS = GpdSettings()
BOXES = FamilySet({"box": 2}, held_out_fraction=0.0)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return GpdNetwork(SETTINGS).eval()


def view(points=1500):
    return DepthRenderer(BOXES.load("box_0000").mesh).observe(np.random.default_rng(0), points)[0]


def toy(path, n=40, seed=0, success=None):
    """A file of candidates with something along the approach: of successes in the middle, of
    failures beside it.
    """
    rng = np.random.default_rng(seed)
    success = rng.random(n) < 0.2 if success is None else np.full(n, success)
    images = np.zeros((n, 15, 60, 60), np.uint8)
    for image, good in zip(images, success, strict=True):
        row, column = rng.integers(0, 40), rng.integers(22, 26) if good else rng.choice([2, 46])
        image[10, row : row + 20, column : column + 12] = 255
    np.savez(
        path,
        images=images,
        success=success,
        parameters=json.dumps({"settings": asdict(SETTINGS), "seed": seed}),
    )
    return path


def test_detected_grasps_are_those_of_the_seed_by_falling_score(network):
    cloud = view()
    grasps, scores = detect(cloud, network, SETTINGS, 40, np.random.default_rng(1))
    again = detect(cloud, network, SETTINGS, 40, np.random.default_rng(1))
    other = detect(cloud, network, SETTINGS, 40, np.random.default_rng(2))
    assert grasps.shape == (40, 4, 4) and scores.shape == (40,)
    assert (
        (np.diff(scores) <= 0).all()
        and (scores > 0).all()
        and (scores < 1).all()
        and np.ptp(scores) > 0
    )
    np.testing.assert_array_equal(grasps, again[0])
    np.testing.assert_array_equal(scores, again[1])
    assert not np.array_equal(grasps, other[0])
    np.testing.assert_allclose(
        grasps[:, :3, :3] @ grasps[:, :3, :3].swapaxes(1, 2),
        np.tile(np.eye(3), (40, 1, 1)),
        atol=1e-9,
    )
    points = pose.transform(pose.inverse(grasps), cloud)
    assert (np.abs(points[..., 0]).min(axis=1) < 0.04).all()


def test_dense_clouds_are_thinned_and_sparse_ones_taken_whole(network):
    settings = GpdSettings(points=500)
    for points in (200, 4000):
        grasps, _ = detect(view(points), network, settings, 5, np.random.default_rng(0))
        assert len(grasps) == 5


def test_where_the_hand_finds_no_place_there_are_no_grasps(network):
    wall = np.stack(
        np.meshgrid(np.linspace(-0.4, 0.4, 50), np.linspace(-0.4, 0.4, 50), [1.0]), axis=-1
    ).reshape(-1, 3)
    grasps, scores = detect(
        wall, network, GpdSettings(orientations=1), 10, np.random.default_rng(0)
    )
    assert grasps.shape == (0, 4, 4) and scores.shape == (0,)


@pytest.mark.parametrize(
    "cloud",
    [
        np.zeros((0, 3)),
        np.zeros((29, 3)),
        np.full((100, 3), np.nan),
        np.zeros((100, 2)),
        np.append(np.zeros((9999, 3)), [[np.nan, 0, 0]], axis=0),
    ],
)
def test_clouds_that_cannot_be_used_are_refused(network, cloud):
    with pytest.raises(CaptureError):
        detect(cloud, network, SETTINGS, 10, np.random.default_rng(0))


def test_chunks_do_not_change_scores(network):
    images = np.random.default_rng(0).integers(0, 255, (7, 15, 60, 60), dtype=np.uint8)
    np.testing.assert_allclose(
        score_images(network, images), score_images(network, images, chunk=3), atol=1e-6
    )


def test_bfloat16_is_for_training_alone(monkeypatch):
    torch.manual_seed(0)
    network, images = (
        GpdNetwork(SETTINGS),
        torch.randint(0, 255, (8, 15, 60, 60), dtype=torch.uint8),
    )
    logits = {}
    for narrow in (True, False):
        monkeypatch.setattr(
            "graspbook.graspnet.baselines.gpd_network.multiplies_bfloat16",
            lambda kind, narrow=narrow: narrow,
        )
        logits |= {
            (narrow, training): network.train(training)(images).detach()
            for training in (True, False)
        }
    assert {found.dtype for found in logits.values()} == {torch.float32}
    np.testing.assert_array_equal(logits[True, False], logits[False, False])
    assert not np.array_equal(logits[True, True], logits[False, True])
    np.testing.assert_allclose(
        logits[True, True], logits[False, True], atol=0.01 + 0.02 * logits[False, True].abs().max()
    )


def test_labels_are_made_once_and_are_a_function_of_their_parameters(tmp_path):
    path = tmp_path / "a.npz"
    shape = {"views": 2, "per_view": 15, "noise": 0.001, "holes": 3, "seed": 3}
    counts = label_candidates(BOXES, "box_0000", path, SETTINGS, **shape)
    parameters, images, success = read_candidates(path)
    assert (
        images.shape == (30, 15, 60, 60)
        and images.dtype == np.uint8
        and counts["candidates"] == len(success) == 30
    )
    assert 0 < success.sum() == counts["successes"] < 30
    assert parameters["views"] == 2 and parameters["settings"] == asdict(SETTINGS)
    before = path.stat().st_mtime_ns
    assert (
        label_candidates(BOXES, "box_0000", path, SETTINGS, **shape) == counts
        and path.stat().st_mtime_ns == before
    )
    label_candidates(BOXES, "box_0000", tmp_path / "b.npz", SETTINGS, **shape)
    assert (tmp_path / "b.npz").read_bytes() == path.read_bytes()
    label_candidates(BOXES, "box_0001", path, SETTINGS, **shape)
    assert not np.array_equal(read_candidates(path)[1], images)


def test_each_object_is_seen_in_views_of_its_own_that_are_not_those_of_an_evaluation():
    mesh, seed = BOXES.load("box_0000").mesh, 0
    hashes = [int(content_hash(name)[:8], 16) for name in ("box_0000", "box_0001")]
    evaluated = [[seed, view] for view in range(5)] + [
        [seed, 2, view, tag] for view in range(5) for tag in hashes
    ]
    rngs = [candidate_rng(name, seed) for name in ("box_0000", "box_0001")]
    rngs += [np.random.default_rng(entropy) for entropy in evaluated]
    poses = np.array([random_view(mesh, rng)[:3, :3] for rng in rngs])
    turn = np.trace(poses[:, None] @ poses.swapaxes(1, 2), axis1=2, axis2=3)
    assert (turn[~np.eye(len(poses), dtype=bool)] < 3 - 1e-6).all()


def test_labels_are_of_those_views(tmp_path):
    class Twins(FamilySet):
        def load(self, name):
            return BOXES.load("box_0000")

    twins = Twins({"box": 2}, held_out_fraction=0.0)
    for name in ("box_0000", "box_0001"):
        path, shape = tmp_path / f"{name}.npz", {"views": 1, "per_view": 5, "seed": 0}
        label_candidates(twins, name, path, SETTINGS, noise=0.0, holes=0, **shape)
    first, second = (read_candidates(tmp_path / f"box_000{i}.npz")[1] for i in (0, 1))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(
    ("noise", "holes", "degraded"),
    [(0.001, 3, [{"noise": 0.001, "patches": 3}] * 2), (0.001, 0, []), (0.0, 0, [])],
)
def test_views_are_degraded_as_those_of_our_networks(noise, holes, degraded, tmp_path, monkeypatch):
    calls = []

    def recorded(cloud, n, rng, **how):
        calls.append(how)
        assert n == SETTINGS.points and len(np.unique(cloud, axis=0)) == len(cloud)
        return degrade(cloud, n, rng, **how)

    monkeypatch.setattr("graspbook.perception.degrade.degrade", recorded)
    shape = {"views": 2, "per_view": 3, "noise": noise, "holes": holes, "seed": 0}
    counts = label_candidates(BOXES, "box_0000", tmp_path / "a.npz", SETTINGS, **shape)
    assert counts["candidates"] == 6
    assert calls == degraded


def test_training_learns_what_images_show(tmp_path, monkeypatch):
    monkeypatch.setattr("graspbook.graspnet.baselines.gpd_network.BATCH", 16)
    files = [toy(tmp_path / f"{i}.npz", seed=i) for i in range(2)]
    history = train_gpd(
        files,
        SETTINGS,
        TrainSettings(20, 1e-3),
        tmp_path / "gpd.safetensors",
        tmp_path / "gpd.checkpoint",
    )
    assert len(history) == 20 and history[-1]["loss"] < history[0]["loss"]
    _, images, success = read_candidates(toy(tmp_path / "held_out.npz", seed=9))
    network = load_gpd(tmp_path / "gpd.safetensors")
    assert network.settings == SETTINGS
    assert ((score_images(network, images) > 0.5) == success).mean() > 0.9


def test_a_stopped_training_ends_with_the_same_bytes(tmp_path, monkeypatch):
    files, settings = [toy(tmp_path / "toy.npz")], TrainSettings(4, 1e-3, checkpoint_seconds=0.0)
    monkeypatch.setattr("graspbook.graspnet.baselines.gpd_network.BATCH", 8)
    whole = train_gpd(
        files, SETTINGS, settings, tmp_path / "whole.safetensors", tmp_path / "whole.checkpoint"
    )

    calls = []

    def stopping(*values, loss=torch.nn.functional.cross_entropy):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return loss(*values)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("torch.nn.functional.cross_entropy", stopping)
        train_gpd(
            files,
            SETTINGS,
            settings,
            tmp_path / "broken.safetensors",
            tmp_path / "broken.checkpoint",
        )
    assert (tmp_path / "broken.checkpoint").exists()
    resumed = train_gpd(
        files, SETTINGS, settings, tmp_path / "broken.safetensors", tmp_path / "broken.checkpoint"
    )
    assert resumed == whole
    assert (tmp_path / "whole.safetensors").read_bytes() == (
        tmp_path / "broken.safetensors"
    ).read_bytes()


def test_candidates_that_cannot_be_trained_on_are_refused(tmp_path):
    def train(*files, settings=SETTINGS):
        return train_gpd(
            files, settings, TrainSettings(1), tmp_path / "w.safetensors", tmp_path / "w.checkpoint"
        )

    good = toy(tmp_path / "good.npz")
    with pytest.raises(GraspFileError, match="0 GPD candidates in 0 files"):
        train()
    for success in (True, False):
        with pytest.raises(GraspFileError, match="both successes and failures"):
            train(toy(tmp_path / "one_class.npz", n=5, success=success))
    with pytest.raises(
        GraspFileError, match="drawn with.*'hand': 'franka'.*expected.*'hand': 'gpd'"
    ):
        train(good, settings=GpdSettings(hand="gpd"))
    with pytest.raises(GraspFileError, match="missing.npz"):
        train(good, tmp_path / "missing.npz")
    (tmp_path / "cut.npz").write_bytes(good.read_bytes()[:1000])
    with pytest.raises(GraspFileError, match="cut.npz: not a file of labelled"):
        train(tmp_path / "cut.npz")


def test_weights_of_another_network_are_refused(tmp_path):
    save_weights(tmp_path / "w.safetensors", torch.nn.Linear(1, 1), {"network": "sampler"})
    with pytest.raises(WeightsError, match="'sampler', expected 'gpd'"):
        load_gpd(tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match="no such weights file"):
        load_gpd(tmp_path / "none.safetensors")
