import csv
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.bundle.classifier import Classifier
from harness.bundle.predict import predict, write_answers
from harness.data.image_files import image_files
from harness.data.radiograph import read_radiograph
from tests.data.dicom_files import dicom


@pytest.fixture
def images(tmp_path):
    """A folder of five images, of which one is damaged, and of what is none."""
    folder = tmp_path / "images"
    (folder / "more").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.JPG", "more/c.png"):
        noise = Image.fromarray(rng.integers(0, 256, (64, 64), dtype=np.uint8))
        noise.save(folder / name, "PNG" if name.endswith("png") else "JPEG")
    (folder / "0001").write_bytes(dicom())
    (folder / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    for name in ("notes.txt", ".hidden.png", "DICOMDIR"):
        (folder / name).write_text("not an image")
    return folder


@pytest.fixture(scope="module")
def classifier(bundle_dir):
    return Classifier.load(bundle_dir, device="cpu")


def test_bad_files_are_told_of_and_the_rest_is_answered(images, classifier, monkeypatch):
    monkeypatch.setattr("harness.bundle.predict.NUM_AT_ONCE", 2)
    told = []
    files = image_files([images])
    answered = predict(classifier, files, progress=lambda *done: told.append(done))
    assert [path.name for path in answered.failures] == ["bad.png"]
    assert [path.name for path in answered.answers] == ["0001", "a.png", "b.JPG", "c.png"]
    assert told[-1] == (5, 5)
    alone = classifier.answer(read_radiograph(images / "a.png"))
    assert answered.answers[images / "a.png"].score_L == pytest.approx(alone.score_L, abs=1e-6)


def test_the_table_has_a_row_for_each_image_and_finding(images, classifier, tmp_path):
    answered = predict(classifier, [images / "a.png", images / "0001"], progress=lambda *_: None)
    write_answers(tmp_path / "answers.csv", answered)
    with (tmp_path / "answers.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["image", "finding", "score", "score_threshold", "probability", "flag"]
    assert len(rows) == 2 * 14
    answer = answered.answers[images / "a.png"]
    for column, row in enumerate(rows[:14]):
        assert row["image"] == str(images / "a.png")
        assert row["finding"] == classifier.findings[column]
        assert float(row["score"]) == pytest.approx(answer.score_L[column], rel=1e-6)
        assert float(row["probability"]) == pytest.approx(answer.probability_L[column], rel=1e-6)
        assert row["flag"] == str(int(answer.is_flagged_L[column]))
        threshold = classifier.bundle.thresholds[row["finding"]]
        assert row["score_threshold"] == ("" if threshold is None else f"{threshold:.7g}")


def test_no_name_of_a_file_is_a_formula_or_costs_the_table(
    images, classifier, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    names = [Path(name) for name in ("=cmd|'calc'!A1.png", "-1.png", os.fsdecode(b"\xff.png"))]
    for name in names:
        shutil.copyfile(images / "a.png", name)
    write_answers(tmp_path / "answers.csv", predict(classifier, names))
    with (tmp_path / "answers.csv").open(encoding="utf-8") as stream:
        written = list(dict.fromkeys(row["image"] for row in csv.DictReader(stream)))
    assert written == ["./=cmd|'calc'!A1.png", "./-1.png", r"\udcff.png"]
    assert all(Path(name).is_file() for name in written[:2])
