from dataclasses import replace

import numpy as np
import pytest
import torch

from graspbook.errors import ParameterError
from graspbook.hands import pose_vector
from graspbook.hands.articulated import place
from graspbook.hands.library import load_hand
from graspbook.highdof.dataset import DataSettings, read_examples
from graspbook.highdof.descent import DescentSettings
from graspbook.highdof.experiments import (
    Variant,
    examples_file,
    never_chosen,
    relative_changes,
    residual_figures,
    residuals_by_object,
    train_variant,
)
from graspbook.highdof.planner import PlannerSettings
from graspbook.highdof.plans import plan_files, read_plan, write_plan
from graspbook.highdof.training import LossSettings
from graspbook.objects.rotations import STORED
from graspbook.objects.sets import FamilySet
from graspbook.training import TrainSettings
from graspbook.weights_files import load_weights

from .conftest import SIZES

FIGURES = (
    "l2",
    "translation",
    "rotation",
    "joints",
    "mean_l2",
    "consistency",
    "collision",
    "combined",
    "apart",
)
SETTINGS = DataSettings(16, 0.4, 32)


@pytest.fixture(scope="module")
def objects():
    return FamilySet({"box": 2, "ball": 1})


@pytest.fixture(scope="module")
def plans(objects, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plans")
    files = {name: folder / f"{name}.h5" for name in objects.names()}
    settings = PlannerSettings(3, search=DescentSettings(rounds=1, slides=2))
    plan_files(
        {name: objects.load(name).mesh for name in files}, files, "barrett", settings, workers=1
    )
    return files


@pytest.fixture(scope="module")
def file(objects, plans, tmp_path_factory):
    file = tmp_path_factory.mktemp("examples") / "examples.safetensors"
    examples_file(file, objects, plans, "barrett", SETTINGS, grasps=3, workers=1)
    return file


def test_examples_of_a_set_are_found_again_or_made_anew(objects, plans, file):
    examples = read_examples(file)
    assert list(examples.names) == objects.names() and examples.grids.shape == (3, 27, 16, 16, 16)
    moved = examples.grasps[0, STORED, :, :3] - torch.as_tensor(
        read_plan(plans[examples.names[0]]).states[:, :3]
    )
    torch.testing.assert_close(
        moved, moved[:1].expand(3, 3), atol=1e-6, rtol=0
    )  # about the centre of mass
    before = file.stat().st_mtime_ns
    examples_file(file, objects, plans, "barrett", SETTINGS, grasps=3, workers=1)
    assert file.stat().st_mtime_ns == before
    other, how = file.with_name("other.safetensors"), {"grasps": 3, "workers": 1}
    examples_file(other, objects, plans, "barrett", SETTINGS, grasps=3, workers=1)
    examples_file(other, objects, plans, "barrett", replace(SETTINGS, length=0.5), **how)
    assert read_examples(other).settings.length == 0.5
    with pytest.raises(
        ParameterError, match="box_0000: the object reaches .* m from .*, expected at most 0.025 m"
    ):
        examples_file(other, objects, plans, "barrett", replace(SETTINGS, length=0.05), **how)


def test_examples_of_tested_plans_hold(objects, plans, tmp_path):
    name, tested = objects.names()[0], tmp_path / "held.h5"
    plan = read_plan(plans[name])
    write_plan(tested, replace(plan, held=np.array([False, True, False])))
    file = tmp_path / "examples.safetensors"
    examples_file(file, objects, {name: tested}, "barrett", SETTINGS, grasps=2, workers=1)
    joints = read_examples(file).grasps[0, STORED, :, 7:]
    np.testing.assert_allclose(joints, np.repeat(plan.closed[1:2], 2, axis=0), atol=1e-6)


def test_variants_differ_by_what_they_say(objects, file, tmp_path):
    names, hand = objects.names()[:2], load_hand("barrett")
    base = Variant(SIZES, LossSettings("consistency"))
    first = tmp_path / "base.safetensors"
    variants = {
        "base": base,
        "fewer": replace(base, grasps=1),
        "still": replace(base, turned=False),
        "on": replace(base, init=str(first)),
    }
    hashes = {}
    for name, variant in variants.items():
        weights = tmp_path / f"{name}.safetensors"
        settings = TrainSettings(2, 1e-3)
        train_variant(hand.name, file, names, variant, settings=settings, weights=weights)
        tensors, parameters = load_weights(weights)
        assert parameters["joints"] == list(hand.joints) and ("init" in parameters) == (
            name == "on"
        )
        hashes[name] = tensors["head.1.weight"].numpy().tobytes()
    assert len(set(hashes.values())) == len(variants)


@pytest.fixture(scope="module")
def found(objects, file, tmp_path_factory):
    """Residuals of a network that hardly learned, for two objects."""
    weights = tmp_path_factory.mktemp("weights") / "w.safetensors"
    names = objects.names()[:2]
    settings = TrainSettings(2, 1e-3)
    train_variant("barrett", file, names, Variant(SIZES), settings=settings, weights=weights)
    return residuals_by_object("barrett", file, names, weights, fixed=1, beta=0.5)


def test_the_distance_of_contact_points_is_that_to_the_nearest_grasp(objects, file, found):
    name, hand = objects.names()[0], load_hand("barrett")
    ((item,), points) = found[name], hand.contacts["default"]
    grasps = read_examples(file).named([name]).grasps[0, 5]
    both = torch.stack([torch.as_tensor(item["x"][5]), grasps[item["nearest"][5]]])
    placed = place(hand, *pose_vector.split(both), points.points, points.links)
    assert item["apart"][5] == pytest.approx(float((placed[0] - placed[1]).norm(dim=1).mean()))


def test_residuals_by_object_and_their_means(objects, found):
    assert list(found) == objects.names()[:2]
    items = [item for (item,) in found.values()]
    np.testing.assert_allclose(
        items[0]["combined"], (items[0]["consistency"] + items[0]["collision"]) / 2
    )
    assert items[0]["x"].shape == (27, 11)
    figures = residual_figures(items)
    assert figures["l2"] == pytest.approx(np.mean([item["l2"].mean() for item in items]))
    assert figures["consistency"] <= figures["mean_l2"]
    assert figures["l2"] == pytest.approx(
        figures["translation"] + figures["rotation"] + figures["joints"], rel=1e-5
    )
    assert figures["l2_metres"] == pytest.approx(
        figures["l2"] - 0.99 * figures["translation"], rel=1e-4
    )
    two = [
        {
            "points": np.array([3, 0]),
            "depth": np.array([0.01, np.nan]),
            **dict.fromkeys(FIGURES, np.zeros(2)),
        },
        {
            "points": np.array([1, 0]),
            "depth": np.array([0.05, np.nan]),
            **dict.fromkeys(FIGURES, np.zeros(2)),
        },
    ]
    assert (
        residual_figures(two)["depth"] == pytest.approx((3 * 0.01 + 0.05) / 4)
        and residual_figures(two)["points"] == 1
    )


def test_relative_changes_by_hand():
    one = {"a": [{"x": np.array([[0.3, 0, 0, 1, 0, 0, 0, 2.0]]), "size": np.array([4.0])}]}
    other = {"a": [{"x": np.array([[0.3, 0.1, 0, -1, 0, 0, 0, 2.0]])}]}
    assert relative_changes(one, other)["a"] == pytest.approx(1 / 4)


def test_share_of_grasps_that_are_never_the_nearest():
    assert (
        never_chosen(
            {"a": [{"nearest": np.array([0, 0, 3])}], "b": [{"nearest": np.array([1, 1, 1])}]}, 4
        )
        == 0.625
    )
