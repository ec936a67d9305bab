"""What `harness speed` writes: one table, its picture, and what it was measured with.

A command measures `Row`s: what the harness takes, what a peer takes for the same, how many times
better that is, and what is wanted. All commands show them alike.
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import Field

from harness.core.files import write_json, write_text
from harness.core.provenance import git_state, package_versions
from harness.core.recipe import Frozen
from harness.core.records import now

HEADERS = ("what", "harness", "peer", "times as good", "goal", "holds")
NOT_INSTALLED = "not installed"


class Row(Frozen):
    """One thing that was measured.

    Attributes:
        what: The work, in words.
        unit: Of `ours` and `peer`.
        ours: What the harness takes, or does in a second where `is_rate`.
        peer: The same of the peer; None where there is none, or it is not installed.
        peer_name: Whom the harness is compared with.
        is_rate: More is better.
        goal: With a `peer_name` the least ratio that is wanted; without one the worst of `ours`.
        limit: What keeps it from being better, where it falls short.
    """

    what: str
    unit: str
    ours: float
    peer: float | None = None
    peer_name: str = ""
    is_rate: bool = False
    goal: float | None = None
    limit: str = ""

    @property
    def ratio(self) -> float | None:
        """Times as good as the peer."""
        if self.peer is None:
            return None
        return self.ours / self.peer if self.is_rate else self.peer / self.ours

    @property
    def holds(self) -> bool | None:
        """Whether the goal is reached; None where there is none, or no peer to compare with."""
        if self.goal is None:
            return None
        if self.peer_name:
            return None if self.ratio is None else self.ratio >= self.goal
        return self.ours >= self.goal if self.is_rate else self.ours <= self.goal

    @property
    def cells(self) -> list[str]:
        """Under `HEADERS`."""
        peer = "-"
        if self.peer_name:
            told = NOT_INSTALLED if self.peer is None else f"{figure(self.peer)} {self.unit}"
            peer = f"{told} ({self.peer_name})"
        return [
            self.what,
            f"{figure(self.ours)} {self.unit}",
            peer,
            "-" if self.ratio is None else figure(self.ratio),
            self._told_goal(),
            {True: "yes", False: "NO", None: "-"}[self.holds],
        ]

    def _told_goal(self) -> str:
        if self.goal is None:
            return "-"
        if self.peer_name:
            return f"{self.goal:,g} times"
        return f"{'at least' if self.is_rate else 'at most'} {self.goal:,g} {self.unit}"


class Speed(Frozen):
    """What a command measured.

    Attributes:
        title: Of its page.
        rows: What its table and its picture show.
        notes: What exactly was compared, in Markdown.
        tools: Packages whose versions the page names.
        figures: What else was measured, for the JSON.
    """

    title: str
    rows: tuple[Row, ...]
    notes: str
    tools: tuple[str, ...]
    figures: dict[str, Any] = Field(default_factory=dict)


def write_speed(path: Path, speed: Speed, hardware: Mapping[str, Any]) -> list[Path]:
    """Write JSON, page and picture of what was measured; their paths.

    Args:
        path: Without an ending; its name is that of the command.
        speed: What was measured.
        hardware: As `describe_hardware` tells it.
    """
    short = [row for row in speed.rows if row.limit and row.holds is False]
    limits = list(dict.fromkeys(f"- {row.what}: {row.limit}" for row in short))
    if limits:
        limits = ["\nWhat limits it:\n", *limits]
    table = markdown_table(HEADERS, [row.cells for row in speed.rows])
    text = "\n".join([f"# {speed.title}", "", table, "", speed.notes.strip(), *limits, ""])
    return write_report(
        path,
        figures=speed.figures,
        text=text,
        hardware=hardware,
        tools=speed.tools,
        rows=speed.rows,
    )


def write_report(
    path: Path,
    *,
    figures: Mapping[str, Any],
    text: str,
    hardware: Mapping[str, Any],
    tools: Sequence[str],
    rows: Sequence[Row] = (),
) -> list[Path]:
    """Write the figures of one command; the paths of its JSON, its page and its picture.

    Args:
        path: Without an ending; its name is that of the command.
        figures: What was measured, for the JSON.
        text: The page, but for its last lines.
        hardware: As `describe_hardware` tells it.
        tools: Packages whose versions the page names.
        rows: For the JSON and the picture; without a ratio among them there is no picture.
    """
    commit, is_dirty = git_state()
    origin: dict[str, Any] = {
        "at": now(),
        "hardware": dict(hardware),
        "versions": package_versions() | {name: _version(name) for name in tools},
        "git_commit": commit,
        "git_dirty": is_dirty,
    }
    told: dict[str, Any] = {**origin, **figures}
    if rows:
        told["rows"] = [
            row.model_dump(mode="json") | {"ratio": row.ratio, "holds": row.holds} for row in rows
        ]
    paths = [path.with_suffix(".json"), path.with_suffix(".md")]
    write_json(paths[0], told)
    page = f"{text}\n{_told(origin, tools)}\nMade by `harness speed {path.name}`.\n"
    if any(row.ratio is not None for row in rows):
        from harness.speed.picture import draw_ratios

        paths.append(draw_ratios(path.with_suffix(".png"), rows))
        page += f"\n![Ratios of all rows, and the goals]({paths[-1].name})\n"
    write_text(paths[1], page)
    return paths


def figure(value: float) -> str:
    """A number as tables show it: three digits, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def markdown_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table for a page, all columns but the first to the right."""
    lines = ["| " + " | ".join(row) + " |" for row in (headers, *rows)]
    lines.insert(1, "| --- |" + " ---: |" * (len(headers) - 1))
    return "\n".join(lines)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return NOT_INSTALLED


def _told(origin: Mapping[str, Any], tools: Sequence[str]) -> str:
    """On what, with what and when it was measured."""
    hardware = origin["hardware"]
    versions = ", ".join(f"{name} {origin['versions'][name]}" for name in tools)
    commit = origin["git_commit"][:12] or "unknown"
    changes = ", with changes" if origin["git_dirty"] else ""
    return (
        f"{hardware['cores']} cores ({hardware['cpu']}), {hardware['memory_gb']} GB; "
        f"load before: {hardware['load_before']}. {versions}; commit {commit}{changes}; "
        f"{origin['at']}."
    )
