"""How many trial-epochs ways to search need, ours and others', on real learning curves.

A way has found what it is to find when a trial scores as the best 2 % of configurations that are
drawn by chance and trained to their end. What random search needs is expected, not measured: it is
the mean over many orders of the configurations drawn for the target. All others run with the same
seeds. A miss counts twice the budget.
"""

import math
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError
from harness.core.recipe import Frozen
from harness.core.seeds import derive_seed
from harness.search.axes import Axes
from harness.speed.contenders import ASHA, WAYS
from harness.speed.lcbench import DEVELOPMENT_TASKS, NUM_EPOCHS, LcBench
from harness.speed.race import BUDGET_EPOCHS, NUM_WORKERS, Finish, race

FloatArray = NDArray[np.float64]
TaskSet = Literal["dev", "held-out", "all"]

NUM_POOL = 2000
"""Configurations of each task that are drawn by chance and trained to their end."""
SHARE_GOOD = 0.02
NUM_ORDERS = 2000
NUM_WARM = 3
"""A warm start has the best configurations of so many other development tasks."""
POOL_SEED = 0
NUM_NEWS = 20
"""Lines about how far the races are."""
RANDOM = "random-whole"
RANDOM_TITLE = "random, full length (expected)"


@dataclass(frozen=True)
class Job:
    """One race."""

    way: str
    task: str
    seed: int


@dataclass(frozen=True)
class Pool:
    """Configurations of a task drawn by chance, and their best scores so far; N x 52."""

    points: list[dict[str, Any]]
    score_NE: FloatArray

    @property
    def target(self) -> float:
        """What the best 2 % reach at the end."""
        return float(np.quantile(self.score_NE[:, -1], 1 - SHARE_GOOD))


class Row(Frozen):
    """What one way needed.

    Attributes:
        speed_up: By task: how many times fewer trial-epochs than random search, in the mean over
            seeds.
        ask_ms: CPU time that a trial's values took, in the mean.
        epochs: By task: of each seed; None where it missed.
    """

    way: str
    title: str
    speed_up: dict[str, float]
    hit_rate: float
    ask_ms: float | None = None
    epochs: dict[str, list[int | None]]

    def mean(self, tasks: Sequence[str]) -> float | None:
        """The geometric mean of the speed-up over those of its tasks that are among `tasks`."""
        logs = [math.log(value) for task, value in self.speed_up.items() if task in tasks]
        return math.exp(fmean(logs)) if logs else None

    @property
    def worst(self) -> float:
        return min(self.speed_up.values())


class Efficiency(Frozen):
    """All rows, random search first."""

    rows: tuple[Row, ...]
    num_seeds: int
    tasks: tuple[str, ...]


def compare(
    folder: Path,
    *,
    tasks: TaskSet = "all",
    num_seeds: int = 10,
    ways: Sequence[str] = tuple(WAYS),
    tell: Callable[[str], None],
) -> Efficiency:
    """Race every way on every task with every seed, on all cores.

    Args:
        folder: Of the surrogate.
        tell: Called with a line about what is done.

    Raises:
        HarnessError: There is no surrogate.
    """
    chosen = tasks_of(LcBench(folder), tasks)
    jobs = [
        Job(way, task, seed)
        for way in ways
        for seed in range(min(num_seeds, WAYS[way].max_seeds or num_seeds))
        for task in chosen
    ]
    found: dict[Job, Finish] = {}
    with _workers(folder) as pool:
        tell(f"random search on {len(chosen)} tasks")
        expected = dict(zip(chosen, pool.map(_expected_random, chosen), strict=True))
        waiting: dict[Future[Finish], Job] = {pool.submit(_race, job): job for job in jobs}
        while waiting:
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                job = waiting.pop(future)
                found[job] = future.result()
                if line := _news(job, found, jobs):
                    tell(line)
    rows = [
        _row(way, found, {task: mean_cost(each) for task, each in expected.items()}) for way in ways
    ]
    return Efficiency(
        rows=(_random_row(expected), *rows), num_seeds=num_seeds, tasks=tuple(chosen)
    )  # fmt: skip


def task_set(name: str) -> TaskSet:
    """A set of tasks by its name.

    Raises:
        HarnessError: There is none of that name.
    """
    for known in get_args(TaskSet):
        if name == known:
            return cast(TaskSet, known)
    raise HarnessError(f"--tasks {name}: give one of {', '.join(get_args(TaskSet))}")


def tasks_of(bench: LcBench, tasks: TaskSet) -> list[str]:
    """The tasks to run: those that methods were chosen on, the others, or all."""
    is_wanted = {
        "dev": lambda task: task in DEVELOPMENT_TASKS,
        "held-out": lambda task: task not in DEVELOPMENT_TASKS,
        "all": lambda task: True,
    }[tasks]
    return [task for task in bench.tasks if is_wanted(task)]


def _news(job: Job, found: Collection[Job], jobs: Sequence[Job]) -> str | None:
    """What is told of a race that has ended: every twentieth of all, and the last of its way."""
    num_left = sum(other.way == job.way and other not in found for other in jobs)
    if num_left and len(found) % max(1, len(jobs) // NUM_NEWS):
        return None
    left = f"{num_left} races to go" if num_left else "all of its races are over"
    return f"{len(found)} of {len(jobs)} races; {WAYS[job.way].title}: {left}"


# In a process of its own ------------------------------------------------------------------------


@contextmanager
def _workers(folder: Path) -> Iterator[ProcessPoolExecutor]:
    """A process for each core, with one thread each: more would wait for one another."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    before = {name: os.environ.get(name) for name in threads}
    os.environ.update(threads)
    pool = ProcessPoolExecutor(
        os.cpu_count(), mp_context=get_context("spawn"), initializer=_open, initargs=(folder,)
    )
    try:
        yield pool
        pool.shutdown()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _open(folder: Path) -> None:
    global _bench
    _bench = LcBench(folder)


_bench: LcBench


@cache
def _pool(task: str) -> Pool:
    return draw_pool(_bench, task)


def draw_pool(bench: LcBench, task: str, num_points: int = NUM_POOL) -> Pool:
    """The configurations drawn by chance; the same ones for every task."""
    axes, rng = Axes(bench.space(ASHA)), np.random.default_rng(POOL_SEED)
    points = [axes.draw(rng) for _ in range(num_points)]
    return Pool(points, np.maximum.accumulate(bench.curves(task, points), axis=1))


def _race(job: Job) -> Finish:
    way = WAYS[job.way]
    points = warm_points(_pool, job.task, job.seed) if way.is_warm else []
    # With the first points the same on every task, a lucky seed would be lucky on all of them.
    seed = derive_seed(job.seed, "race", job.task)
    contender = way.make(_bench.space(way.settings), seed, points)

    def curve_of(values: Mapping[str, Any]) -> FloatArray:
        return _bench.curves(job.task, [values])[0]

    return race(contender, curve_of, _pool(job.task).target)


def warm_points(pool_of: Callable[[str], Pool], task: str, seed: int) -> list[dict[str, Any]]:
    """The best of all configurations drawn, of three other development tasks chosen by lot.

    Each stands for the winner of an earlier, thorough search.
    """
    rng = np.random.default_rng(derive_seed(seed, "warm", task))
    others = [other for other in DEVELOPMENT_TASKS if other != task]
    pools = [pool_of(str(other)) for other in rng.permutation(others)[:NUM_WARM]]
    return [pool.points[int(np.argmax(pool.score_NE[:, -1]))] for pool in pools]


def _expected_random(task: str) -> list[int | None]:
    """Trial-epochs that random search needs in many orders; four workers train side by side."""
    pool = _pool(task)
    is_hit_NE = pool.score_NE >= pool.target
    first_N = np.where(is_hit_NE.any(1), is_hit_NE.argmax(1), NUM_EPOCHS)
    rng = np.random.default_rng(derive_seed(POOL_SEED, "orders", task))
    num_rounds = math.ceil(BUDGET_EPOCHS / (NUM_WORKERS * NUM_EPOCHS))
    first_ORW = first_N[rng.integers(NUM_POOL, size=(NUM_ORDERS, num_rounds, NUM_WORKERS))]
    round_R1 = np.arange(num_rounds)[:, None] * NUM_EPOCHS
    used_ORW = (round_R1 + first_ORW) * NUM_WORKERS + np.arange(1, NUM_WORKERS + 1)
    used_O = np.where(first_ORW < NUM_EPOCHS, used_ORW, BUDGET_EPOCHS + 1).min(axis=(1, 2))
    return [int(used) if used <= BUDGET_EPOCHS else None for used in used_O]


# The rows ---------------------------------------------------------------------------------------


def mean_cost(epochs: Sequence[int | None]) -> float:
    """Trial-epochs in the mean; a miss counts twice the budget."""
    return fmean(2 * BUDGET_EPOCHS if used is None else used for used in epochs)


def _hit_rate(epochs: Mapping[str, Sequence[int | None]]) -> float:
    return fmean(used is not None for of_task in epochs.values() for used in of_task)


def _random_row(expected: Mapping[str, list[int | None]]) -> Row:
    return Row(
        way=RANDOM,
        title=RANDOM_TITLE,
        speed_up=dict.fromkeys(expected, 1.0),
        hit_rate=_hit_rate(expected),
        epochs=dict(expected),
    )


def _row(way: str, found: Mapping[Job, Finish], random_epochs: Mapping[str, float]) -> Row:
    mine = {job: finish for job, finish in found.items() if job.way == way}
    epochs = {
        task: [
            mine[job].num_epochs
            for job in sorted(mine, key=lambda job: job.seed)
            if job.task == task
        ]
        for task in random_epochs
    }
    ask_s = sum(finish.ask_s for finish in mine.values())
    return Row(
        way=way,
        title=WAYS[way].title,
        speed_up={task: random_epochs[task] / mean_cost(epochs[task]) for task in random_epochs},
        hit_rate=_hit_rate(epochs),
        ask_ms=1000 * ask_s / sum(finish.num_trials for finish in mine.values()),
        epochs=epochs,
    )
