"""Images in the release's `.tar.gz` archives, read from the stream; nothing is ever unpacked.

An archive may be hostile: members are found by the last part of their name alone, links, devices
and paths that lead elsewhere are passed over and told, and no more than a file's worth of bytes is
read at once. An archive that is cut off or damaged is told too: its checksum is always read.
"""

import gzip
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from harness.data.decode import MAX_FILE_BYTES

PIECE_BYTES = 2**20
BROKEN_ARCHIVE = (OSError, EOFError, ValueError, zlib.error, tarfile.TarError)
"""What the standard library raises on an archive that it cannot read."""


@dataclass
class ArchiveReport:
    """What was met in an archive beside images.

    Attributes:
        damage: Why it could not be read to its end; empty where it could.
        passed_over: Members that no image should be, and why.
    """

    damage: str = ""
    passed_over: list[str] = field(default_factory=list)


def images_in(
    archive: Path, rows: Mapping[str, int], report: ArchiveReport
) -> Iterator[tuple[int, IO[bytes]]]:
    """The row and the content of each wanted image, in the order of the archive.

    A name that stands in it twice comes twice.

    Args:
        rows: The row of each image that is wanted, by its name.
        report: Is filled on the way.
    """
    try:
        with (
            _LimitedGzip(archive, "rb") as stream,
            tarfile.open(fileobj=stream, mode="r:") as members,
        ):
            while (member := members.next()) is not None:
                members.members = []  # type: ignore[attr-defined]  # else it keeps them all
                name = PurePosixPath(member.name).name
                if reason := _objection(member):
                    report.passed_over.append(f"{member.name} ({reason})")
                elif name in rows and member.isfile():
                    content = members.extractfile(member)
                    assert content is not None
                    yield rows[name], content
            while stream.read(PIECE_BYTES):  # up to the checksum
                pass
    except BROKEN_ARCHIVE as error:
        report.damage = f"{type(error).__name__}: {error}"


def _objection(member: tarfile.TarInfo) -> str:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        return "its path leads out of the archive"
    return "" if member.isfile() or member.isdir() else "neither a file nor a folder"


class _LimitedGzip(gzip.GzipFile):
    """Reads no more at once than an image file may have.

    A header that claims to be longer would otherwise fill the memory.
    """

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= MAX_FILE_BYTES:
            raise tarfile.ReadError(f"a member claims to have a header of {size} bytes")
        return super().read(size)
