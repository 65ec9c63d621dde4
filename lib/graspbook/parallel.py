"""One `map` over independent tasks, on processes of this machine.

Work is spread through here alone, so that a cluster can be put behind it later.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from typing import Any

from tqdm import tqdm


def run_tasks(
    function: Callable[..., Any],
    tasks: Iterable[Mapping[str, Any]],
    workers: int,
    label: str,
    *,
    common: Mapping[str, Any] | None = None,
) -> list[Any]:
    """Results of `function(**common, **task)` for every task, in their order.

    Processes are spawned, never forked, since torch and MuJoCo hold threads. Each gets its share of
    the cores. The first error stops what has not started and is raised.

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
    threads = max(1, (os.cpu_count() or 1) // workers)
    context = multiprocessing.get_context("spawn")
    workers = min(workers, len(tasks))
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=_limit_threads, initargs=(threads,)
    ) as pool:
        futures = {pool.submit(call, task): i for i, task in enumerate(tasks)}
        try:
            for future in tqdm(as_completed(futures), total=len(tasks), desc=label):
                results[futures[future]] = future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return results


def _call(function, common, task):
    return function(**common, **task)


def _limit_threads(threads):
    # Read by OpenMP and BLAS when numpy or torch is first imported, which in a spawned process is
    # still to come.
    os.environ.update(
        {
            name: str(threads)
            for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        }
    )
