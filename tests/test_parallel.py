import math
import os

import pytest

from graspbook.parallel import run_tasks


def power(base, exponent):
    return base**exponent


def root(of):
    return math.sqrt(of)


def test_results_keep_their_order_on_processes():
    tasks = [{"base": base} for base in range(6)]
    found = run_tasks(power, tasks, 2, "squares", common={"exponent": 2})
    assert found == [0, 1, 4, 9, 16, 25]


def test_work_leaves_this_process_only_when_asked():
    assert run_tasks(os.getpid, [{}, {}], workers=1, label="here") == [os.getpid()] * 2
    assert os.getpid() not in run_tasks(os.getpid, [{}, {}], workers=2, label="there")


@pytest.mark.parametrize("workers", [1, 2])
def test_the_first_error_is_raised(workers):
    with pytest.raises(ValueError, match="math domain|expected a"):
        run_tasks(root, [{"of": 4.0}, {"of": -1.0}, {"of": 9.0}], workers, "roots")


def test_processes_stay_for_the_next_call():
    seen = {pid for _ in range(5) for pid in run_tasks(os.getpid, [{}] * 8, 2, "calls")}
    assert len(seen) <= 2


def threads(change):
    """How many threads torch has; seven from then on if asked."""
    import torch

    found = torch.get_num_threads()
    if change:
        torch.set_num_threads(7)
    return found


def test_a_task_that_changes_torchs_threads_changes_no_later_one():
    before = {*run_tasks(threads, [{"change": True}] * 6, 2, "before")}
    assert before == {*run_tasks(threads, [{"change": False}] * 6, 2, "after")}
    assert len(before) == 1


def test_processes_follow_the_folder_and_the_variables(monkeypatch, tmp_path):
    run_tasks(os.getcwd, [{}, {}], workers=2, label="before")
    monkeypatch.chdir(tmp_path)
    assert run_tasks(os.getcwd, [{}, {}], workers=2, label="folder") == [str(tmp_path)] * 2
    monkeypatch.setenv("GRASPBOOK_CACHE", "elsewhere")
    asked = [{"key": "GRASPBOOK_CACHE"}] * 2
    assert run_tasks(os.getenv, asked, workers=2, label="variable") == ["elsewhere"] * 2
    monkeypatch.delenv("GRASPBOOK_CACHE")
    assert run_tasks(os.getenv, asked, workers=2, label="no variable") == [None] * 2


def test_after_an_error_the_next_call_works():
    with pytest.raises(ValueError, match="math domain|expected a"):
        run_tasks(root, [{"of": -1.0}, {"of": 9.0}], 2, "roots")
    assert run_tasks(root, [{"of": 4.0}, {"of": 9.0}], 2, "roots") == [2, 3]


def test_no_tasks():
    assert run_tasks(root, [], workers=2, label="none") == []


def test_an_argument_given_twice_is_an_error():
    with pytest.raises(TypeError, match="multiple values"):
        run_tasks(root, [{"of": 4.0}], 1, "roots", common={"of": 1.0})
