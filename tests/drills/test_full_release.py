"""A simulated full release: the real label table, lists and boxes, and 112,120 small images.

Two thirds of the images are in archives, one third in folders. Prepared, killed, and prepared again
in bounded memory; then every image, every label and every fold is counted.
"""

import gzip
import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest

from harness.core.findings import FINDINGS
from harness.data.nih_tables import read_label_table
from harness.data.store import ImageStore
from tests.conftest import SHARED_DATA
from tests.data.small_release import pack

PX = 32
NUM_IMAGES, NUM_PATIENTS = 112_120, 30_805
COUNTS = {
    "Atelectasis": (8280, 3279), "Cardiomegaly": (1707, 1069), "Consolidation": (2852, 1815),
    "Edema": (1378, 925), "Effusion": (8659, 4658), "Emphysema": (1423, 1093),
    "Fibrosis": (1251, 435), "Hernia": (141, 86), "Infiltration": (13782, 6112),
    "Mass": (4034, 1748), "Nodule": (4708, 1623), "Pleural_Thickening": (2242, 1143),
    "Pneumonia": (876, 555), "Pneumothorax": (2637, 2665),
}  # fmt: skip
"""Images of each finding in the two official parts, counted from the public files."""
MAX_MEMORY_MB = 1000
NUM_ARCHIVES, NUM_FOLDERS = 8, 4


def png_of(number: int) -> bytes:
    """A gray PNG whose first four pixels are the bytes of a number."""
    row = b"\0" + struct.pack(">I", number) + bytes(PX - 4)
    rows = zlib.compress(row + bytes((PX + 1) * (PX - 1)), 1)
    header = struct.pack(">II5B", PX, PX, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


@pytest.fixture(scope="module")
def release(tmp_path_factory) -> Path:
    if not SHARED_DATA.is_dir():
        pytest.skip("no ../shared/data beside the checkout")
    root = tmp_path_factory.mktemp("nih")
    for name in ("Data_Entry_2017_v2020.csv", "BBox_List_2017.csv"):
        (root / name).write_bytes(gzip.decompress((SHARED_DATA / f"{name}.gz").read_bytes()))
    for name in ("train_val_list.txt", "test_list.txt"):
        (root / name).write_bytes((SHARED_DATA / "official_split" / name).read_bytes())
    names = read_label_table(root / "Data_Entry_2017_v2020.csv")[0]["image"]
    parts = np.array_split(np.arange(len(names)), NUM_ARCHIVES + NUM_FOLDERS)
    for number, rows in enumerate(parts, start=1):
        images = {f"images/{names[row]}": png_of(row) for row in map(int, rows)}
        if number <= NUM_ARCHIVES:
            pack(root / f"images_{number:03d}.tar.gz", images)
            continue
        (root / f"images_{number:03d}" / "images").mkdir(parents=True)
        for name, content in images.items():
            (root / f"images_{number:03d}" / name).write_bytes(content)
    return root


def memory_mb(pid: int) -> float:
    """Resident memory of a process and its children; what they share counts for each."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    own_mb = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    return own_mb + sum(memory_mb(int(child)) for child in children)


def prepare(root: Path, out: Path, *, kill_after: int | None = None) -> tuple[int, float]:
    """Run the command, killed once so many images are done: its exit code and peak memory."""
    words = ["data", "prepare", "nih", "--root", root, "--out", out, "--size", PX, "--max-bad", 0]
    command = [sys.executable, "-c", "from harness.cli import main; main()", *map(str, words)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    marks = out.parent / f".{out.name}.partial" / "work" / "marks.npy"
    peak_mb = 0.0
    with subprocess.Popen(command, env=environment) as process:
        while process.poll() is None:
            try:
                peak_mb = max(peak_mb, memory_mb(process.pid))
            except OSError:  # it has just ended
                continue
            if kill_after is not None and num_marked(marks) >= kill_after:
                process.send_signal(signal.SIGKILL)
            time.sleep(0.1)
    return process.returncode, peak_mb


def num_marked(marks: Path) -> int:
    return int(np.count_nonzero(np.load(marks))) if marks.exists() else 0


def test_the_full_release_is_prepared_killed_and_continued(release, tmp_path):
    out = tmp_path / "store"
    began = time.monotonic()
    peaks_mb = []
    for kill_after in (20_000, 70_000, None):
        code, peak_mb = prepare(release, out, kill_after=kill_after)
        assert code == (0 if kill_after is None else -signal.SIGKILL)
        assert out.exists() == (kill_after is None)
        peaks_mb.append(peak_mb)
    print(f"{time.monotonic() - began:.0f} s; peak memory {max(peaks_mb):.0f} MB")
    assert max(peaks_mb) < MAX_MEMORY_MB

    store = ImageStore.open(out)
    store.verify()
    assert len(store) == NUM_IMAGES
    assert store.table["patient"].nunique() == NUM_PATIENTS
    assert store.manifest.failures == ()
    assert store.manifest.notes == ()
    assert store.manifest.label_version == "v2020"
    assert len(store.boxes) == 984
    counts = store.table.groupby("fold")[list(FINDINGS)].sum()
    assert {
        finding: (counts.loc["train_val", finding], counts.loc["test", finding])
        for finding in FINDINGS
    } == COUNTS
    assert store.table["fold"].value_counts().to_dict() == {"train_val": 86_524, "test": 25_596}
    number_N = np.ascontiguousarray(store.images[:, 0, :4]).view(">u4")[:, 0]
    assert np.array_equal(number_N, np.arange(NUM_IMAGES))
