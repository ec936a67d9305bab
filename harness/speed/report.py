"""What `harness speed` writes: one table, its picture, and what it was measured with.

A command measures `Row`s: what the harness takes, what a peer takes for the same, how many times
better that is, and what is wanted. All commands show them alike.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
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
        ours: What the harness takes, or does in a second where `is_rate`; None where `note` says
            why there is no figure.
        peer: The same of the peer; None where there is none, or it is not installed.
        peer_name: Whom the harness is compared with.
        is_rate: More is better.
        goal: With a `peer_name` the least ratio that is wanted; without one the worst of `ours`.
        limit: What keeps it from being better, where it falls short.
        note: Why `ours` is None.
        paired_ratio: Times as good as the peer in the median over pairs of timings that took turns,
            which tells more than the ratio of two medians.
    """

    what: str
    unit: str
    ours: float | None
    peer: float | None = None
    peer_name: str = ""
    is_rate: bool = False
    goal: float | None = None
    limit: str = ""
    note: str = ""
    paired_ratio: float | None = None

    @property
    def ratio(self) -> float | None:
        """Times as good as the peer."""
        if self.peer is None or self.ours is None:
            return None
        if self.paired_ratio is not None:
            return self.paired_ratio
        return self.ours / self.peer if self.is_rate else self.peer / self.ours

    @property
    def holds(self) -> bool | None:
        """Whether the goal is reached; None where there is none, or no peer to compare with."""
        if self.goal is None or self.ours is None:
            return None
        if self.peer_name:
            return None if self.ratio is None else self.ratio >= self.goal
        return self.ours >= self.goal if self.is_rate else self.ours <= self.goal

    @property
    def cells(self) -> list[str]:
        """Under `HEADERS`."""
        peer = "-"
        if self.peer_name:
            told = NOT_INSTALLED if self.peer is None else self._in_unit(self.peer)
            peer = f"{told} ({self.peer_name})"
        return [
            f"{self.what} ({self.note})" if self.note else self.what,
            "-" if self.ours is None else self._in_unit(self.ours),
            peer,
            "-" if self.ratio is None else figure(self.ratio),
            self._told_goal(),
            {True: "yes", False: "NO", None: "-"}[self.holds],
        ]

    def _in_unit(self, value: float) -> str:
        return f"{figure(value)} {self.unit}".rstrip()

    def _told_goal(self) -> str:
        if self.goal is None:
            return "-"
        if self.peer_name:
            return f"{self.goal:,g} times"
        return f"{'at least' if self.is_rate else 'at most'} {self.goal:,g} {self.unit}".rstrip()


class Table(Frozen):
    """A table of a form of its own."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Speed(Frozen):
    """What a command measured.

    Attributes:
        title: Of its page.
        rows: What its table and its picture show.
        notes: What exactly was compared, in Markdown.
        tools: Packages whose versions the page names.
        figures: What else was measured, for the JSON.
        more: A table that is shown after that of the rows.
        draw: Draws into a PNG file what is shown in place of the rows' ratios.
    """

    title: str
    rows: tuple[Row, ...]
    notes: str
    tools: tuple[str, ...]
    figures: dict[str, Any] = Field(default_factory=dict)
    more: Table | None = None
    draw: Callable[[Path], object] | None = None

    @property
    def tables(self) -> list[Table]:
        """All, that of the rows first."""
        rows = Table(headers=HEADERS, rows=tuple(tuple(row.cells) for row in self.rows))
        return [rows, self.more] if self.more else [rows]


def write_speed(path: Path, speed: Speed, hardware: Mapping[str, Any]) -> list[Path]:
    """Write JSON, page and picture of what was measured; their paths.

    Without a ratio among the rows, or without matplotlib, there is no picture of them.

    Args:
        path: Without an ending; its name is that of the command.
        speed: What was measured.
        hardware: As `describe_hardware` tells it.
    """
    commit, is_dirty = git_state()
    origin: dict[str, Any] = {
        "at": now(),
        "hardware": dict(hardware),
        "versions": package_versions() | {name: _version(name) for name in speed.tools},
        "git_commit": commit,
        "git_dirty": is_dirty,
    }
    return write_measured(path, speed, origin)


def write_measured(path: Path, speed: Speed, origin: Mapping[str, Any]) -> list[Path]:
    """The same of what was measured elsewhere or before, with the origin that its JSON had."""
    rows = [
        row.model_dump(mode="json") | {"ratio": row.ratio, "holds": row.holds} for row in speed.rows
    ]
    paths = [path.with_suffix(".json"), path.with_suffix(".md")]
    write_json(paths[0], {**origin, **speed.figures, "rows": rows})
    page = f"{_page(speed)}\n{_told(origin, speed.tools)}\nMade by `harness speed {path.name}`.\n"
    picture = path.with_suffix(".png")
    if _draw(picture, speed):
        paths.append(picture)
        page += f"\n![{speed.title}]({picture.name})\n"
    write_text(paths[1], page)
    return paths


def _page(speed: Speed) -> str:
    """All but its last lines."""
    limited: dict[str, list[str]] = {}
    for row in speed.rows:
        if row.limit and row.holds is False and row.what not in limited.get(row.limit, ()):
            limited.setdefault(row.limit, []).append(row.what)
    limits = [f"- {'; '.join(rows)}: {limit}" for limit, rows in limited.items()]
    if limits:
        limits = ["\nWhat limits it:\n", *limits]
    tables = [f"{markdown_table(each.headers, each.rows)}\n" for each in speed.tables]
    return "\n".join([f"# {speed.title}\n", *tables, speed.notes.strip(), *limits, ""])


def _draw(path: Path, speed: Speed) -> bool:
    """Whether there is a picture now."""
    if find_spec("matplotlib") is None:
        return False
    if speed.draw:
        speed.draw(path)
        return True
    if not any(row.ratio is not None for row in speed.rows):
        return False
    from harness.speed.picture import draw_ratios

    draw_ratios(path, speed.rows)
    return True


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
