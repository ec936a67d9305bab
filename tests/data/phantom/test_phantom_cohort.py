"""The cohort: prevalence, correlation, patients, and labels that err at the stated rates."""

from collections import Counter, defaultdict
from itertools import pairwise

import pytest

from harness.core.findings import FINDINGS
from harness.data.phantom.cohort import (
    INVENTED_RATE,
    MIN_PREVALENCE,
    MISSED_RATE,
    NIH_AP_SHARE,
    NIH_PREVALENCE,
    TEST_SHARE,
    Exam,
    plan_exams,
    prevalence,
)

NUM_EXAMS = 12_000


@pytest.fixture(scope="module")
def exams() -> list[Exam]:
    return plan_exams(NUM_EXAMS, seed=5)


def share(exams: list[Exam], finding: str) -> float:
    return sum(finding in exam.grades for exam in exams) / len(exams)


@pytest.mark.parametrize("finding", FINDINGS)
def test_each_finding_is_drawn_as_often_as_stated(exams: list[Exam], finding: str) -> None:
    # Images of a patient are alike, so the count varies more than that of independent images.
    expected = prevalence(finding)
    assert expected == max(NIH_PREVALENCE[finding], MIN_PREVALENCE)
    assert share(exams, finding) == pytest.approx(expected, abs=5 * (expected / NUM_EXAMS) ** 0.5)


def test_ap_and_test_shares(exams: list[Exam]) -> None:
    assert sum(exam.view == "AP" for exam in exams) / NUM_EXAMS == pytest.approx(
        NIH_AP_SHARE, abs=0.03
    )
    patients = {exam.patient: exam.fold for exam in exams}
    assert Counter(patients.values())["test"] / len(patients) == pytest.approx(TEST_SHARE, abs=0.03)


def test_findings_occur_together_as_in_the_source(exams: list[Exam]) -> None:
    def lift(a: str, b: str) -> float:
        both = sum(a in exam.grades and b in exam.grades for exam in exams) / NUM_EXAMS
        return both / (share(exams, a) * share(exams, b))

    assert lift("Emphysema", "Pneumothorax") > 3
    assert lift("Edema", "Pneumonia") > 3
    assert lift("Hernia", "Nodule") < 2


def test_labels_err_at_the_documented_rates(exams: list[Exam]) -> None:
    num_drawn = sum(len(exam.grades) for exam in exams)
    num_missed = sum(len(exam.grades.keys() - exam.recorded) for exam in exams)
    num_invented = sum(len(exam.recorded - exam.grades.keys()) for exam in exams)
    num_absent = len(FINDINGS) * NUM_EXAMS - num_drawn
    assert num_missed / num_drawn == pytest.approx(MISSED_RATE, abs=0.008)
    assert num_invented / num_absent == pytest.approx(INVENTED_RATE, abs=0.0005)


def test_a_patient_keeps_body_sex_and_fold(exams: list[Exam]) -> None:
    by_patient = defaultdict(list)
    for exam in exams:
        by_patient[exam.patient].append(exam)
    assert len(by_patient) < 0.6 * NUM_EXAMS
    assert max(map(len, by_patient.values())) == 8
    for mine in by_patient.values():
        assert len({(exam.fold, exam.body) for exam in mine}) == 1
    assert len({exam.image for exam in exams}) == NUM_EXAMS


def test_findings_last_in_part(exams: list[Exam]) -> None:
    pairs = [
        (a, b) for a, b in pairwise(exams) if a.patient == b.patient and "Effusion" in a.grades
    ]
    lasting = sum("Effusion" in after.grades for _, after in pairs) / len(pairs)
    assert 0.3 < lasting < 0.7


def test_a_larger_cohort_begins_with_the_smaller() -> None:
    assert plan_exams(300, seed=1)[:100] == plan_exams(100, seed=1)
    assert plan_exams(100, seed=1) != plan_exams(100, seed=2)
