"""One `map` over independent tasks, on processes of this machine.

This is the only door through which work is spread, so that a cluster can be put behind it later.
"""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor, as_completed

from tqdm import tqdm


def run_tasks(function, tasks, workers, label):
    """Results of `function(*task)` for every task, in order, from `workers` processes (1: in this
    one).

    `function` must be importable and its arguments picklable. Processes are spawned, never forked, since torch and
    MuJoCo hold threads. Each gets its share of the cores. The first error stops what has not started and is raised.
    """
    tasks = list(tasks)
    if workers <= 1 or len(tasks) <= 1:
        return [function(*task) for task in tqdm(tasks, desc=label, disable=not tasks)]
    results = [None] * len(tasks)
    threads = max(1, (os.cpu_count() or 1) // workers)
    context = multiprocessing.get_context("spawn")
    workers = min(workers, len(tasks))
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=_limit_threads, initargs=(threads,)
    ) as pool:
        futures = {pool.submit(function, *task): i for i, task in enumerate(tasks)}
        try:
            for future in tqdm(as_completed(futures), total=len(tasks), desc=label):
                results[futures[future]] = future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return results


def _limit_threads(threads):
    # Read by OpenMP and BLAS when numpy or torch is first imported, which in a spawned process is
    # still to come.
    os.environ.update(
        {
            name: str(threads)
            for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        }
    )
