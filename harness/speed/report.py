"""What `harness speed` writes: figures as JSON and as a page, and what they were measured with."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from harness.core.files import write_json, write_text
from harness.core.provenance import git_state, package_versions
from harness.core.records import now


def write_report(
    path: Path, *, figures: Mapping[str, Any], text: str, hardware: Mapping[str, Any],
    tools: Sequence[str],
) -> list[Path]:  # fmt: skip
    """Write the figures of one comparison; the paths of its JSON and its page.

    Args:
        path: Without an ending; its name is that of the command.
        figures: What was measured, for the JSON.
        text: The page, but for its last lines.
        hardware: As `describe_hardware` tells it.
        tools: Packages whose versions the page names.
    """
    commit, is_dirty = git_state()
    origin: dict[str, Any] = {
        "at": now(),
        "hardware": dict(hardware),
        "versions": package_versions() | {name: version(name) for name in tools},
        "git_commit": commit,
        "git_dirty": is_dirty,
    }
    paths = [path.with_suffix(".json"), path.with_suffix(".md")]
    write_json(paths[0], {**origin, **figures})
    write_text(paths[1], f"{text}\n{_told(origin, tools)}\nMade by `harness speed {path.name}`.\n")
    return paths


def markdown_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table for a page, all columns but the first to the right."""
    lines = ["| " + " | ".join(row) + " |" for row in (headers, *rows)]
    lines.insert(1, "| --- |" + " ---: |" * (len(headers) - 1))
    return "\n".join(lines)


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
