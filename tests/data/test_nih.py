import gzip
import logging
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from harness.core.errors import HarnessError
from harness.core.locks import held
from harness.data.decoding import CHUNK_IMAGES
from harness.data.nih import prepare_nih
from harness.data.nih_tables import read_boxes
from harness.data.partial_store import PartialStore
from harness.data.store import ImageStore
from tests.data.small_release import LABELS, name_of, write_release


@pytest.fixture
def release(tmp_path):
    return write_release(tmp_path / "release")


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def refusal(root: Path, tmp_path: Path, **options) -> str:
    with pytest.raises(HarnessError) as caught:
        prepare_nih(root, tmp_path / "store", num_workers=1, size_px=16, **options)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "store").exists()
    return str(caught.value)


# A whole release --------------------------------------------------------------------------------


def test_a_release_becomes_a_store(release, tmp_path):
    store = prepare_nih(release, tmp_path / "store", size_px=32)
    assert list(store.table["image"]) == [name_of(number) for number in range(8)]
    assert list(store.table["patient"]) == ["1", "1", "2", "2", "3", "3", "4", "4"]
    assert list(store.table["fold"]) == ["train_val"] * 6 + ["test"] * 2
    assert list(store.table["age"]) == [51, 51, 52, 52, 53, 53, 54, 54]
    assert set(store.table["sex"]) == {"F"}
    assert set(store.table["view"]) == {"AP"}
    labels = [
        "|".join(np.array(store.findings)[label_L]) or "No Finding" for label_L in store.label_NL
    ]
    assert labels == [*LABELS, *LABELS]
    for number in range(8):
        source = np.asarray(Image.open(release / "images" / name_of(number)))
        assert np.array_equal(store.images[number], source)
    store.verify()


def test_the_manifest_says_where_it_came_from(release, tmp_path):
    manifest = prepare_nih(release, tmp_path / "store", size_px=16).manifest
    assert (manifest.source, manifest.is_synthetic, manifest.size_px) == ("nih", False, 16)
    assert manifest.label_version == "v2020"
    assert manifest.labels_sha256 == manifest.inputs["Data_Entry_2017_v2020.csv"]
    assert "NIH Clinical Center" in manifest.attribution
    assert manifest.failures == ()


def test_boxes_are_joined_under_the_names_of_the_findings(release, tmp_path):
    extra = f"{name_of(3)},Infiltrate,1,2,3,4,,,\n00009999_000.png,Mass,1,2,3,4,,,\n"
    edit(release / "BBox_List_2017.csv", f"{name_of(3)},Infiltrate,1,2,3,4,,,\n", extra)
    store = prepare_nih(release, tmp_path / "store", size_px=16)
    assert store.boxes.to_numpy().tolist() == [
        [name_of(1), "Mass", 100.5, 200.0, 30.0, 40.0],
        [name_of(3), "Infiltration", 1.0, 2.0, 3.0, 4.0],
    ]
    assert store.manifest.notes == ("1 boxes of other images left out",)


def test_the_folders_of_the_kaggle_copy(release, tmp_path):
    whole = prepare_nih(release, tmp_path / "whole", size_px=16)
    for number in range(8):
        folder = release / f"images_{number % 3 + 1:03d}" / "images"
        folder.mkdir(parents=True, exist_ok=True)
        (release / "images" / name_of(number)).rename(folder / name_of(number))
    (release / "images").rmdir()
    (release / "images_004.tar.gz").write_bytes(b"an archive left there")
    assert prepare_nih(release, tmp_path / "parts", size_px=16).fingerprint == whole.fingerprint


def test_two_folders_may_share_a_file_but_not_a_name(release, tmp_path):
    """A copy is fine; of two different files nobody knows which is meant."""
    (release / "images_001").mkdir()
    shutil.copy(release / "images" / name_of(0), release / "images_001")
    shutil.copy(release / "images" / name_of(1), release / "images_001" / name_of(3))
    (release / "images_002").symlink_to("images")
    store = prepare_nih(release, tmp_path / "store", size_px=16, max_bad=1)
    (failure,) = store.manifest.failures
    assert failure.image == name_of(3)
    assert failure.reason == "files of this name in images and images_001 differ"


def test_an_older_table_with_a_comma_more_and_years_in_its_ages(release, tmp_path):
    table = release / "Data_Entry_2017_v2020.csv"
    lines = table.read_text().splitlines()
    ages = ["058Y", "413", "0", "-3", "", "120", "121", "12M"]
    rows = []
    for line, age in zip(lines[1:], ages, strict=True):
        cells = line.split(",")
        rows.append(",".join([*cells[:4], age, *cells[5:], ""]))
    (release / "Data_Entry_2017.csv").write_text("\n".join([lines[0], *rows]))
    table.unlink()
    store = prepare_nih(release, tmp_path / "store", size_px=16)
    cleaned = [None if pd.isna(age) else int(age) for age in store.table["age"]]
    assert cleaned == [58, None, 0, None, None, 120, None, None]
    assert store.manifest.notes == ("5 ages that are no number up to 120 made null",)
    assert store.manifest.label_version == "v2017"


def test_other_sexes_and_views_are_left_empty_and_counted(release, tmp_path):
    edit(release / "Data_Entry_2017_v2020.csv", ",51,F,AP,", ",51,X,LL,")
    store = prepare_nih(release, tmp_path / "store", size_px=16)
    assert store.table["sex"].tolist() == ["", "", *"FFFFFF"]
    assert store.table["view"].tolist()[:3] == ["", "", "AP"]
    assert len(store.manifest.notes) == 2


def test_without_lists_the_folds_are_empty(release, tmp_path):
    for name in ("train_val_list.txt", "test_list.txt", "BBox_List_2017.csv"):
        (release / name).unlink()
    store = prepare_nih(release, tmp_path / "store", size_px=16)
    assert set(store.table["fold"]) == {""}
    assert len(store.boxes) == 0


# Images that fail -------------------------------------------------------------------------------


def break_two(release: Path) -> None:
    """One image cut in the middle, one missing."""
    file = release / "images" / name_of(1)
    file.write_bytes(file.read_bytes()[:400])
    (release / "images" / name_of(4)).unlink()


def test_images_that_fail_are_left_out_and_reported(release, tmp_path, caplog):
    whole = prepare_nih(release, tmp_path / "whole", size_px=16)
    break_two(release)
    caplog.set_level(logging.WARNING)
    store = prepare_nih(release, tmp_path / "store", size_px=16)
    kept = [0, 2, 3, 5, 6, 7]
    assert store.table["image"].tolist() == [name_of(number) for number in kept]
    assert np.array_equal(store.images, whole.images[kept])
    assert store.boxes["image"].tolist() == [name_of(3)]
    failures = {failure.image: failure.reason for failure in store.manifest.failures}
    assert list(failures) == [name_of(1), name_of(4)]
    assert "truncated" in failures[name_of(1)]
    assert failures[name_of(4)] == "no such file"
    assert f"{name_of(1)}: left out" in caplog.text
    assert len(list(store.path.iterdir())) == 4
    store.verify()


def test_too_many_failures_are_refused_and_what_is_done_is_kept(release, tmp_path):
    whole = prepare_nih(release, tmp_path / "whole", size_px=16)
    broken = release / "images" / name_of(1)
    content = broken.read_bytes()
    broken.write_bytes(b"")
    text = refusal(release, tmp_path, max_bad=0)
    assert f"1 images cannot be had, more than the 0 that --max-bad allows: {name_of(1)}" in text
    broken.write_bytes(content)
    seen = []
    store = prepare_nih(
        release, tmp_path / "store", size_px=16, progress=lambda *counts: seen.append(counts)
    )
    assert (seen[0], seen[-1]) == ((7, 8), (8, 8))
    assert store.fingerprint == whole.fingerprint


def test_missing_images_are_refused_before_any_is_decoded(release, tmp_path):
    for number in range(4):
        (release / "images" / name_of(number)).unlink()
    seen = []
    text = refusal(release, tmp_path, max_bad=3, progress=lambda *counts: seen.append(counts))
    assert "4 images cannot be had" in text
    assert f"{name_of(2)} (no such file), ..." in text
    assert seen == []


# Mistakes in the files --------------------------------------------------------------------------


def test_no_such_root(tmp_path):
    assert "no such folder" in refusal(tmp_path / "absent", tmp_path)


def test_a_root_without_a_label_table(release, tmp_path):
    (release / "Data_Entry_2017_v2020.csv").unlink()
    text = refusal(release, tmp_path)
    assert "Data_Entry_2017_v2020.csv or another Data_Entry_2017*.csv; found none" in text


def test_no_images(release, tmp_path):
    shutil.rmtree(release / "images")
    assert "no images; fetch them with `harness data download nih`" in refusal(release, tmp_path)


def test_a_size_that_is_too_small(release, tmp_path):
    with pytest.raises(HarnessError, match="8 px; give 16 or more"):
        prepare_nih(release, tmp_path / "store", size_px=8)


TABLE, TRAIN_VAL, TEST, BOXES = (
    "Data_Entry_2017_v2020.csv", "train_val_list.txt", "test_list.txt", "BBox_List_2017.csv",
)  # fmt: skip


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        (TABLE, "Patient ID", "Patient Id", ["no column 'Patient ID'", "mean 'Patient Id'"]),
        (TABLE, ",Edema|Ple", ",Oedema|Ple", [f"{TABLE}:4", "'Oedema'", "mean 'Edema'"]),
        (TABLE, ",Mass,", ",,", [f"{TABLE}:3", "unknown finding ''"]),
        (TABLE, name_of(2), name_of(0), [f"{TABLE}:4", f"{name_of(0)!r} is named a second time"]),
        (TABLE, f"{name_of(2)},", "", [TABLE]),
        (TRAIN_VAL, name_of(2), "9_0.png", ["label table lacks: 1, 9_0.png"]),
        (TRAIN_VAL, f"{name_of(2)}\n", "", ["neither", f"1, {name_of(2)}"]),
        (TEST, name_of(6), name_of(0), ["the other list names too", name_of(0)]),
        (TABLE, ",0,4,", ",0,3,", ["share patients: 1, 3"]),
        (BOXES, "Bbox [x", "Box [x", [f"{BOXES}:1", "header"]),
        (BOXES, ",Mass,", ",Mas,", [f"{BOXES}:2", "'Mas'", "mean 'Mass'"]),
        (BOXES, "200,30", "wide,30", [f"{BOXES}:2", "4 numbers"]),
        (BOXES, "200,30,40", "200,-30,40", [f"{BOXES}:2", "not a box"]),
        (BOXES, "200,30,40", "nan,30,40", [f"{BOXES}:2", "not a box"]),
    ],
)
def test_a_mistake_in_a_file_is_named_with_its_place(release, tmp_path, file, old, new, told):
    edit(release / file, old, new)
    text = refusal(release, tmp_path)
    assert str(release) in text
    for words in told:
        assert words in text


def test_one_list_without_the_other(release, tmp_path):
    (release / "test_list.txt").unlink()
    assert "test_list.txt is missing" in refusal(release, tmp_path)


# Again, and after a kill ------------------------------------------------------------------------


def test_again_with_the_same_inputs_changes_nothing(release, tmp_path, caplog):
    first = prepare_nih(release, tmp_path / "store", size_px=16)
    times = {path: path.stat().st_mtime_ns for path in first.path.iterdir()}
    caplog.set_level(logging.INFO)
    second = prepare_nih(release, tmp_path / "store", size_px=16)
    assert second.fingerprint == first.fingerprint
    assert {path: path.stat().st_mtime_ns for path in first.path.iterdir()} == times
    assert "already prepared" in caplog.text


def test_again_with_other_inputs_is_refused(release, tmp_path):
    prepare_nih(release, tmp_path / "store", size_px=16)
    with pytest.raises(HarnessError, match="made with size_px 16, now 32; choose another --out"):
        prepare_nih(release, tmp_path / "store", size_px=32)
    edit(release / "Data_Entry_2017_v2020.csv", ",Mass,", ",Nodule,")
    with pytest.raises(HarnessError, match=r"made with Data_Entry_2017_v2020\.csv \w{12}, now"):
        prepare_nih(release, tmp_path / "store", size_px=16)


def test_a_folder_that_is_no_store_is_not_touched(release, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(HarnessError, match="not an image store"):
        prepare_nih(release, tmp_path / "mine", size_px=16)
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"


def test_a_partial_store_of_other_inputs_is_refused(release, tmp_path):
    (release / "images" / name_of(0)).unlink()
    refusal(release, tmp_path, max_bad=0)
    with pytest.raises(HarnessError, match="begun with size_px 16, now 32; remove this folder"):
        prepare_nih(release, tmp_path / "store", size_px=32)


PREPARE = """
import os, signal, sys
from pathlib import Path

def stop(done, total):
    if done:
        print(done, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    from harness.data.nih import prepare_nih

    root, out, num_workers = sys.argv[1:]
    prepare_nih(Path(root), Path(out), size_px=16, num_workers=int(num_workers), progress=stop)
"""


def kill_in_the_middle(root: Path, out: Path, *, num_workers: int) -> int:
    """Have `prepare_nih` killed at its first progress: how many images it reported."""
    script = root.parent / "prepare.py"
    script.write_text(PREPARE)
    command = [sys.executable, str(script), str(root), str(out), str(num_workers)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    return int(ended.stdout)


def test_a_killed_preparation_continues_to_the_same_store(tmp_path):
    num_images = 6 * CHUNK_IMAGES
    root = write_release(tmp_path / "release", num_images=num_images)
    whole = prepare_nih(root, tmp_path / "whole", size_px=16, num_workers=1)
    done = kill_in_the_middle(root, tmp_path / "store", num_workers=2)
    assert 0 < done < num_images
    assert not (tmp_path / "store").exists()

    seen = []
    store = prepare_nih(
        root, tmp_path / "store", size_px=16, num_workers=1,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert done <= seen[0][0] < num_images
    assert seen[-1] == (num_images, num_images)
    assert store.fingerprint == whole.fingerprint
    assert np.array_equal(store.images, whole.images)
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_the_lock_of_another_preparation_is_told_and_a_finished_store_needs_none(
    release, tmp_path, harness
):
    words = ("data", "prepare", "nih", "--root", release, "--out", tmp_path / "store", "--size", 16)
    with held(tmp_path / ".store.lock"):
        code, _, said = harness(*words)
        assert code == 2
        assert len(said.splitlines()) == 1
        assert f"{tmp_path / 'store'}: in use by process {os.getpid()}" in said
        assert not (tmp_path / ".store.partial").exists()
    assert harness(*words)[0] == 0
    with held(tmp_path / ".store.lock"):
        assert harness(*words)[0] == 0


def test_two_preparations_at_a_time_do_not_disturb_one_another(release, tmp_path):
    """The second comes while the first is at work, and is refused without touching anything."""
    refused = []

    def come_second(done, total):
        with pytest.raises(HarnessError, match="in use by process") as caught:
            prepare_nih(release, tmp_path / "store", size_px=16)
        refused.append(str(caught.value))

    store = prepare_nih(release, tmp_path / "store", size_px=16, progress=come_second)
    assert refused
    assert store.fingerprint == prepare_nih(release, tmp_path / "alone", size_px=16).fingerprint


@pytest.mark.parametrize("step", ["manifest", "kept", "work"])
def test_a_kill_during_the_last_renames_is_mended(release, tmp_path, monkeypatch, step):
    """Stops before the first rename, after that of the images, and before the last."""
    break_two(release)
    whole = prepare_nih(release, tmp_path / "whole", size_px=16)

    class Killed(BaseException):
        pass

    def stop_early(partial: PartialStore) -> ImageStore:
        if step != "manifest":
            (partial.folder / "work" / "kept.npy").replace(partial.filling.images_file)
        if step == "work":
            shutil.rmtree(partial.folder / "work")
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(PartialStore, "publish", stop_early)
        with pytest.raises(Killed):
            prepare_nih(release, tmp_path / "store", size_px=16)
    store = prepare_nih(release, tmp_path / "store", size_px=16)
    assert store.fingerprint == whole.fingerprint
    assert store.manifest.failures == whole.manifest.failures
    store.verify()


def test_images_mended_after_a_kill_before_the_manifest_are_all_in_the_store(
    release, tmp_path, monkeypatch
):
    whole = prepare_nih(release, tmp_path / "whole", size_px=16)
    shutil.copytree(release, tmp_path / "mended")
    break_two(release)
    with monkeypatch.context() as patch:
        patch.setattr("harness.data.partial_store.complete_store", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            prepare_nih(release, tmp_path / "store", size_px=16)
    store = prepare_nih(tmp_path / "mended", tmp_path / "store", size_px=16)
    assert store.fingerprint == whole.fingerprint
    assert np.array_equal(store.images, whole.images)


def test_a_kill_while_the_files_are_laid_out_begins_anew(release, tmp_path):
    folder = tmp_path / ".store.partial"
    (folder / "work").mkdir(parents=True)
    (folder / "images.npy").write_bytes(b"cut off")
    assert len(prepare_nih(release, tmp_path / "store", size_px=16)) == 8


# Real images ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sample_store(tmp_path_factory):
    root = Path(__file__).resolve().parents[2] / "../shared/data/nih-sample"
    if not root.is_dir():
        pytest.skip("no ../shared/data/nih-sample beside the checkout")
    return prepare_nih(root, tmp_path_factory.mktemp("nih") / "store", size_px=128)


def test_the_real_sample(sample_store):
    assert sample_store.images.shape == (499, 128, 128)
    assert sample_store.table["fold"].value_counts().to_dict() == {"train_val": 400, "test": 99}
    assert sample_store.table["patient"].nunique() == 499
    assert sample_store.manifest.failures == ()
    assert sample_store.manifest.notes == ()


def test_the_boxes_of_the_real_sample_are_of_findings_of_their_images(sample_store):
    table = sample_store.table.set_index("image")
    assert len(sample_store.boxes) == 9
    assert all(table.loc[box.image, box.finding] for box in sample_store.boxes.itertuples())
    assert "Infiltration" in set(sample_store.boxes["finding"])


def test_the_pixels_of_the_real_sample_are_pillows(sample_store, shared_data):
    files = {path.name: path for path in (shared_data / "nih-sample" / "images").iterdir()}
    modes = {}
    for row, name in enumerate(sample_store.table["image"]):
        with Image.open(files[name]) as image:
            if modes.setdefault((image.mode, image.size), 0) == 3:
                continue
            modes[image.mode, image.size] += 1
            rgb = np.asarray(image.convert("RGB"))
        assert (rgb[..., 0] == rgb[..., 1]).all()
        small = Image.fromarray(rgb[..., 0]).resize((128, 128), Image.Resampling.BILINEAR)
        assert np.array_equal(sample_store.images[row], np.asarray(small)), name
    assert {("L", (256, 256)), ("L", (1024, 1024)), ("RGBA", (1024, 1024))} <= set(modes)


def test_the_whole_list_of_boxes(shared_data, tmp_path):
    """984 boxes of 880 images, none outside of the 1024 px frame: counted from the public file."""
    file = tmp_path / "BBox_List_2017.csv"
    file.write_bytes(gzip.decompress((shared_data / "BBox_List_2017.csv.gz").read_bytes()))
    boxes = read_boxes(file)
    assert len(boxes) == 984
    assert boxes["image"].nunique() == 880
    assert boxes["finding"].value_counts()["Infiltration"] == 123
    assert (boxes["x"] + boxes["w"]).max() <= 1024
    assert (boxes["y"] + boxes["h"]).max() <= 1024
