"""`Storage`: where cluster nodes mirror their run directories.

Any other node can go on with a run from here, and the driver can read it. A storage is a folder
that the nodes share, or a bucket; which of them is known to `filesystems` alone. One process at a
time pushes a name: nothing here arbitrates between two.
"""

import os
import secrets
import shutil
import stat
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from harness.core.errors import HarnessError
from harness.execution.filesystems import Location, open_location
from harness.execution.whole_files import Stamp, WholeFiles

NUM_PULL_ROUNDS = 5
HEAVY = ("last.ckpt", "*.safetensors")
NOT_MIRRORED = (".*.partial*", "*.lock", ".probe-*")
LAST_WRITTEN = ("record.json", "test.json", "status.json")
"""What says that other files are there: sent and fetched after them, in this order."""


class Storage:
    """A mirror of run directories; made by `Storage.open`, pickled as its URI alone."""

    def __init__(self, location: Location) -> None:
        self.uri = location.uri
        self.shown = location.shown
        self._files = WholeFiles(location)
        self._root = location.root
        self._is_local = location.is_local
        # What this process knows to be equal here and there, per folder and name.
        self._mirrored: dict[tuple[Path, str], dict[str, Stamp]] = {}
        # Names that this process pushes, cleared of what a killed one left half written.
        self._swept: set[str] = set()

    @classmethod
    def open(cls, uri: str) -> "Storage":
        """The storage at a path, `file:///path` or `s3://bucket/prefix[?endpoint_override=URL]`.

        Raises:
            HarnessError: Within about 10 s; see `open_location`.
        """
        return cls(open_location(uri))

    def __reduce__(self) -> tuple[Any, ...]:
        return Storage.open, (self.uri,)

    def __repr__(self) -> str:
        return f"Storage({self.shown!r})"

    # Mirroring ------------------------------------------------------------------------------

    def push(self, folder: Path, name: str) -> int:
        """Number of bytes sent: what changed in `folder` since this process last mirrored it.

        Files go in the order in which they were written, then the record, `status.json` last, and
        what is gone is removed after that. So a push that is cut off leaves a state through which
        the folder itself went, and whatever a trainer can continue from there it can continue from
        here. Links and temporary files are left out. A file of the storage that this process has
        neither pushed nor pulled is left alone.

        Raises:
            DiskFullError: No space is left in a local storage.
            HarnessError: The folder is missing, or the storage failed for about 30 s. A later push
                sends what this one did not.
        """
        if not folder.is_dir():
            raise HarnessError(f"{folder}: no such folder, so there is nothing to store")
        target = self._path(name)
        if self._is_same(folder, target):
            return 0
        if name not in self._swept:
            self._files.sweep(target)
            self._swept.add(name)
        mirrored = self._mirrored.setdefault((folder, name), {})
        present = _scan(folder)
        changed = {file: stamp for file, stamp in present.items() if mirrored.get(file) != stamp}
        num_bytes = 0
        for file in _in_order(changed):
            if self._files.send(folder / file, f"{target}/{file}"):
                mirrored[file] = changed[file]
                num_bytes += changed[file].size
        gone = mirrored.keys() - present.keys()
        self._files.delete(f"{target}/{file}" for file in gone)
        for file in gone:
            del mirrored[file]
        return num_bytes

    def pull(self, folder: Path, name: str, *, heavy: bool = True) -> bool:
        """True once `folder` is equal to what is stored under `name`; False where nothing is.

        Everything is fetched before the first file of `folder` changes. What is not stored is
        removed from it. Without `heavy`, weights and checkpoints are neither fetched nor touched.

        Raises:
            HarnessError: The storage failed for about 30 s, or did not come to rest because
                another process pushes.
        """
        source = self._path(name)
        if self._is_same(folder, source):
            return bool(self._stored(source))
        if not self._wanted(source, heavy=heavy):
            return False
        for left_over in folder.glob(".pull.*.partial"):
            shutil.rmtree(left_over)
        staging = folder / f".pull.{os.getpid()}.partial"
        try:
            fetched = self._fetch_at_rest(source, staging, heavy=heavy)
            targets = {file: _inside(folder, file) for file in _in_order(fetched)}
            for file, target in targets.items():
                target.parent.mkdir(parents=True, exist_ok=True)
                (staging / file).replace(target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        if fetched:  # else it was removed meanwhile, or the bucket was: what is here stays
            self._settle(folder, name, keep=fetched, heavy=heavy)
        return bool(fetched)

    def _fetch_at_rest(self, source: str, staging: Path, *, heavy: bool) -> dict[str, Stamp]:
        """Fetch into `staging` until nothing has changed meanwhile, and return the stamps.

        An object store may date its objects to the second, so a change can go unseen. Fetched in
        the reverse order of writing, the data are then newer than the status, never older.
        """
        fetched: dict[str, Stamp] = {}
        wanted = self._wanted(source, heavy=heavy)
        for _ in range(NUM_PULL_ROUNDS):
            for file in reversed(_in_order(wanted)):
                if fetched.get(file) != wanted[file]:
                    size = self._files.fetch(f"{source}/{file}", _inside(staging, file))
                    fetched[file] = wanted[file]._replace(size=size)
            wanted = self._wanted(source, heavy=heavy)
            if all(fetched.get(file) == stamp for file, stamp in wanted.items()):
                return wanted
        raise HarnessError(f"storage {source}: keeps changing; another process runs it")

    def remove(self, name: str, files: Sequence[str]) -> None:
        """Remove files of a stored folder; one that is not there is no fault."""
        target = self._path(name)
        self._files.delete([f"{target}/{_checked(file)}" for file in files])
        for (_, known), mirrored in self._mirrored.items():
            if known == name:
                for file in files:
                    mirrored.pop(file, None)

    # Looking --------------------------------------------------------------------------------

    def names(self, under: str = "") -> list[str]:
        """Names of the folders with files stored directly below `under`, sorted."""
        path = self._path(under) if under else self._root
        paths = (PurePosixPath(file) for file in self._stored(path))
        return sorted({path.parts[0] for path in paths if len(path.parts) > 1})

    def free_bytes(self) -> int | None:
        """Free space in bytes; None where there is no such figure, as in an object store."""
        return shutil.disk_usage(self._root).free if self._is_local else None

    def probe(self) -> None:
        """Write a token, read it back and delete it.

        Raises:
            HarnessError: One of these failed; it says which.
        """
        token = secrets.token_hex(8).encode()
        path = f"{self._root}/.probe-{token.decode()}"
        self._files.write(path, token)
        try:
            found = self._files.read(path)
        except HarnessError:
            with suppress(HarnessError):
                self._files.delete([path])
            raise
        self._files.delete([path])
        if found != token:
            raise HarnessError(f"storage {self.shown}: a token read back is not the one written")

    # Names ----------------------------------------------------------------------------------

    def _path(self, name: str) -> str:
        return f"{self._root}/{_checked(name)}"

    def _is_same(self, folder: Path, path: str) -> bool:
        return self._is_local and Path(path).resolve() == folder.resolve()

    def _stored(self, path: str) -> dict[str, Stamp]:
        """Stamp of each stored file by its path relative to `path`."""
        stamps = self._files.stamps(path)
        return {file: stamp for file, stamp in stamps.items() if _is_mirrored(file)}

    def _wanted(self, path: str, *, heavy: bool) -> dict[str, Stamp]:
        stored = self._stored(path)
        return {file: stamp for file, stamp in stored.items() if heavy or not _is_heavy(file)}

    def _settle(self, folder: Path, name: str, *, keep: Collection[str], heavy: bool) -> None:
        """Remove what is not stored, and know the rest as mirrored."""
        for file in _scan(folder).keys() - set(keep):
            if heavy or not _is_heavy(file):
                (folder / file).unlink(missing_ok=True)
        self._mirrored[folder, name] = _scan(folder)


def _checked(name: str) -> str:
    """The name, if it is a relative path that stays below the root."""
    parts = name.split("/")
    if "\\" in name or "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise HarnessError(f"{name!r}: not a name in a storage; give one such as 't0007-3fa2c1'")
    return name


def _inside(folder: Path, file: str) -> Path:
    """The path of a stored file in `folder`, if neither its name nor a link leads out of it."""
    path = folder / _checked(file)
    if not path.parent.resolve().is_relative_to(folder.resolve()):
        raise HarnessError(f"{path}: leads outside {folder} by a link; remove the link")
    return path


def _scan(folder: Path, below: str = "") -> dict[str, Stamp]:
    """Stamp of each file to be mirrored, by its path relative to `folder`; links are skipped."""
    stamps: dict[str, Stamp] = {}
    for path in folder.iterdir():
        name = f"{below}{path.name}"
        try:
            found = path.lstat()
        except FileNotFoundError:
            continue
        if not _is_mirrored(name):
            continue
        if stat.S_ISDIR(found.st_mode):
            stamps |= _scan(path, f"{name}/")
        elif stat.S_ISREG(found.st_mode):
            stamps[name] = Stamp(found.st_size, found.st_mtime_ns, found.st_ino)
    return stamps


def _in_order(stamps: Mapping[str, Stamp]) -> list[str]:
    def key(file: str) -> tuple[int, int, str]:
        rank = LAST_WRITTEN.index(file) + 1 if file in LAST_WRITTEN else 0
        return rank, stamps[file].mtime_ns, file

    return sorted(stamps, key=key)


def _is_mirrored(file: str) -> bool:
    return not any(fnmatch(PurePosixPath(file).name, pattern) for pattern in NOT_MIRRORED)


def _is_heavy(file: str) -> bool:
    return any(fnmatch(PurePosixPath(file).name, pattern) for pattern in HEAVY)
