import pytest
import torch
from safetensors.torch import save_file

from graspbook.errors import WeightsError
from graspbook.weights_files import (
    halve_weights,
    load_history,
    load_model,
    load_weights,
    save_weights,
)


def test_equal_weights_give_equal_bytes(tmp_path):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8))
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
    with pytest.raises(WeightsError, match=r"'weight' has shape \(3, 2\), expected shape \(3, 4\)"):
        load_model(good, lambda parameters: torch.nn.Linear(4, 3))
    with pytest.raises(WeightsError, match="'bias' has shape"):
        load_model(good, lambda parameters: torch.nn.Linear(2, 3, bias=False))


def test_half_precision_is_read_as_single_and_takes_half_the_room(tmp_path):
    model = torch.nn.Linear(200, 200)
    save_weights(tmp_path / "whole", model, {"rate": 0.1}, [{"step": 0}])
    halve_weights(tmp_path / "whole", tmp_path / "half")
    loaded, parameters = load_model(tmp_path / "half", lambda parameters: torch.nn.Linear(200, 200))
    assert (
        loaded.weight.dtype == torch.float32
        and parameters == {"rate": 0.1}
        and load_history(tmp_path / "half") == []
    )
    torch.testing.assert_close(loaded.weight, model.weight, rtol=5e-4, atol=1e-6)
    assert (tmp_path / "half").stat().st_size < 0.51 * (tmp_path / "whole").stat().st_size


def test_numbers_beyond_half_precision_are_refused(tmp_path):
    model = torch.nn.Linear(1, 1)
    torch.nn.init.constant_(model.weight, 1e5)
    save_weights(tmp_path / "w", model, {})
    with pytest.raises(WeightsError, match="65504"):
        halve_weights(tmp_path / "w", tmp_path / "half")
    assert not (tmp_path / "half").exists()
