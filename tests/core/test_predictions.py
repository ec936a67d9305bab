from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.core.predictions import Predictions


@pytest.fixture
def predictions() -> Predictions:
    scores = np.random.default_rng(0).random((5, 3))
    return Predictions(
        score_NL=scores.astype(np.float32),
        label_NL=scores > 0.5,
        is_known_NL=np.array([[True, True, scores[row, 2] > 0.1] for row in range(5)]),
        image_ids=np.array([f"{k:08d}_000.png" for k in range(5)]),
        patient_ids=np.array(["1", "1", "2", "3", "3"]),
        findings=("Mass", "Nodule", "Hernia"),
    )


def test_what_is_read_is_what_was_written(predictions, tmp_path: Path) -> None:
    path = tmp_path / "predictions_val.npz"
    predictions.save(path)
    read = Predictions.load(path)
    assert read.score_NL.dtype == np.float32
    assert read.label_NL.dtype == read.is_known_NL.dtype == np.bool_
    for name in ("score_NL", "label_NL", "is_known_NL", "image_ids", "patient_ids"):
        np.testing.assert_array_equal(getattr(read, name), getattr(predictions, name))
    assert read.findings == predictions.findings
    assert list(tmp_path.iterdir()) == [path]


def test_parts_must_agree_in_their_sizes(predictions) -> None:
    with pytest.raises(AssertionError):
        Predictions(
            score_NL=predictions.score_NL,
            label_NL=predictions.label_NL[:4],
            is_known_NL=predictions.is_known_NL,
            image_ids=predictions.image_ids,
            patient_ids=predictions.patient_ids,
            findings=predictions.findings,
        )


def test_what_is_not_known_is_not_positive(predictions) -> None:
    with pytest.raises(AssertionError):
        replace(predictions, is_known_NL=~predictions.label_NL)


def test_counts_and_classes_are_of_the_known_labels(predictions) -> None:
    label_NL = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]], dtype=bool)
    is_known_NL = np.array([[1, 1, 0], [0, 1, 0], [1, 0, 0], [1, 0, 0], [0, 0, 0]], dtype=bool)
    made = replace(predictions, label_NL=label_NL, is_known_NL=is_known_NL)
    assert made.num_positives_L.tolist() == [1, 2, 0]
    assert made.num_known_L.tolist() == [3, 2, 0]
    assert made.has_both_classes_L.tolist() == [True, False, False]
    assert made.of(np.array([2, 3])).num_known_L.tolist() == [2, 0, 0]


def damage(path: Path, kind: str) -> None:
    whole = path.read_bytes()
    if kind == "absent":
        path.unlink()
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "cut off":
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "text":
        path.write_text("scores")
    elif kind == "changed":
        middle = whole.index(b"score_NL.npy") + 40
        path.write_bytes(whole[:middle] + bytes(8) + whole[middle + 8 :])
    elif kind == "one array":
        with path.open("wb") as stream:
            np.save(stream, np.zeros(3))
    elif kind == "other arrays":
        np.savez(path, a=np.zeros(3))


@pytest.mark.parametrize(
    "kind", ["absent", "empty", "cut off", "text", "changed", "one array", "other arrays"]
)
def test_a_file_that_is_none_of_ours_is_named_in_one_line(predictions, tmp_path, kind) -> None:
    path = tmp_path / "x.npz"
    predictions.save(path)
    damage(path, kind)
    with pytest.raises(HarnessError) as caught:
        Predictions.load(path)
    assert str(caught.value).startswith(f"{path}: not a predictions file")
    assert "\n" not in str(caught.value)


def test_nothing_is_unpickled(predictions, tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    arrays = {**vars(predictions), "image_ids": np.array([open, print, 1, 2, 3], dtype=object)}
    np.savez(path, **arrays)
    with pytest.raises(HarnessError, match="not a predictions file"):
        Predictions.load(path)
