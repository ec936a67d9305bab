"""Files of JSON lines that only grow: a value a line, the last of which a crash may cut off."""

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.core.files import naming_a_full_disk

PIECE_BYTES = 4096


def read_json_lines(path: Path) -> list[Any]:
    """The values, of whole lines alone; none where there is no file.

    Raises:
        ValueError: A line is not JSON, or the file is not text.
    """
    return [json.loads(line) for line in whole_lines(path)]


def whole_lines(path: Path) -> list[bytes]:
    """The lines that no crash has cut off; none where there is no file."""
    if not path.exists():
        return []
    data = path.read_bytes()
    return data[: data.rfind(b"\n") + 1].splitlines()


def append_json_lines(path: Path, values: Iterable[Any], *, is_synced: bool = False) -> None:
    """Append a line for each value, in place of one that a crash has cut off: all, or none.

    Args:
        is_synced: Return only when the disk has them, whatever happens then.

    Raises:
        ValueError: A value has a NaN or an infinity.
        OSError: The disk failed.
        DiskFullError: There is no space left.
    """
    lines = [json.dumps(value, allow_nan=False, separators=(",", ":")) + "\n" for value in values]
    rest = memoryview("".join(lines).encode())
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = "rb+" if path.exists() else "wb"
    with naming_a_full_disk(path), path.open(mode, buffering=0) as stream:
        start = stream.seek(_whole_length(path))
        stream.truncate()
        try:
            while rest:
                rest = rest[stream.write(rest) :]
            if is_synced:
                os.fsync(stream.fileno())
        except OSError:
            with suppress(OSError):
                stream.truncate(start)
            raise


def _whole_length(path: Path) -> int:
    """Bytes up to the end of the last whole line, looked for from the end."""
    with path.open("rb") as stream:
        end = stream.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - PIECE_BYTES)
            stream.seek(start)
            cut = stream.read(end - start).rfind(b"\n")
            if cut >= 0:
                return start + cut + 1
            end = start
    return 0
