import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from graspbook.errors import ParameterError, WeightsError
from graspbook.training import TrainSettings, load_history, load_model, load_weights, save_weights, train, train_to_file


def make_model():
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.ReLU(), torch.nn.Linear(8, 1))


def batch_of(step):
    return torch.randn(16, 4, generator=torch.Generator().manual_seed(step))


def loss_of(model, batch, generator):
    """Uses everything that must survive a stop: the step, the generator, the momenta, batch statistics."""
    noisy = batch + 0.1 * torch.randn(batch.shape, generator=generator)
    loss = (model(noisy)[:, 0] - batch.sum(dim=1)).square().mean()
    return loss, {"error": float(loss.detach()) ** 0.5}


def slow_batch_of(step):
    time.sleep(0.05)
    return batch_of(step)


def run(folder, steps=60, batches=batch_of):
    settings = TrainSettings(steps, 1e-2, "cosine", checkpoint_seconds=0.0)
    files = Path(folder) / "w.safetensors", Path(folder) / "c.safetensors"
    return train_to_file(*files, make_model, batches, loss_of, settings, {"a": (1, 2)}, "toy")


def test_a_killed_and_resumed_run_ends_with_the_same_bytes(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    history = run(whole)
    process = subprocess.Popen([sys.executable, __file__, broken], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (broken / "c.safetensors").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (broken / "w.safetensors").exists()
    done = len(load_history(broken / "c.safetensors"))
    assert 0 < done < 60
    assert run(broken) == history
    assert (whole / "w.safetensors").read_bytes() == (broken / "w.safetensors").read_bytes()
    assert not (broken / "c.safetensors").exists()


def test_long_runs_record_some_of_their_steps_and_resume_between_them(tmp_path, monkeypatch):
    monkeypatch.setattr("graspbook.training.MOST_RECORDS", 20)
    whole = run(tmp_path / "whole", steps=60)
    assert [entry["step"] for entry in whole] == list(range(0, 60, 3))

    def stop_at_32(step):
        if step == 32:
            raise KeyboardInterrupt
        return batch_of(step)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", batches=stop_at_32)
    assert run(tmp_path / "broken") == whole
    files = [(tmp_path / name / "w.safetensors").read_bytes() for name in ("whole", "broken")]
    assert files[0] == files[1]


def test_weights_that_are_there_are_kept(tmp_path):
    history = run(tmp_path)
    before = (tmp_path / "w.safetensors").stat().st_mtime_ns
    assert run(tmp_path) == history
    assert (tmp_path / "w.safetensors").stat().st_mtime_ns == before
    assert len(run(tmp_path, steps=5)) == 5
    assert (tmp_path / "w.safetensors").stat().st_mtime_ns != before


def test_training_descends_and_leaves_global_state_alone(tmp_path):
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    history = run(tmp_path, steps=150)
    assert history[-1]["loss"] < 0.3 * history[0]["loss"]
    assert history[0]["step"] == 0 and history[-1]["error"] == pytest.approx(history[-1]["loss"] ** 0.5)
    assert torch.equal(torch.get_rng_state(), state) and torch.get_num_threads() == threads


def test_a_checkpoint_of_other_parameters_is_replaced(tmp_path):
    path = tmp_path / "c.safetensors"
    for parameters in ({"width": 1}, {"width": 2}):
        settings = TrainSettings(3, checkpoint_seconds=0.0)
        _, history = train(make_model, batch_of, loss_of, settings, path, parameters)
        assert [entry["step"] for entry in history] == [0, 1, 2]
    assert load_weights(path)[1]["width"] == 2


def test_the_cosine_schedule_falls_from_the_rate_to_zero():
    settings = TrainSettings(100, 1e-3, "cosine")
    assert settings.rate(0) == 1e-3 and settings.rate(50) == pytest.approx(5e-4) and settings.rate(100) == pytest.approx(0)
    assert TrainSettings(100).rate(99) == 1e-4


@pytest.mark.parametrize("values", [{"steps": 0}, {"schedule": "linear"}, {"learning_rate": float("nan")}])
def test_impossible_settings_are_refused(values):
    with pytest.raises(ParameterError):
        TrainSettings(**{"steps": 1, **values})


def test_equal_weights_give_equal_bytes(tmp_path):
    torch.manual_seed(0)
    model = make_model()
    for name in "ab":
        save_weights(tmp_path / name, model, {"z": 1, "a": [1, 2.5, "x"]})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    state, parameters = load_weights(tmp_path / "a")
    assert parameters == {"z": 1, "a": [1, 2.5, "x"]}
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())


def test_bad_weights_files_are_refused_with_a_reason(tmp_path):
    good, bad = tmp_path / "good", tmp_path / "bad"
    save_weights(good, torch.nn.Linear(2, 3), {})
    with pytest.raises(WeightsError, match="no such"):
        load_weights(tmp_path / "missing")
    for size in (0, 7, 40, good.stat().st_size - 1):
        bad.write_bytes(good.read_bytes()[:size])
        with pytest.raises(WeightsError, match="bad"):
            load_weights(bad)
    save_file({"x": torch.zeros(1)}, bad)
    with pytest.raises(WeightsError, match="metadata"):
        load_weights(bad)
    with pytest.raises(WeightsError, match=r"'weight' has shape \(3, 2\), expected \(3, 4\)"):
        load_model(good, lambda parameters: torch.nn.Linear(4, 3))
    with pytest.raises(WeightsError, match="'bias' has shape"):
        load_model(good, lambda parameters: torch.nn.Linear(2, 3, bias=False))


def test_an_unreadable_checkpoint_is_an_error_and_not_a_fresh_start(tmp_path):
    (tmp_path / "c.safetensors").write_bytes(b"torn")
    with pytest.raises(WeightsError):
        run(tmp_path)


if __name__ == "__main__":
    run(sys.argv[1], batches=slow_batch_of)
