import math
import os

import pytest

from graspbook.parallel import run_tasks


def test_results_keep_their_order_on_processes():
    assert run_tasks(math.pow, [(i, 2) for i in range(6)], workers=2, label="squares") == [
        0,
        1,
        4,
        9,
        16,
        25,
    ]


def test_work_leaves_this_process_only_when_asked():
    assert run_tasks(os.getpid, [(), ()], workers=1, label="here") == [os.getpid()] * 2
    assert os.getpid() not in run_tasks(os.getpid, [(), ()], workers=2, label="there")


@pytest.mark.parametrize("workers", [1, 2])
def test_the_first_error_is_raised(workers):
    with pytest.raises(ValueError, match="math domain|expected a"):
        run_tasks(math.sqrt, [(4.0,), (-1.0,), (9.0,)], workers=workers, label="roots")


def test_no_tasks():
    assert run_tasks(math.sqrt, [], workers=2, label="none") == []
