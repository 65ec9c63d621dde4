import numpy as np
import pytest

from graspbook.errors import GraspFileError, ParameterError
from graspbook.graspnet.baselines.gpd import GpdSettings
from graspbook.graspnet.experiments import (
    Variant,
    evaluate_variants,
    kept_back,
    network_settings,
    per_family,
    train_task,
)
from graspbook.graspnet.predict import PredictSettings
from graspbook.graspnet.views import evaluate_view
from graspbook.objects.sets import FamilySet
from graspbook.training import TrainSettings

SIZES = {"width": 1.0, "points": 1024, "neighbours": [64, 128], "latent": 2, "kl_weight": 0.01}
TINY = {**SIZES, "width": 0.1, "points": 128, "neighbours": [8, 8], "probed": 256}


def test_presets_differ_where_paper_and_released_code_do():
    paper, paper_evaluator = network_settings("paper", **SIZES)
    released, _ = network_settings("released", **SIZES)
    ours, our_evaluator = network_settings(
        "ours", width=0.25, points=512, neighbours=[16, 16], latent=2, kl_weight=0.003
    )
    assert not paper.confidence and released.confidence and not ours.confidence
    assert paper.backbone.normalisation == "none" and released.backbone.normalisation == "batch"
    assert (
        paper.conditioning == released.conditioning == "per_point" and ours.conditioning == "shared"
    )
    assert paper_evaluator.representation == "unified" and our_evaluator.representation == "probes"
    assert (
        paper_evaluator.points == 1024
        and our_evaluator.points == 2048
        and our_evaluator.backbone.points == 512
    )
    assert (paper.backbone.centroids, paper.backbone.radii) == ((128, 32), (0.02, 0.04))


def test_the_last_of_each_family_of_three_is_kept_back():
    assert kept_back(["box_0000", "box_0002", "box_0009", "mug_0000", "mug_0001"]) == ["box_0009"]


def test_unknown_network():
    with pytest.raises(
        ParameterError,
        match="network 'theirs', expected one of paper, released, paper_shared, ours",
    ):
        network_settings("theirs", **SIZES)


def test_first_objects_of_each_family():
    names = ["box_0000", "box_0003", "mug_0001", "mug_0002", "mug_0004", "ball_0000"]
    assert per_family(names, 2) == ["box_0000", "box_0003", "mug_0001", "mug_0002", "ball_0000"]
    assert per_family(names, {"mug": 2, "box": 1}) == ["mug_0001", "mug_0002", "box_0000"]
    with pytest.raises(
        ParameterError,
        match="2 objects of family 'ball', expected at most 1; the objects are box_0000, ",
    ):
        per_family(names, {"mug": 1, "ball": 2})
    with pytest.raises(ParameterError, match="1 objects of family 'jug', expected at most 0"):
        per_family(names, {"jug": 1})


def test_variants_are_evaluated_on_the_same_views_and_found_again(weights, tmp_path):
    objects = FamilySet({"box": 2}, held_out_fraction=0.5)
    (name,) = objects.names("held_out")
    usual = PredictSettings(4, steps=1)
    uniform = PredictSettings(4, "uniform", steps=1)
    variants = {
        "one": Variant(weights, usual, [0, 1], 2),
        "other": Variant(weights, uniform, [0], 1),
    }
    run = {"seed": 5, "folder": tmp_path, "workers": 1}
    found = evaluate_variants(variants, objects, [name], **run)
    assert {key: [len(v) for v in by.values()] for key, by in found.items()} == {
        "one": [2],
        "other": [1],
    }
    assert np.array_equal(found["one"][name][0].cloud, found["other"][name][0].cloud)
    numbers = {"settings": usual, "steps": [0, 1], "seed": 5, "path": tmp_path / "direct.npz"}
    direct = evaluate_view(objects, name, 1, weights=weights, **numbers)
    assert np.array_equal(direct.scores, found["one"][name][1].scores)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
    evaluate_variants(variants, objects, [name], **run)
    assert (
        written == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
        and len(written) == 4
    )


@pytest.mark.parametrize(
    ("network", "settings", "message"),
    [
        ("gpd", GpdSettings(), "0 GPD candidates"),
        (
            "sampler",
            network_settings("ours", **TINY)[0],
            "a positive grasp",
        ),
        (
            "evaluator",
            network_settings("ours", **TINY)[1],
            "hard negative",
        ),
    ],
)
def test_each_network_is_trained_on_its_own_data(network, settings, message, tmp_path):
    with pytest.raises(GraspFileError, match=message):
        train_task(network, [], settings, train_settings=TrainSettings(1), weights=tmp_path / "w")
