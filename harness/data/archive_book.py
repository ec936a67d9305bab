"""`ArchiveBook`: which archives an unfinished store has read to their end, and what was in them."""

import logging
from pathlib import Path
from typing import Any

from harness.core.errors import named
from harness.core.files import read_json, write_json
from harness.data.archives import ArchiveReport

logger = logging.getLogger(__name__)


class ArchiveBook:
    """A JSON file with an entry for each archive; one that changes is not the one of its entry."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def notes(self) -> tuple[str, ...]:
        """What was passed over in each archive, for people to read."""
        return tuple(entry["note"] for entry in self._entries().values() if entry["note"])

    def has_all_of(self, archive: Path) -> bool:
        """True where every image that this archive has is in the store already."""
        entry = self._entries().get(archive.name, {})
        return bool(entry) and entry["is_done"] and entry["identity"] == _identity(archive)

    def enter(self, archive: Path, report: ArchiveReport, *, is_done: bool) -> None:
        """Note what was met in an archive, and whether all of its images are in the store."""
        note, passed_over = "", report.passed_over
        if passed_over:
            told = named(passed_over)
            note = f"{archive.name}: {len(passed_over)} members passed over: {told}"
            logger.warning("%s", note)
        entry = {"identity": _identity(archive), "is_done": is_done, "note": note}
        write_json(self._path, self._entries() | {archive.name: entry})

    def reopen(self) -> None:
        """Let every archive be read again."""
        entries = self._entries()
        if entries:
            again = {name: entry | {"is_done": False} for name, entry in entries.items()}
            write_json(self._path, again)

    def _entries(self) -> dict[str, dict[str, Any]]:
        return dict(read_json(self._path)) if self._path.exists() else {}


def _identity(archive: Path) -> str:
    """What changes where an archive does."""
    stat = archive.stat()
    return f"{stat.st_size} bytes, {stat.st_mtime_ns} ns"
