"""Names of runs, where their files lie, and what each training gets."""

from pathlib import Path

import pytest

from graspbook.graspnet import studies
from graspbook.graspnet.dataset import DataSettings
from graspbook.graspnet.sampler import PRESETS
from graspbook.graspnet.studies import (
    Training,
    latent_losses,
    latent_runs,
    latent_trainings,
    mixed_weights,
    prepared_views,
    train_runs,
)
from graspbook.training import TrainSettings

WAY = TrainSettings(5)


@pytest.fixture
def calls(monkeypatch):
    """What `prepare_task` and `train_task` are called with; they return their first argument."""
    seen = []

    def record(**arguments):
        seen.append(arguments)
        return arguments.get("network", arguments.get("name"))

    monkeypatch.setattr(studies, "prepare_task", record)
    monkeypatch.setattr(studies, "train_task", record)
    return seen


@pytest.mark.parametrize("more", [True, False])
def test_views_are_prepared_from_the_grasp_files_of_each_object(calls, more):
    settings = DataSettings()
    found = prepared_views(
        "the set", ["mug_0001", "box_0002"], settings, Path("grasps"), more=more, workers=1
    )
    assert found == {"mug_0001": "mug_0001", "box_0002": "box_0002"}
    assert [call["grasp_file"] for call in calls] == [
        Path("grasps/mug_0001.h5"),
        Path("grasps/box_0002.h5"),
    ]
    assert calls[0].get("more_file") == (Path("grasps/more/mug_0001.h5") if more else None)
    assert all(call["objects"] == "the set" and call["settings"] is settings for call in calls)


def test_samplers_of_each_latent_and_seed_differ_in_these_alone():
    assert latent_runs([1, 4], [7, 8]) == {
        1: ["latent_1_seed_7", "latent_1_seed_8"],
        4: ["latent_4_seed_7", "latent_4_seed_8"],
    }
    found = latent_trainings(PRESETS["ours"], [1, 4], range(7, 9), WAY, 3)
    assert list(found) == sum(latent_runs([1, 4], [7, 8]).values(), [])
    chosen = {run: (item.settings.latent, item.train.seed) for run, item in found.items()}
    assert chosen["latent_4_seed_7"] == (4, 7) and chosen["latent_1_seed_8"] == (1, 8)
    assert {(item.network, item.clouds, item.train.steps) for item in found.values()} == {
        ("sampler", 3, 5)
    }


def test_each_run_is_trained_into_a_folder_of_its_own(calls, tmp_path):
    trainings = {
        "shared": Training("sampler", "a", WAY, 2),
        "probes": Training("evaluator", "b", WAY, 4),
    }
    found = train_runs(trainings, ["examples"], tmp_path, 1, device="cpu")
    assert found == {"shared": "sampler", "probes": "evaluator"}
    assert [call["weights"] for call in calls] == [
        tmp_path / "shared" / "sampler.safetensors",
        tmp_path / "probes" / "evaluator.safetensors",
    ]
    assert [(call["settings"], call["clouds"]) for call in calls] == [("a", 2), ("b", 4)]


def test_each_kind_is_put_beside_the_usual_other_network_and_two_pairs_together(tmp_path):
    files = ["usual/sampler", "usual/evaluator", "per_point/sampler", "shared/sampler"]
    for name in [*files, "unified/evaluator", "probes/evaluator"]:
        file = tmp_path / f"{name}.safetensors"
        file.parent.mkdir(exist_ok=True)
        file.write_text(name)
    kinds = {run: Training("sampler", None, WAY, 1) for run in ("per_point", "shared")}
    kinds |= {run: Training("evaluator", None, WAY, 1) for run in ("unified", "probes")}
    mixed = mixed_weights(tmp_path, tmp_path / "usual", kinds)
    held = {
        run: [(folder / f"{part}.safetensors").read_text() for part in ("sampler", "evaluator")]
        for run, folder in mixed.items()
    }
    assert held == {
        "sampler_per_point": ["per_point/sampler", "usual/evaluator"],
        "sampler_shared": ["shared/sampler", "usual/evaluator"],
        "evaluator_unified": ["usual/sampler", "unified/evaluator"],
        "evaluator_probes": ["usual/sampler", "probes/evaluator"],
        "per_point_unified": ["per_point/sampler", "unified/evaluator"],
        "shared_probes": ["shared/sampler", "probes/evaluator"],
    }


def test_losses_are_means_of_the_last_tenth_in_millimetres(monkeypatch):
    monkeypatch.setattr(studies, "load_sampler", lambda file: file)
    monkeypatch.setattr(
        studies,
        "reconstruction_error",
        lambda sampler, examples, batches, seed: batches * len(sampler.parent.name) / 1000,
    )
    history = {
        run: [{"loss": step / 1000, "reconstruction": step / 2000} for step in range(20)]
        for run in ("one", "other")
    }
    losses = latent_losses(
        {2: ["one", "other"]}, history, ["a", "b"], folder=Path("w"), batches=3, seed=0
    )
    assert losses["loss in training"][2] == pytest.approx([18.5, 18.5])
    assert losses["L(g, ĝ) in training"][2] == pytest.approx([9.25, 9.25])
    assert losses["L(g, ĝ) held out"][2] == pytest.approx([18, 30])
