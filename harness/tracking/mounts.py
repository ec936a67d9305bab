"""Whether a file lies on a network file system, on which SQLite must not be kept.

SQLite relies on locks that network file systems get wrong; a database there may be damaged
(sqlite.org/howtocorrupt.html, section 2.1; sqlite.org/faq.html, question 5).
"""

import re
from pathlib import Path

MOUNTS = Path("/proc/self/mounts")
NETWORK = {
    "afs", "beegfs", "ceph", "cifs", "glusterfs", "gpfs", "juicefs", "lustre", "ncpfs", "nfs",
    "nfs4", "orangefs", "panfs", "pvfs2", "smb2", "smb3", "smbfs", "wekafs",
}  # fmt: skip
NETWORK_FUSE = NETWORK | {
    "blobfuse", "blobfuse2", "gcsfuse", "goofys", "mount-s3", "rclone", "s3fs", "sshfs",
}  # fmt: skip


def network_file_system(path: Path, mounts: Path | None = None) -> str | None:
    """The kind of network file system that `path` lies on, such as `nfs4`; None for a local one.

    `path` need not exist. None too where there is no table of mounts, as on a Mac.
    """
    mounts = mounts or MOUNTS
    if not mounts.exists():
        return None
    kinds = dict(_mounted(mounts.read_text(encoding="utf-8", errors="replace")))
    resolved = path.resolve()
    kind = next((kinds[place] for place in (resolved, *resolved.parents) if place in kinds), "")
    fuse = kind.removeprefix("fuse.")
    is_network = fuse in NETWORK_FUSE if kind.startswith("fuse.") else kind in NETWORK
    return fuse if is_network else None


def _mounted(table: str) -> list[tuple[Path, str]]:
    """(place, kind) of each mount; a later one hides an earlier one at the same place."""
    rows = (line.split() for line in table.splitlines())
    return [(Path(_unescape(row[1])), row[2]) for row in rows if len(row) > 2]


def _unescape(text: str) -> str:
    """Blanks in a place are written in octal (proc(5), fstab(5))."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)
