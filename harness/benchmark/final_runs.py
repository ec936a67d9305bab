"""Which runs a benchmark needs: every contestant trained again with the same fresh seeds."""

import re
from collections.abc import Sequence
from pathlib import Path

from harness.benchmark.contestants import Contestant
from harness.core.run import Run
from harness.core.run_dir import RunDirectory
from harness.core.seeds import derive_seed


def final_seed(k: int) -> int:
    """The training seed of the k-th final run, the same for every contestant and benchmark.

    It is derived by name, so no trial of a search has trained with it.
    """
    return derive_seed(0, "final", k) % 2**31


def final_runs(
    contestants: Sequence[Contestant], *, seeds: int, benchmark: str, results: Path, store: str
) -> list[Run]:
    """The final runs, seed by seed, so that an interrupted benchmark has compared all it can.

    Args:
        seeds: How many runs each contestant gets.
        benchmark: Name of the benchmark, and of its folder in `results`.
        store: Fingerprint of the image store to train on.
    """
    folder = results.resolve() / benchmark / "runs"
    return [
        _final_run(contestant, k, folder=folder, store=store)
        for k in range(seeds)
        for contestant in contestants
    ]


def _final_run(contestant: Contestant, k: int, *, folder: Path, store: str) -> Run:
    recipe = contestant.recipe.with_values({"seed": final_seed(k), "data.store": store})
    name = f"{_as_file_name(contestant.slug)}-s{k}-{recipe.run_id[:6]}"
    return Run(
        group=folder.parent.name,
        name=name,
        kind="final",
        recipe=recipe,
        directory=RunDirectory(folder / name),
    )


def _as_file_name(slug: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", slug)
