"""The comparison of searches as JSON, and as a page with a table."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.core.files import write_json, write_text
from harness.core.provenance import git_state, package_versions
from harness.core.records import now
from harness.speed.measure import NUM_IMAGES, SAMPLES_AT, SIZE_PX, Measurement
from harness.speed.search import CONTENDERS

HEADERS = (
    "way", "trials", "wall s", "training s", "overhead s a trial", "of later trials",
    "first trial ended after s", f"driver MB at {', '.join(map(str, SAMPLES_AT))} % of the time",
)  # fmt: skip


def write_report(
    measurements: Mapping[str, Measurement], hardware: Mapping[str, Any], folder: Path
) -> list[Path]:
    """Write `search.json` and `search.md` into a folder; their paths."""
    commit, is_dirty = git_state()
    origin = {
        "at": now(),
        "hardware": dict(hardware),
        "versions": package_versions(),
        "git_commit": commit,
        "git_dirty": is_dirty,
    }
    figures = {
        name: each.model_dump(mode="json")
        | {"overhead_s": each.overhead_s, "later_overhead_s": each.later_overhead_s}
        for name, each in measurements.items()
    }
    paths = [folder / "search.json", folder / "search.md"]
    write_json(paths[0], origin | {"contenders": figures})
    write_text(paths[1], _page(measurements, origin))
    return paths


def rows_of(measurements: Mapping[str, Measurement]) -> list[list[str]]:
    """The cells under `HEADERS`, a row for each contender."""
    return [
        [
            CONTENDERS[name].title,
            str(each.num_trials),
            f"{each.wall_s:.1f}",
            f"{each.training_s:.1f}",
            f"{each.overhead_s:.2f}",
            "-" if each.later_overhead_s is None else f"{each.later_overhead_s:.2f}",
            f"{each.first_s:.1f}",
            ", ".join(f"{size:.0f}" for size in each.rss_mb.values()) or "-",
        ]
        for name, each in measurements.items()
    ]


def _page(measurements: Mapping[str, Measurement], origin: Mapping[str, Any]) -> str:
    rows = ["| " + " | ".join(row) + " |" for row in (HEADERS, *rows_of(measurements))]
    rows.insert(1, "| --- |" + " ---: |" * (len(HEADERS) - 1))
    hardware, versions = origin["hardware"], origin["versions"]
    tools = ", ".join(f"{name} {versions[name]}" for name in TOOLS if name in versions)
    slots = next(iter(measurements.values())).num_slots
    commit = (origin["git_commit"][:12] or "unknown") + (
        ", with changes" if origin["git_dirty"] else ""
    )
    return PAGE.format(
        table="\n".join(rows), slots=slots, num_images=NUM_IMAGES, size_px=SIZE_PX,
        cores=hardware["cores"], cpu=hardware["cpu"], memory=hardware["memory_gb"],
        load=hardware["load_before"], tools=tools, commit=commit, at=origin["at"],
    )  # fmt: skip


TOOLS = ("ray", "optuna", "mlflow", "torch")

PAGE = """\
# What a search costs beside its training

{table}

Overhead = (wall time - training time / {slots} trials at a time) / trials, in seconds. Each trial
is one epoch of a small network on {num_images} images of {size_px} px, with all that a real one
writes. "Of later trials" is the same between the first and the last end, without what a start
costs once. Every way has a process of its own, a Ray that was up before the clock started, and the
same training function; training time is what the run records call their duration. The stock way
starts a worker process for each trial, so it is given fewer; with `reuse_actors=True` it keeps
them, as the harness does.

{cores} cores ({cpu}), {memory} GB; load before: {load}. {tools}; commit {commit}; {at}.
Made by `harness speed search`.
"""
