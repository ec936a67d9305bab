from html.parser import HTMLParser

import numpy as np
import pytest

from harness.app.findings_chart import chart, in_order_of, percent, rows_of, summary
from harness.bundle.classifier import Answer

FINDINGS = ("Atelectasis", "Pleural_Thickening", "Hernia", "Mass")


@pytest.fixture
def rows():
    answer = Answer(
        score_L=np.array([0.9, 0.2, 0.01, 0.5], dtype=np.float32),
        probability_L=np.array([0.8, 0.3, 0.02, 0.5], dtype=np.float32),
        is_flagged_L=np.array([False, True, True, False]),
    )
    return rows_of(
        FINDINGS,
        answer,
        threshold_L=np.array([0.95, 0.15, 0.005, np.nan]),
        probability_threshold_L=np.array([0.85, 0.25, 0.01, np.nan], dtype=np.float32),
    )


def test_flagged_findings_come_first_then_the_likelier(rows):
    assert [row.finding for row in rows] == ["Pleural_Thickening", "Hernia", "Atelectasis", "Mass"]
    assert [row.probability for row in rows] == pytest.approx([0.3, 0.02, 0.8, 0.5])
    assert [row.score for row in rows] == pytest.approx([0.2, 0.01, 0.9, 0.5])
    assert [row.score_threshold for row in rows] == [0.15, 0.005, 0.95, None]
    assert [row.threshold for row in rows] == [*map(pytest.approx, (0.25, 0.01, 0.85)), None]


def test_two_models_stand_in_one_order(rows):
    ordered = in_order_of(rows, ["Mass", "Hernia", "Atelectasis"])
    assert [row.finding for row in ordered][:3] == ["Mass", "Hernia", "Atelectasis"]


def test_the_summary_names_what_is_flagged_and_what_cannot_be(rows):
    assert summary(rows) == (
        "2 of 4 findings flagged: Pleural Thickening, Hernia; 1 without a threshold."
    )
    assert summary(rows[2:3]) == "None of 1 findings flagged."


@pytest.mark.parametrize(
    ("value", "told"), [(0.0, "0.0 %"), (0.0123, "1.2 %"), (0.0996, "10 %"), (1.0, "100 %")]
)
def test_small_probabilities_have_a_digit_more(value, told):
    assert percent(value) == told


def test_bars_carry_words_for_all_that_they_show(rows):
    page = chart(rows, label='of "<x>"')
    text = _text(page.partition("<style>")[0])
    assert "Pleural Thickening 30 % ▲ flagged, from 25 %" in text
    assert "Atelectasis 80 % below 85 %" in text
    assert "Mass 50 % no threshold" in text
    assert "width:80.00%" in page
    assert "left:85.00%" in page
    assert "<x>" not in page


def test_the_name_of_a_finding_is_no_html():
    answer = Answer(*(np.array([v]) for v in (0.5, 0.5, True)))
    half_L = np.array([0.5], dtype=np.float32)
    rows = rows_of(
        ["<script>x</script>"], answer, threshold_L=half_L, probability_threshold_L=half_L
    )
    assert "<script" not in chart(rows, label="a")


def _text(page: str) -> str:
    words: list[str] = []
    parser = HTMLParser()
    parser.handle_data = words.append  # type: ignore[method-assign]
    parser.feed(page)
    return " ".join(" ".join(words).split())
