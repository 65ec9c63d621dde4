"""The case of the benchmark with a robot in it: its clients have clocks of their own."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "bench"))
import bench  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.timing]


def test_a_simulated_trial_runs_and_agrees_with_its_baseline():
    found = bench.run_case("a simulated trial", tiny=True)
    assert found["ratio"] > 0 and found["peak_memory_mb"] > 10
    ours, baseline = found["same"].partition(";")[0].split(", ")
    assert ours == baseline
