"""A simulated full release: the real label table, lists and boxes, and 112,120 small images.

Two thirds of the images are in archives, one third in folders. Prepared by the command line with as
many threads as it ever takes by default, killed, and prepared again in bounded memory; then every
image, label and fold is counted, the store is checked and the three splits are made.
"""

import gzip
import os
import re
import signal
import struct
import subprocess
import sys
import time
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from harness.core.files import read_json
from harness.core.findings import FINDINGS
from harness.data.filling import MAX_WORKERS
from harness.data.nih_tables import read_label_table
from harness.data.splits import make_split
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
NO_FINDING = {"train_val": 50_500, "test": 9_861}
PARTS_OF = {
    "official": {"test": (25_596, 2_797)},
    "dacnet_70_10_20": {
        "train": (78_614, 21_563), "val": (11_212, 3_081), "test": (22_294, 6_161),
    },
    "dannynet_2pct": {"train": (103_847, 28_618), "val": (5_974, 1_570), "test": (2_299, 617)},
}  # fmt: skip
"""Images and patients of the parts of each split, of DannyNet's authors as they printed them."""
MAX_MEMORY_MB = 1000
MAX_CHECK_MEMORY_MB = 500
NUM_ARCHIVES, NUM_FOLDERS = 8, 4


def png_of(number: int) -> bytes:
    """A gray PNG of noise of its own, whose first four pixels are the bytes of a number."""
    pixels = np.random.default_rng(number).integers(60, 190, (PX, PX), dtype=np.uint8)
    pixels[0, :4] = list(struct.pack(">I", number))
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in pixels), 1)
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
    """Memory of a process and its children; of what they share, each counts its part."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    own_mb = int(re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)[1]) * 1024 / 1e6
    return own_mb + sum(memory_mb(int(child)) for child in children)


def run(*words: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "harness", *map(str, words)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    return subprocess.Popen(command, env=environment)


def peak_of(process: subprocess.Popen) -> float:
    peak_mb = 0.0
    while process.poll() is None:
        with suppress(OSError, TypeError):  # it has just ended
            peak_mb = max(peak_mb, memory_mb(process.pid))
        time.sleep(0.2)
    return peak_mb


def prepare(root: Path, out: Path, *, kill_after: int | None = None) -> tuple[int, float]:
    """Run the command, killed once so many images are done: its exit code and peak memory."""
    marks = out.parent / f".{out.name}.partial" / "work" / "marks.npy"
    words = ("--root", root, "--out", out, "--size", PX, "--max-bad", 0, "--workers", MAX_WORKERS)
    with run("data", "prepare", "nih", *words) as process:
        if kill_after is not None:
            while num_marked(marks) < kill_after and process.poll() is None:
                time.sleep(0.05)
            process.send_signal(signal.SIGKILL)
        peak_mb = peak_of(process)
    return process.returncode, peak_mb


def num_marked(marks: Path) -> int:
    return int(np.count_nonzero(np.load(marks))) if marks.exists() else 0


@pytest.fixture(scope="module")
def store(release, tmp_path_factory) -> ImageStore:
    """Prepared, killed twice on the way, in bounded memory."""
    out = tmp_path_factory.mktemp("stores") / "nih"
    began = time.monotonic()
    for kill_after in (20_000, 70_000):
        assert prepare(release, out, kill_after=kill_after)[0] == -signal.SIGKILL
        assert not out.exists()
    code, peak_mb = prepare(release, out)
    assert code == 0
    print(f"prepared in {time.monotonic() - began:.0f} s; peak memory {peak_mb:.0f} MB")
    assert peak_mb < MAX_MEMORY_MB
    return ImageStore.open(out)


def test_every_image_and_every_label_is_there_and_in_its_place(store):
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
    is_negative = ~store.table[list(FINDINGS)].any(axis=1)
    assert is_negative.groupby(store.table["fold"]).sum().to_dict() == NO_FINDING
    folds = store.table.groupby("fold")["patient"].agg(["size", "nunique"])
    assert folds.loc["train_val"].tolist() == [86_524, 28_008]
    assert folds.loc["test"].tolist() == [25_596, 2_797]
    number_N = np.ascontiguousarray(store.images[:, 0, :4]).view(">u4")[:, 0]
    assert np.array_equal(number_N, np.arange(NUM_IMAGES))


@pytest.mark.parametrize("name", PARTS_OF)
def test_the_splits_have_their_counts_and_share_no_patient(store, harness, tmp_path, name):
    split = make_split(store, name)
    patients = store.table["patient"].to_numpy()
    rows = {part: getattr(split, part) for part in ("train", "val", "test")}
    found = {part: (len(row), len(set(patients[row]))) for part, row in rows.items()}
    assert {part: found[part] for part in PARTS_OF[name]} == PARTS_OF[name]
    assert sum(images for images, _ in found.values()) == NUM_IMAGES
    assert sum(people for _, people in found.values()) == NUM_PATIENTS  # none is in two parts
    code, said, _ = harness(
        "data", "show", store.path, "--split", name, "--sheet", tmp_path / "sheet.png"
    )
    assert code == 0
    lines = {line.split()[0]: line.split()[1:] for line in said.splitlines() if line.strip()}
    assert lines["images"] == [str(found[part][0]) for part in rows]
    assert lines["patients"] == [str(found[part][1]) for part in rows]


def test_the_shares_of_the_findings_in_validation_are_those_of_train(store):
    """Within 10 % where more than 500 images of the release have the finding."""
    split = make_split(store, "official")
    is_common_L = store.label_NL.sum(axis=0) > 500
    assert is_common_L.sum() == 13
    train_L, val_L = (store.label_NL[row].mean(axis=0) for row in (split.train, split.val))
    assert np.abs(val_L / train_L - 1)[is_common_L].max() < 0.1


def test_the_check_finds_no_leak_and_the_release_s_counts(store, tmp_path):
    began = time.monotonic()
    with run("data", "check", store.path, "--out", tmp_path) as process:
        peak_mb = peak_of(process)
    print(f"checked in {time.monotonic() - began:.0f} s; peak memory {peak_mb:.0f} MB")
    assert process.returncode == 0
    assert peak_mb < MAX_CHECK_MEMORY_MB
    checks = read_json(tmp_path / "check.json")["checks"]
    for key in ("patients", "twins", "labels", "people", "blank", "pixels"):
        assert checks[key]["verdict"] == "good", checks[key]
