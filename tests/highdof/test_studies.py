"""The bookkeeping of the notebooks, without any training."""

from pathlib import Path

import numpy as np
import pytest

from graspbook.highdof import studies
from graspbook.highdof.experiments import Variant
from graspbook.highdof.studies import (
    FINAL,
    Files,
    Residuals,
    Run,
    Training,
    changes,
    loss_curve,
    on_top,
    residuals_of,
    train_all,
    trainings,
)
from graspbook.highdof.training import LOSSES, LossSettings
from graspbook.training import TrainSettings

from .conftest import SIZES

FILES, SETTINGS = Files(Path("run")), TrainSettings(5, seed=3)
BY_LOSS = {kind: Variant(SIZES, LossSettings(kind)) for kind in LOSSES}


@pytest.fixture
def tasks(monkeypatch):
    """What would be run, with what all have in common; each result is its number."""
    asked = []

    def run_tasks(function, tasks, workers, label, *, common):
        asked.extend(common | task | {"workers": workers} for task in tasks)
        return list(range(len(tasks)))

    monkeypatch.setattr(studies, "run_tasks", run_tasks)
    return asked


def test_files_lie_where_other_commands_look_for_them():
    assert FILES.plans("shadow", ["mug"]) == {"mug": Path("run/plans/shadow/mug.h5")}
    compared = FILES.compared("descent, a tenth", ["mug"])
    assert compared == {"mug": Path("run/plans/compared/descent_a_tenth/mug.h5")}
    assert FILES.held("all links", ["mug"]) == {"mug": Path("run/held/all_links/mug.h5")}
    assert FILES.examples("shadow") == Path("run/highdof/examples_shadow.safetensors")
    assert FILES.network(Run("shadow", FINAL, 0)) == Path("run/weights/highdof_shadow.safetensors")
    one = Path("run/weights/highdof/shadow_beta_0.5_seed_2.safetensors")
    assert FILES.network(Run("shadow", "beta 0.5", 2)) == one
    assert str(Run("shadow", "beta 0.5", 2)) == "shadow beta 0.5 2"


def test_variants_change_one_thing():
    found = changes(BY_LOSS, betas=[0.5], fewer=[2], datasets=2, layout_grasps=4)
    assert found.pop("beta 0.5").loss == LossSettings(beta=0.5)
    assert found.pop("2 grasps") == Variant(SIZES, LossSettings("consistency"), grasps=2)
    assert [found.pop(f"dataset {i}").loss for i in (1, 2)] == [
        LossSettings("l2", fixed=i) for i in (1, 2)
    ]
    assert not found["not turned"].turned and found["all links"].grasps == 4
    assert found["fingertips"].loss.layout == "fingertips" and len(found) == 3


def test_the_first_hand_is_studied_in_depth_and_others_by_one_loss():
    changed = {"2 grasps": Variant(SIZES, grasps=2)}
    found = trainings(["a", "b", "c"], BY_LOSS, changed, SETTINGS, seeds=[3, 4])
    assert [run for run in found if run.hand == "b"] == [Run("b", "l2", 3), Run("b", "l2", 4)]
    assert [run.name for run in found if run.hand == "a"] == [
        name for kind in LOSSES for name in (kind, kind)
    ] + ["2 grasps"]
    assert all(training.settings.seed == run.seed for run, training in found.items())


def test_both_losses_go_on_from_the_same_networks():
    found = on_top("a", BY_LOSS, SETTINGS, seeds=[3, 4], files=FILES)
    assert {run.name for run in found} == {"consistency on top", "combined on top"}
    for run, training in found.items():
        assert training.variant.init == str(FILES.network(Run("a", "consistency", run.seed)))
        assert training.settings.seed == run.seed + 2
        assert training.variant.loss.kind in run.name


def test_grasps_with_points_on_all_links_are_learned_from_their_own_plans(tasks):
    asked = {Run("a", name, 0): Training(BY_LOSS["l2"], SETTINGS) for name in ("l2", "all links")}
    own = {"all links": ["box"]}
    found = train_all(asked, FILES, ["mug"], device="cuda", workers=2, apart=own)
    assert list(found) == list(asked) and list(found.values()) == [0, 1]
    assert [task["examples"] for task in tasks] == [
        FILES.examples("a"),
        FILES.examples("all links"),
    ]
    assert [task["names"] for task in tasks] == [["mug"], ["box"]] and tasks[0]["workers"] == 1


def test_residuals_are_found_by_run_and_set(tasks):
    runs, sets = [Run("a", "l2", s) for s in (0, 1)], {"test": ["mug"], "train": ["box", "cup"]}
    found = residuals_of(runs, FILES, sets, beta=0.5, workers=2, fixed={runs[1]: 7})
    assert found.of("a", "l2", [1, 0], "train") == [3, 1]
    assert found.named("a", ["l2"], [0]) == {"l2": [0]}
    assert [task["fixed"] for task in tasks] == [0, 0, 7, 7]
    assert tasks[1]["names"] == ["box", "cup"] and tasks[1]["turned"]
    one = Residuals({(runs[0], "test"): {"mug": [{"l2": 1.0}], "box": [{"l2": 2.0}]}})
    assert one.items(runs[0]) == [{"l2": 1.0}, {"l2": 2.0}]


def test_a_loss_curve_is_a_running_mean():
    steps, values = loss_curve([{"step": 0, "loss": 4.0}, {"step": 5, "loss": 2.0}])
    assert steps == [0, 5] and np.array_equal(values, [4.0, 3.0])
