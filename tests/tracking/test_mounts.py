from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.tracking import mounts
from harness.tracking.mounts import network_file_system
from harness.tracking.store import open_store


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of mounts as Linux writes it: NFS for the lab, a local disk within it."""
    lab = str(tmp_path / "lab share").replace(" ", "\\040")
    path = tmp_path / "mounts"
    path.write_text(
        "overlay / overlay rw 0 0\n"
        f"autofs {lab} autofs rw 0 0\n"
        f"filer:/lab {lab} nfs4 rw,vers=4.2 0 0\n"
        f"/dev/sdb1 {lab}/scratch ext4 rw 0 0\n"
        f"ann@host: {tmp_path}/remote fuse.sshfs rw 0 0\n"
        f"portal {tmp_path}/portal fuse.portal rw 0 0\n"
    )
    return path


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("lab share/results/mlflow.db", "nfs4"),
        ("lab share/scratch/mlflow.db", None),
        ("lab sharework/mlflow.db", None),
        ("remote/mlflow.db", "sshfs"),
        ("portal/mlflow.db", None),
        ("mlflow.db", None),
    ],
)
def test_the_nearest_mount_decides(
    tmp_path: Path, table: Path, place: str, kind: str | None
) -> None:
    assert network_file_system(tmp_path / place, table) == kind


def test_a_link_is_followed(tmp_path: Path, table: Path) -> None:
    (tmp_path / "results").symlink_to(tmp_path / "lab share")
    assert network_file_system(tmp_path / "results" / "mlflow.db", table) == "nfs4"


def test_where_no_mounts_are_listed_nothing_is_refused(tmp_path: Path) -> None:
    assert network_file_system(tmp_path, tmp_path / "absent") is None


@pytest.mark.parametrize("uri", [None, "sqlite:///{}/mlflow.db", "sqlite+pysqlite:///{}/x.db?a=1"])
def test_sqlite_on_a_network_file_system_is_refused_with_the_fix(
    tmp_path: Path, table: Path, monkeypatch: pytest.MonkeyPatch, *, uri: str | None
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(mounts, "MOUNTS", table)
    results = tmp_path / "lab share" / "results"
    with pytest.raises(HarnessError, match=r"\(nfs4\); set MLFLOW_TRACKING_URI to a server"):
        open_store(results, uri.format(results) if uri else None)
    assert not list(results.rglob("*.db"))


def test_this_machine_has_a_table_that_can_be_read(tmp_path: Path) -> None:
    if not mounts.MOUNTS.exists():
        pytest.skip("no table of mounts on this system")
    assert Path("/") in dict(mounts._mounted(mounts.MOUNTS.read_text()))
