"""One `map` over independent tasks, on processes of this machine.

Work is spread through here alone, so that a cluster can be put behind it later.
"""

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import as_completed
from functools import partial
from pathlib import Path
from typing import Any

from loky import get_reusable_executor
from tqdm import tqdm

_IDLE = 120.0  # seconds; a process that waits longer than this for tasks ends


def run_tasks(
    function: Callable[..., Any],
    tasks: Iterable[Mapping[str, Any]],
    workers: int,
    label: str,
    *,
    common: Mapping[str, Any] | None = None,
) -> list[Any]:
    """Results of `function(**common, **task)` for every task, in their order.

    Processes are started anew, never forked, since torch and MuJoCo hold threads. Each gets its
    share of the cores. They stay for the next call, because a process needs seconds to load torch.
    They have the working directory of the caller, its variables GRASPBOOK_*, and torch's threads of
    a new process. The first error ends them and is raised.

    function: importable; its arguments and results can be pickled.
    tasks: arguments by name that differ from task to task.
    workers: processes; 1 runs everything in this one.
    label: what the progress bar says.
    common: arguments by name that all tasks share.
    """
    call, tasks = partial(_call, function, dict(common or {})), list(tasks)
    if workers <= 1 or len(tasks) <= 1:
        return [call(task) for task in tqdm(tasks, desc=label, disable=not tasks)]
    results = [None] * len(tasks)
    count, call = min(workers, len(tasks)), partial(_call_in, Path.cwd(), call)
    pool = get_reusable_executor(count, timeout=_IDLE, env=_environment(workers))
    futures = {pool.submit(call, task): i for i, task in enumerate(tasks)}
    try:
        for future in tqdm(as_completed(futures), total=len(tasks), desc=label):
            results[futures[future]] = future.result()
    except BaseException:
        pool.shutdown(kill_workers=True)
        raise
    return results


def _call(function, common, task):
    return function(**common, **task)


def _call_in(folder, call, task):
    os.chdir(folder)
    torch = sys.modules.get("torch")  # an earlier task may have changed its threads
    if torch:
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    return call(task)


def _environment(workers):
    # OpenMP and BLAS read the first three when numpy or torch is first imported.
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    threads = dict.fromkeys(names, str(max(1, (os.cpu_count() or 1) // workers)))
    own = {name: value for name, value in os.environ.items() if name.startswith("GRASPBOOK_")}
    return own | threads
