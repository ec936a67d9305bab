"""What `harness speed efficiency` shows: its goals, a table of all ways, and its picture."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from harness.speed.contenders import WAYS
from harness.speed.efficiency import (
    NUM_ORDERS,
    NUM_POOL,
    NUM_WARM,
    RANDOM,
    SHARE_GOOD,
    Efficiency,
    TaskSet,
    compare,
    mean_cost,
)
from harness.speed.lcbench import DEVELOPMENT_TASKS, NUM_EPOCHS
from harness.speed.race import BUDGET_EPOCHS, NUM_WORKERS
from harness.speed.report import Row, Speed, Table

HEADERS = (
    "way to search", "times random, development", "times random, held out", "worst task",
    "hit rate", "ask ms",
)  # fmt: skip
TOOLS = ("optuna", "ray", "numpy", "scipy", "onnxruntime")
GOALS = {"gp": 5, "gp-warm": 20}
"""Times fewer trial-epochs than random search, without and with a warm start."""
GOAL_WORST, GOAL_HITS = 1, 0.95
LIMITS = {
    "gp-warm": "where none of the winners of other tasks is good enough, as on the tasks with the "
    "lowest figures, the search goes on as a cold one"
}

NOTES = """\
The tasks are {num_tasks} of LCBench's, in the surrogate of YAHPO Gym: 7 hyperparameters, curves of
{num_epochs} epochs. A search has found it when a trial scores as the best {percent:g} % of
{num_pool:,} configurations drawn by chance and trained to their end, before {budget:,} trial-epochs
are spent; a miss counts twice that. {num_workers} workers train side by side, one epoch of each a
tick. `times random` is the geometric mean over tasks of how many times fewer trial-epochs a way
needed than random search, in the mean of {num_seeds} seeds (of {few} for Optuna's Gaussian
process, which is slow); random search's own are expected, from {num_orders:,} orders. ASHA has
rungs at 1, 3, 9 and 27 epochs and a reduction factor of 3; `full length` trains every trial to its
end. Methods and settings were chosen on the development tasks
({development}); the others are held out. A warm start
has the best of the {num_pool:,} configurations of each of {num_warm} other development tasks. Ray's
rows are Ray's own classes, called as its controller calls them; ours the `Study` and `Asha` of a
search. `ask ms` is CPU time. The picture is of the share of searches that have found it.

Tried instead of what `gp` with ASHA does, and left out, as none of it gave more than chance does:
how many times fewer trial-epochs, as geometric mean over races of equal task and seed on
development tasks, within twice the standard error (the tasks of a seed shared their first points,
so that it is more); a search missed where 1,500 trial-epochs or 160 trials did not find it.

| tried | races | times fewer | searches missed |
| --- | --- | --- | --- |
{tried}
"""

TRIED = (
    ("the score as the logarithm of its distance from the best", 56, "1.10 (0.91 to 1.34)", 1),
    ("that and the score itself, by lot", 28, "0.95 (0.67 to 1.33)", 1),
    ("first points by Sobol's sequence", 56, "0.94 (0.74 to 1.20)", 0),
    ("Thompson samples in place of expected improvement", 56, "0.94 (0.76 to 1.16)", 1),
    (
        "from epoch 9 on the process, too, ends trials: the expected last score lags by half of "
        "its standard deviation",
        56, "1.06 (0.88 to 1.28)", 0,
    ),
    ("the same as soon as the expected last score lags", 56, "1.13 (0.92 to 1.38)", 1),
    ("the process alone ends trials, by one standard deviation", 23, "0.82 (0.68 to 0.98)", 1),
)  # fmt: skip
"""In how many races it was tried, what it gave, and how many searches did not find it."""


def measure_efficiency(
    folder: Path, tasks: TaskSet, num_seeds: int, tell: Callable[[str], None]
) -> Speed:
    """Race all ways to search on the surrogate in a folder.

    Raises:
        HarnessError: There is no surrogate.
    """
    return told(compare(folder, tasks=tasks, num_seeds=num_seeds, tell=tell))


def told(efficiency: Efficiency) -> Speed:
    """The goals, the table and the picture of known races."""
    from harness.speed.efficiency_figure import draw  # matplotlib takes a second

    return Speed(
        title="How many trial-epochs a search needs",
        rows=tuple(goal_rows(efficiency)),
        notes=_notes(efficiency),
        tools=TOOLS,
        figures=_figures_of(efficiency),
        more=Table(headers=HEADERS, rows=tuple(table_rows(efficiency))),
        draw=partial(draw, efficiency),
    )


def goal_rows(efficiency: Efficiency) -> list[Row]:
    """What is wanted of our own ways; of held-out tasks, where these were among the tasks."""
    tasks, kind = _held_out(efficiency), "held-out"
    if not tasks:
        tasks, kind = list(efficiency.tasks), "development"
    rows = []
    for way in efficiency.rows:
        goal = GOALS.get(way.way)
        if goal is None:
            continue
        found: list[tuple[str, str, float | None, float]] = [
            (f"times random search, mean over {kind} tasks", "times", way.mean(tasks), goal),
            ("times random search, worst task", "times", way.worst, GOAL_WORST),
            ("share of searches that have found it", "", way.hit_rate, GOAL_HITS),
        ]
        rows += [
            Row(
                what=f"{way.title}: {what}",
                unit=unit,
                ours=value,
                is_rate=True,
                goal=wanted,
                limit=LIMITS.get(way.way, ""),
            )
            for what, unit, value, wanted in found
        ]
    return rows


def table_rows(efficiency: Efficiency) -> list[tuple[str, ...]]:
    """The cells under `HEADERS`, a row for each way."""
    held_out = _held_out(efficiency)
    return [
        (
            row.title,
            _shown(row.mean(DEVELOPMENT_TASKS)),
            _shown(row.mean(held_out)),
            f"{row.worst:.2f}",
            f"{row.hit_rate:.3f}",
            "-" if row.ask_ms is None else f"{row.ask_ms:.0f}",
        )
        for row in efficiency.rows
    ]


def _held_out(efficiency: Efficiency) -> list[str]:
    return [task for task in efficiency.tasks if task not in DEVELOPMENT_TASKS]


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _notes(efficiency: Efficiency) -> str:
    return NOTES.format(
        num_tasks=len(efficiency.tasks),
        num_epochs=NUM_EPOCHS,
        percent=100 * SHARE_GOOD,
        num_pool=NUM_POOL,
        budget=BUDGET_EPOCHS,
        num_workers=NUM_WORKERS,
        num_seeds=efficiency.num_seeds,
        num_orders=NUM_ORDERS,
        few=min(efficiency.num_seeds, WAYS["gp-whole"].max_seeds or efficiency.num_seeds),
        development=", ".join(DEVELOPMENT_TASKS),
        num_warm=NUM_WARM,
        tried="\n".join(f"| {' | '.join(map(str, each))} |" for each in TRIED),
    )


def _figures_of(efficiency: Efficiency) -> dict[str, Any]:
    """For the JSON: of random search what follows from its orders, which are many."""
    ways = []
    for row in efficiency.rows:
        told = row.model_dump(mode="json") | {
            "development": row.mean(DEVELOPMENT_TASKS),
            "held_out": row.mean(_held_out(efficiency)),
            "worst": row.worst,
        }
        if row.way == RANDOM:
            told["epochs"] = {task: mean_cost(each) for task, each in row.epochs.items()}
        ways.append(told)
    return {"num_seeds": efficiency.num_seeds, "tasks": efficiency.tasks, "ways": ways}
