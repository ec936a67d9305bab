"""Frames hold what files hold."""

import numpy as np
import pandas as pd
import pytest

from harness.api.frames import labels_frame, lines_frame, scores_frame
from harness.benchmark.forms.comma_separated import ABOUT, FIGURES, as_csv, lines_of
from harness.core.predictions import Predictions
from tests.benchmark.sample_results import sample_results


@pytest.fixture
def predictions() -> Predictions:
    return Predictions(
        score_NL=np.array([[0.25, 0.5], [0.75, 1.0], [0.0, 0.125]], dtype=np.float32),
        label_NL=np.array([[True, False], [False, False], [False, True]]),
        is_known_NL=np.array([[True, True], [True, False], [True, True]]),
        image_ids=np.array(["a.png", "b.png", "c.png"]),
        patient_ids=np.array(["p1", "p1", "p2"]),
        findings=("Mass", "Edema"),
    )


def test_findings_are_columns_and_images_rows(predictions):
    scores = scores_frame(predictions)
    assert scores.columns.tolist() == ["Mass", "Edema"]
    assert scores.index.tolist() == [("p1", "a.png"), ("p1", "b.png"), ("p2", "c.png")]
    assert scores.loc[("p1", "b.png"), "Mass"] == 0.75
    assert (scores.dtypes == np.float32).all()


def test_labels_line_up_with_scores_and_unknown_ones_are_na(predictions):
    labels = labels_frame(predictions)
    assert labels.index.equals(scores_frame(predictions).index)
    assert labels["Mass"].tolist() == [True, False, False]
    assert labels["Edema"].isna().tolist() == [False, True, False]
    assert int(labels.sum().sum()) == 2


def test_a_comparison_has_exactly_the_figures_of_its_csv(tmp_path):
    results = sample_results()
    path = tmp_path / "table.csv"
    path.write_text(as_csv(results), encoding="utf-8")
    written, frame = pd.read_csv(path, float_precision="round_trip"), lines_frame(lines_of(results))
    assert frame.columns.tolist() == [*ABOUT, *FIGURES] == written.columns.tolist()
    for name in FIGURES:
        if name not in ("seeds", "to"):
            np.testing.assert_array_equal(frame[name], written[name].astype(float), err_msg=name)
    assert frame["row"].tolist() == written["row"].tolist()
    assert frame["num_positives"].dropna().tolist() == written["num_positives"].dropna().tolist()
    first = frame["seeds"][0]
    assert " ".join(map(repr, first)) == written["seeds"][0]
