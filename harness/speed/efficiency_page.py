"""What `harness speed efficiency` writes: its table, page, figures as JSON, and picture."""

from collections.abc import Mapping
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
    mean_cost,
)
from harness.speed.lcbench import DEVELOPMENT_TASKS, NUM_EPOCHS
from harness.speed.race import BUDGET_EPOCHS, NUM_WORKERS
from harness.speed.report import markdown_table, write_report

HEADERS = (
    "way to search", "times random, development", "times random, held out", "worst task",
    "hit rate", "ask ms",
)  # fmt: skip
TOOLS = ("optuna", "ray", "numpy", "scipy", "onnxruntime")

PAGE = """\
# How many trial-epochs a search needs

{table}

![Share of searches that have found it](efficiency.png)

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
search. `ask ms` is CPU time.
"""


def rows_of(efficiency: Efficiency) -> list[list[str]]:
    """The cells under `HEADERS`, a row for each way."""
    held_out = [task for task in efficiency.tasks if task not in DEVELOPMENT_TASKS]
    return [
        [
            row.title,
            _shown(row.mean(DEVELOPMENT_TASKS)),
            _shown(row.mean(held_out)),
            f"{row.worst:.2f}",
            f"{row.hit_rate:.3f}",
            "-" if row.ask_ms is None else f"{row.ask_ms:.0f}",
        ]
        for row in efficiency.rows
    ]


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def write_efficiency_report(
    efficiency: Efficiency, hardware: Mapping[str, Any], folder: Path
) -> list[Path]:
    """Write `efficiency.json`, `.md` and `.png` into a folder; their paths."""
    text = PAGE.format(
        table=markdown_table(HEADERS, rows_of(efficiency)),
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
    )
    paths = write_report(
        folder / "efficiency",
        figures=_figures_of(efficiency),
        text=text,
        hardware=hardware,
        tools=TOOLS,
    )
    from harness.speed.efficiency_figure import draw  # matplotlib takes a second

    return [*paths, draw(efficiency, folder / "efficiency.png")]


def _figures_of(efficiency: Efficiency) -> dict[str, Any]:
    """For the JSON: of random search what follows from its orders, which are many."""
    rows = []
    for row in efficiency.rows:
        told = row.model_dump(mode="json") | {
            "development": row.mean(DEVELOPMENT_TASKS),
            "held_out": row.mean([t for t in efficiency.tasks if t not in DEVELOPMENT_TASKS]),
            "worst": row.worst,
        }
        if row.way == RANDOM:
            told["epochs"] = {task: mean_cost(each) for task, each in row.epochs.items()}
        rows.append(told)
    return {"num_seeds": efficiency.num_seeds, "tasks": efficiency.tasks, "rows": rows}
