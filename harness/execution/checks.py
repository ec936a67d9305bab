"""`Check`: one thing looked at on one machine, and the parts that look; no Ray.

Whatever is found becomes a `Check`: nothing here raises for a fault of the machine.
"""

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.core.errors import HarnessError
from harness.core.files import write_text
from harness.core.provenance import package_versions, sources_sha256

GIB = 2**30
MIN_FREE_BYTES = GIB
FULL_PART = 0.95
"""Used part of a disk from which on Ray calls it full (`local_fs_capacity_threshold`)."""
RESULTS = "results folder"
COMPARED = ("python", "harness", "torch", "torchvision", "timm", "ray")


@dataclass(frozen=True, kw_only=True)
class Check:
    """What one look found. One that is ok and has a `todo` is a warning.

    Attributes:
        node: Where it was looked: the driver, or a node of the cluster.
        detail: What was seen.
        todo: What to do about it.
    """

    what: str
    node: str
    is_ok: bool
    detail: str
    todo: str = ""

    @property
    def word(self) -> Literal["ok", "warning", "FAIL"]:
        """What a table calls the outcome."""
        if not self.is_ok:
            return "FAIL"
        return "warning" if self.todo else "ok"

    def __str__(self) -> str:
        return f"{self.node}: {self.what}: {self.detail}; {self.todo}".removesuffix("; ")


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a job needs of each machine that takes part in it.

    Attributes:
        store: The image store, at one path everywhere, with this `fingerprint` where it is known.
        results: The results folder, which all machines share unless there is a `storage`.
        storage: URI of what machines share in its place.
        files: Others that must be there on every machine, such as weights to start from.
        num_bytes: What the job will write in all.
        node_bytes: What its runs take on one node while they wait to be copied to the storage.
        gpu_bytes: Memory of a GPU that one trial takes.
    """

    store: Path | None = None
    fingerprint: str = ""
    results: Path | None = None
    storage: str | None = None
    files: tuple[Path, ...] = ()
    num_bytes: int = 0
    node_bytes: int = 0
    gpu_bytes: int = 0


# Data and results -----------------------------------------------------------------------------


def check_store(path: Path, fingerprint: str, *, node: str) -> Check:
    """That the store can be read and is the expected one; its pixels are not hashed."""
    from harness.data.store import ImageStore  # pandas takes a second to import

    what = "image store"
    try:
        store = ImageStore.open(path)
        store.images[-1:].sum()  # the end of the file is there, and may be read
    except (HarnessError, OSError) as error:
        todo = f"mount it, or copy it from where it is whole, to {path} on this machine"
        return Check(what=what, node=node, is_ok=False, detail=str(error), todo=todo)
    if fingerprint not in ("", store.fingerprint):
        detail = f"{path} is {store.fingerprint[:12]}, the driver's is {fingerprint[:12]}"
        todo = "another store lies there: copy the driver's to it"
        return Check(what=what, node=node, is_ok=False, detail=detail, todo=todo)
    detail = f"{len(store)} images, {store.fingerprint[:12]}"
    return Check(what=what, node=node, is_ok=True, detail=detail)


def token_folder(results: Path, token: str) -> Path:
    """Where the driver and the nodes leave each other a token."""
    return results / f".preflight-{token}"


def check_results(results: Path, token: str, *, node: str, name: str) -> Check:
    """That the driver's token is here; `name` is the file in which this machine leaves its own."""
    folder = token_folder(results, token)
    try:
        if (folder / "driver").read_text(encoding="utf-8") != token:
            raise OSError("the driver's file reads otherwise here")
        write_text(folder / name, token)
    except FileNotFoundError:
        detail = f"{results} does not hold here what the driver wrote there"
        todo = "share this folder with every node at the same path, or name a --storage"
        return Check(what=RESULTS, node=node, is_ok=False, detail=detail, todo=todo)
    except (HarnessError, OSError) as error:
        detail = f"{results}: {getattr(error, 'strerror', None) or error}"
        todo = "let the user whom Ray runs as read and write there"
        return Check(what=RESULTS, node=node, is_ok=False, detail=detail, todo=todo)
    return Check(what=RESULTS, node=node, is_ok=True, detail=f"{results} is read and written")


def check_storage(uri: str, num_bytes: int, *, node: str) -> Check:
    """That what is written to the storage is read back, and that it has room."""
    from harness.execution.storage import Storage

    what, num_bytes = "storage", max(num_bytes, MIN_FREE_BYTES)
    try:
        storage = Storage.open(uri)
        storage.probe()
        free = storage.free_bytes()
    except (HarnessError, OSError) as error:
        todo = "mount it on this machine, or give it the rights to it"
        return Check(what=what, node=node, is_ok=False, detail=str(error), todo=todo)
    if free is not None and free < num_bytes:
        detail = f"{storage.shown}: {show_bytes(free)} free, {show_bytes(num_bytes)} needed"
        return Check(what=what, node=node, is_ok=False, detail=detail, todo="make room there")
    return Check(what=what, node=node, is_ok=True, detail=f"{storage.shown} is read and written")


def check_file(path: Path, *, node: str) -> Check:
    """That a file may be read."""
    try:
        with path.open("rb") as stream:
            stream.read(1)
    except OSError as error:
        detail, todo = f"{path}: {error.strerror}", "put it there on every node, at the same path"
        return Check(what="file", node=node, is_ok=False, detail=detail, todo=todo)
    return Check(what="file", node=node, is_ok=True, detail=str(path))


# Room -----------------------------------------------------------------------------------------


def check_disk(what: str, path: Path, num_bytes: int, *, node: str) -> Check:
    """That the disk of `path`, which need not be there yet, has room for `num_bytes`."""
    needed = max(num_bytes, MIN_FREE_BYTES)
    try:
        place = next(parent for parent in (path, *path.parents) if parent.exists())
        total, _, free = shutil.disk_usage(place)
    except OSError as error:
        detail = f"{path}: {error.strerror}"
        return Check(what=what, node=node, is_ok=False, detail=detail, todo="see to that disk")
    detail = f"{show_bytes(free)} free at {path}"
    if free < needed:
        todo = f"free {show_bytes(needed - free)} there, or name another place"
        detail = f"{detail}, {show_bytes(needed)} needed"
        return Check(what=what, node=node, is_ok=False, detail=detail, todo=todo)
    is_full = free < (1 - FULL_PART) * total
    todo = f"Ray calls a disk full of which {FULL_PART:.0%} are used" if is_full else ""
    return Check(what=what, node=node, is_ok=True, detail=detail, todo=todo)


def show_bytes(num_bytes: float) -> str:
    """`1.4 GiB`."""
    for unit in ("B", "KiB", "MiB"):
        if num_bytes < 1024:
            return f"{num_bytes:.3g} {unit}"
        num_bytes /= 1024
    return f"{num_bytes:.1f} GiB"


# Software -------------------------------------------------------------------------------------


def own_versions() -> dict[str, str]:
    """What must be equal on all machines, without importing any of it; local parts cut off.

    A CPU build of torch on the driver goes with a CUDA build on a node: `2.9+cpu`, `2.9+cu130`.
    """
    found = {"python": f"{sys.version_info.major}.{sys.version_info.minor}", **package_versions()}
    found["harness"] = f"{found.get('harness', 'no package')} source {sources_sha256()[:8]}"
    return {name: found[name].partition("+")[0] for name in COMPARED if name in found}


def check_versions(found: Mapping[str, str], expected: Mapping[str, str], *, node: str) -> Check:
    """That a machine has the versions of the driver."""
    names = [name for name in COMPARED if found.get(name) != expected.get(name)]
    if not names:
        detail = ", ".join(f"{name} {value}" for name, value in found.items())
        return Check(what="versions", node=node, is_ok=True, detail=detail)
    detail = ", ".join(
        f"{name} is {found.get(name, 'not there')}, the driver's {expected.get(name, 'not there')}"
        for name in names
    )
    todo = "install the driver's versions on this node"
    return Check(what="versions", node=node, is_ok=False, detail=detail, todo=todo)
