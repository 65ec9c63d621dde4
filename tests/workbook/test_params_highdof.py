"""Parameters of the notebooks of high-DOF grasping."""

from pathlib import Path
from typing import get_args

import pytest

from graspbook.errors import ParameterError
from graspbook.highdof.planner import SEARCHES
from graspbook.workbook import model_card
from graspbook.workbook.params import load_profile
from graspbook.workbook.params_highdof import Search


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


def test_a_profile_can_name_each_search_of_the_planner_and_the_card_describes_it():
    named = get_args(Search)
    assert set(named) == set(SEARCHES) == set(model_card._SEARCHES)


def test_a_search_of_a_hands_own_names_both(monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])
    loaded = load_profile("smoke", ["highdof_2_grasp_data.hand_searches={shadow: palm}"])
    assert loaded["highdof_2_grasp_data"].hand_searches == {"shadow": "palm"}
    for wrong in ("{foot: palm}", "{shadow: luck}"):
        with pytest.raises(ParameterError, match="hand_searches"):
            load_profile("smoke", [f"highdof_2_grasp_data.hand_searches={wrong}"])


def test_the_papers_profile_has_only_the_papers_search(monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])
    data = load_profile("paper", [])["highdof_2_grasp_data"]
    assert (data.search, data.hand_searches) == ("annealing", {})


def test_the_card_names_the_searches_of_the_studied_hands():
    data = {"search": "descent", "hands": ["shadow"], "hand_searches": {"barrett": "palm"}}
    assert model_card._searches(data) == "gradient descent between jumps"
    both = data | {"hands": ["shadow", "barrett"]}
    expected = "gradient descent between jumps (barrett: the palm against the object, then closing)"
    assert model_card._searches(both) == expected
    del both["hand_searches"]  # of an older run
    assert model_card._searches(both) == "gradient descent between jumps"
