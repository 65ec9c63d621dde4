from dataclasses import replace

import pytest
import torch

from graspbook.hands.library import load_hand
from graspbook.highdof.dataset import DataSettings, read_examples
from graspbook.highdof.descent import DescentSettings
from graspbook.highdof.learning import LossSettings
from graspbook.highdof.planner import PlannerSettings
from graspbook.highdof.plans import plan_files, read_plan
from graspbook.highdof.recipe import Variant, examples_file, train_variant
from graspbook.objects.sets import FamilySet
from graspbook.training import TrainSettings, load_weights

from .conftest import SIZES

SETTINGS = DataSettings(16, 0.4, 32, identity=True)


@pytest.fixture(scope="module")
def objects():
    return FamilySet({"box": 2, "ball": 1})


@pytest.fixture(scope="module")
def plans(objects, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plans")
    files = {name: folder / f"{name}.h5" for name in objects.names()}
    settings = PlannerSettings(3, search=DescentSettings(rounds=1, slides=2))
    plan_files({name: objects.load(name).mesh for name in files}, files, "barrett", settings, workers=1)
    return files


@pytest.fixture(scope="module")
def file(objects, plans, tmp_path_factory):
    file = tmp_path_factory.mktemp("examples") / "examples.safetensors"
    examples_file(file, objects, plans, "barrett", SETTINGS, workers=1)
    return file


def test_examples_of_a_set_are_found_again_or_made_anew(objects, plans, file):
    examples = read_examples(file)
    assert list(examples.names) == objects.names() and examples.grids.shape == (3, 28, 16, 16, 16)
    moved = examples.grasps[0, 0, :, :3] - torch.as_tensor(read_plan(plans[examples.names[0]]).states[:, :3])
    torch.testing.assert_close(moved, moved[:1].expand(3, 3), atol=1e-6, rtol=0)  # identity, about the centre of mass
    before = file.stat().st_mtime_ns
    examples_file(file, objects, plans, "barrett", SETTINGS, workers=1)
    assert file.stat().st_mtime_ns == before
    other = file.with_name("other.safetensors")
    examples_file(other, objects, plans, "barrett", SETTINGS, workers=1)
    examples_file(other, objects, plans, "barrett", replace(SETTINGS, length=0.5), workers=1)
    assert read_examples(other).settings.length == 0.5


def test_variants_differ_by_what_they_say(objects, file, tmp_path):
    names, hand = objects.names()[:2], load_hand("barrett")
    base = Variant(SIZES, LossSettings("consistency"))
    first = tmp_path / "base.safetensors"
    variants = {"base": base, "fewer": replace(base, grasps=1), "others": replace(base, grasps=1, subset=1),
                "still": replace(base, turned=False), "on": replace(base, init=str(first))}
    hashes = {}
    for name, variant in variants.items():
        weights = tmp_path / f"{name}.safetensors"
        train_variant(hand.name, file, names, variant, TrainSettings(2, 1e-3), weights)
        tensors, parameters = load_weights(weights)
        assert parameters["joints"] == list(hand.joints) and ("init" in parameters) == (name == "on")
        hashes[name] = tensors["head.1.weight"].numpy().tobytes()
    assert len(set(hashes.values())) == len(variants)
