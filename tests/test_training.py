import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from graspbook.errors import ParameterError, WeightsError
from graspbook.training import TrainSettings, train, train_to_file
from graspbook.weights_files import load_history, load_weights, save_weights


def make_model():
    return torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.ReLU(), torch.nn.Linear(8, 1)
    )


def batch_of(step):
    return torch.randn(16, 4, generator=torch.Generator().manual_seed(step))


def loss_of(model, batch, generator):
    """Uses everything that must survive a stop: the step, the generator, the momenta, batch
    statistics.
    """
    noisy = batch + 0.1 * torch.randn(batch.shape, generator=generator)
    loss = (model(noisy)[:, 0] - batch.sum(dim=1)).square().mean()
    return loss, {"error": float(loss.detach()) ** 0.5}


def slow_batch_of(step):
    time.sleep(0.05)
    return batch_of(step)


def run(folder, steps=60, batches=batch_of):
    settings = TrainSettings(steps, 1e-2, "cosine", checkpoint_seconds=0.0)
    files = Path(folder) / "w.safetensors", Path(folder) / "c.safetensors"
    given = {"settings": settings, "parameters": {"a": (1, 2)}, "label": "toy"}
    return train_to_file(*files, make_model, batches, loss_of, **given)


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


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_training_descends_and_leaves_global_state_alone(tmp_path, two_threads):
    state = torch.get_rng_state()
    history = run(tmp_path, steps=150)
    assert history[-1]["loss"] < 0.3 * history[0]["loss"]
    assert history[0]["step"] == 0 and history[-1]["error"] == pytest.approx(
        history[-1]["loss"] ** 0.5
    )
    assert torch.equal(torch.get_rng_state(), state) and torch.get_num_threads() == 2


def test_a_checkpoint_of_other_parameters_is_replaced(tmp_path):
    path = tmp_path / "c.safetensors"
    for parameters in ({"width": 1}, {"width": 2}):
        settings = TrainSettings(3, checkpoint_seconds=0.0)
        _, history = train(make_model, batch_of, loss_of, settings, path, parameters=parameters)
        assert [entry["step"] for entry in history] == [0, 1, 2]
    assert load_weights(path)[1]["width"] == 2


def test_the_cosine_schedule_falls_from_the_rate_to_zero():
    settings = TrainSettings(100, 1e-3, "cosine")
    assert (
        settings.rate(0) == 1e-3
        and settings.rate(50) == pytest.approx(5e-4)
        and settings.rate(100) == pytest.approx(0)
    )
    assert TrainSettings(100).rate(99) == 1e-4


@pytest.mark.parametrize(
    "values", [{"steps": 0}, {"schedule": "linear"}, {"learning_rate": float("nan")}]
)
def test_impossible_settings_are_refused(values):
    with pytest.raises(ParameterError):
        TrainSettings(**{"steps": 1, **values})


def test_an_unreadable_checkpoint_is_an_error_and_not_a_fresh_start(tmp_path):
    (tmp_path / "c.safetensors").write_bytes(b"torn")
    with pytest.raises(WeightsError):
        run(tmp_path)


def decaying_settings(steps=60, **more):
    return TrainSettings(
        steps,
        1e-2,
        "cosine",
        weight_decay=0.05,
        clip=0.5,
        validate_every=7,
        checkpoint_seconds=0.0,
        **more,
    )


def validate(model):
    """Loss on a batch of its own."""
    assert not model.training
    return {
        "loss": float(
            (model(batch_of(1000)).detach()[:, 0] - batch_of(1000).sum(dim=1)).square().mean()
        )
    }


def test_a_run_with_validation_resumes_to_the_same_bits_wherever_it_was_stopped(tmp_path):
    whole, history = train(
        make_model,
        batch_of,
        loss_of,
        decaying_settings(),
        tmp_path / "c",
        parameters={},
        validate=validate,
    )
    for stop in (6, 7, 8, 40):

        def stopping(step, stop=stop):
            if step == stop:
                raise KeyboardInterrupt
            return batch_of(step)

        path = tmp_path / str(stop)
        with pytest.raises(KeyboardInterrupt):
            train(
                make_model,
                stopping,
                loss_of,
                decaying_settings(),
                path,
                parameters={},
                validate=validate,
            )
        model, resumed = train(
            make_model,
            batch_of,
            loss_of,
            decaying_settings(),
            path,
            parameters={},
            validate=validate,
        )
        assert resumed == history
        assert all(
            torch.equal(a, b)
            for a, b in zip(whole.state_dict().values(), model.state_dict().values(), strict=True)
        )


def test_the_state_returned_is_the_best_of_its_validations(tmp_path):
    model, history = train(
        make_model,
        batch_of,
        loss_of,
        decaying_settings(),
        tmp_path / "c",
        parameters={},
        validate=validate,
    )
    losses = {
        entry["step"]: entry["validation_loss"] for entry in history if "validation_loss" in entry
    }
    assert sorted(losses) == [*range(6, 60, 7), 59]
    assert validate(model)["loss"] == pytest.approx(min(losses.values()), rel=1e-5)


@pytest.mark.parametrize(("patience", "steps"), [(1, 40), (3, 60), (0, 100)])
def test_training_ends_after_as_many_validations_without_improvement_as_patience_says(
    patience, steps, tmp_path
):
    losses = iter([5.0, 3.0, 2.0, 2.5, 2.0, 4.0, 1.0, 1.0, 1.0, 1.0])
    settings = TrainSettings(100, 1e-2, validate_every=10, patience=patience)
    _, history = train(
        make_model,
        batch_of,
        loss_of,
        settings,
        tmp_path / "c",
        parameters={},
        validate=lambda model: {"loss": next(losses)},
    )
    assert len(history) == steps


def test_decay_shrinks_weights_and_a_clip_bounds_the_step(tmp_path):
    def constant(model, batch, generator):
        return 1e6 * model(batch).sum(), {}

    def still(model, batch, generator):
        return 0 * model(batch).sum(), {}

    decayed, _ = train(
        make_model,
        batch_of,
        still,
        TrainSettings(10, 0.1, weight_decay=0.5),
        tmp_path / "c",
        parameters={},
    )
    kept, _ = train(
        make_model, batch_of, still, TrainSettings(10, 0.1), tmp_path / "c", parameters={}
    )
    torch.testing.assert_close(decayed[0].weight, kept[0].weight * (1 - 0.1 * 0.5) ** 10)
    norms = []

    def recorded(model, batch, generator):
        norms.append([p.grad.norm() for p in model.parameters() if p.grad is not None])
        return constant(model, batch, generator)

    train(
        make_model,
        batch_of,
        recorded,
        TrainSettings(3, 1e-3, clip=0.25),
        tmp_path / "c",
        parameters={},
    )
    assert torch.stack(norms[1]).norm() == pytest.approx(0.25, rel=1e-3)


def test_training_starts_from_the_weights_of_another_file(tmp_path):
    def start(path=tmp_path / "v.safetensors", make=make_model, init=tmp_path / "w.safetensors"):
        files, settings = (path, tmp_path / "c.safetensors"), TrainSettings(1, 1e-9)
        given = {"settings": settings, "parameters": {}, "label": "toy", "init": init}
        return train_to_file(*files, make, batch_of, loss_of, **given)

    run(tmp_path)
    start()
    first, second = (load_weights(tmp_path / f"{name}.safetensors") for name in "wv")
    torch.testing.assert_close(first[0]["0.weight"], second[0]["0.weight"])
    assert "init" not in first[1] and second[1]["init"]
    history = load_history(tmp_path / "v.safetensors")
    other = make_model()
    save_weights(tmp_path / "w.safetensors", other, first[1])  # the same parameters, other numbers
    start()
    found = load_weights(tmp_path / "v.safetensors")[0]
    torch.testing.assert_close(found["0.weight"], other[0].weight.detach())
    assert load_history(tmp_path / "v.safetensors") != history
    with pytest.raises(WeightsError, match="no such weights file"):
        start(init=tmp_path / "none.safetensors")
    with pytest.raises(WeightsError, match="does not fit"):
        start(tmp_path / "other", lambda: torch.nn.Linear(4, 1))


def test_without_decay_and_clip_the_bits_are_those_of_adam(tmp_path):
    settings = TrainSettings(20, 1e-2, "cosine", seed=3, threads=torch.get_num_threads())
    model, _ = train(make_model, batch_of, loss_of, settings, tmp_path / "c", parameters={})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        plain = make_model()
    optimiser, generator = torch.optim.Adam(plain.parameters()), torch.Generator().manual_seed(3)
    for step in range(20):
        optimiser.param_groups[0]["lr"] = settings.rate(step)
        optimiser.zero_grad()
        loss_of(plain, batch_of(step), generator)[0].backward()
        optimiser.step()
    assert all(
        torch.equal(a, b)
        for a, b in zip(model.state_dict().values(), plain.state_dict().values(), strict=True)
    )


def test_a_fused_optimiser_differs_by_rounding_and_resumes_to_the_same_bits(tmp_path):
    def trained(name, batches, **options):
        settings, file = TrainSettings(20, 1e-2, checkpoint_seconds=0.0), tmp_path / name
        given = {"parameters": {}, **options}
        return train(make_model, batches, loss_of, settings, file, **given)[0].state_dict()

    def stop_at_12(step):
        if step == 12:
            raise KeyboardInterrupt
        return batch_of(step)

    plain, whole = trained("a", batch_of), trained("b", batch_of, fused=True)
    with pytest.raises(KeyboardInterrupt):
        trained("c", stop_at_12, fused=True)
    broken = trained("c", batch_of, fused=True)
    assert all(torch.equal(value, broken[name]) for name, value in whole.items())
    for name in ("0.weight", "3.weight"):  # not the bias, which normalisation takes away again
        torch.testing.assert_close(whole[name], plain[name], rtol=1e-4, atol=1e-4)


def test_validation_moves_no_generator_and_no_statistics(tmp_path):
    """Also where it draws from torch's own generator, which dropout uses in training."""

    def make():
        return torch.nn.Sequential(make_model(), torch.nn.Dropout(0.3))

    def drawing(model):
        return {"loss": float((model(torch.randn(16, 4)) + torch.randn(16, 1)).mean())}

    settings = [TrainSettings(30, 1e-2, validate_every=every) for every in (0, 4)]
    losses = []
    for one in settings:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(5)
            history = train(
                make, batch_of, loss_of, one, tmp_path / "c", parameters={}, validate=drawing
            )[1]
        losses.append([record["loss"] for record in history])
    assert losses[0] == losses[1]


def test_a_validation_that_is_not_a_number_is_never_better(tmp_path):
    losses = iter([float("nan"), 2.0, float("nan"), 3.0, 1.0])
    settings = TrainSettings(50, 1e-2, validate_every=10, patience=2)
    _, history = train(
        make_model,
        batch_of,
        loss_of,
        settings,
        tmp_path / "c",
        parameters={},
        validate=lambda model: {"loss": next(losses)},
    )
    assert len(history) == 40
    losses, states = iter([float("nan")] * 3), []

    def never(model):
        states.append(model[0].weight.clone())
        return {"loss": next(losses)}

    settings = TrainSettings(50, 1e-2, validate_every=10, patience=2)
    model, history = train(
        make_model, batch_of, loss_of, settings, tmp_path / "c", parameters={}, validate=never
    )
    assert len(history) == 30 and torch.equal(model[0].weight, states[0])


@pytest.mark.parametrize(
    "wrong",
    [
        {"weight_decay": -1.0},
        {"clip": 0.0},
        {"validate_every": -1},
        {"patience": -1},
        {"weight_decay": float("nan")},
        {"clip": float("nan")},
        {"patience": 1},
    ],
)
def test_impossible_numbers_of_the_loop_are_refused(wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        TrainSettings(1, **wrong)


if __name__ == "__main__":
    run(sys.argv[1], batches=slow_batch_of)
