"""Parameters of the notebooks of high-DOF grasping."""

from pathlib import Path

import pytest

from graspbook.errors import ParameterError
from graspbook.workbook.params import load_profile


def test_any_hands_of_the_library_may_be_studied(monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])
    loaded = load_profile("smoke", ["highdof_3_training.hands=[barrett, franka]"])
    assert loaded["highdof_3_training"].hands == ["barrett", "franka"]
    with pytest.raises(
        ParameterError, match="unknown hand 'foot', expected one of shadow, barrett"
    ):
        load_profile("smoke", ["highdof_3_training.hands=[shadow, foot]"])
    with pytest.raises(ParameterError, match="hands"):
        load_profile("smoke", ["highdof_2_grasp_data.hands=[]"])
