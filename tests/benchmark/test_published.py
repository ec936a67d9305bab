"""Published figures: every one as its source has it, and flagged where it cannot be compared."""

import csv
import shutil
import subprocess
import sys
from collections import Counter

import pytest

from harness.benchmark import published
from harness.benchmark.estimates import MACRO
from harness.benchmark.published import (
    SPLIT_DIFFERS,
    find_published,
    published_dir,
    published_rows,
    split_as_published,
)
from harness.core.errors import HarnessError
from harness.core.findings import FINDINGS
from harness.core.records import METRICS
from tests.conftest import ROOT, SHARED_DATA

LOSSES = {"focal_loss_mean", "bce_mean", "bce_sum"}


def rows() -> dict[str, published.PublishedRow]:
    return {row.key: row for row in published_rows("official")}


def flags(key: str, split: str) -> tuple[str, ...]:
    (row,) = published_rows(split, keys=[key])
    return row.flags


@pytest.mark.parametrize(
    ("key", "scope", "metric", "value"),
    [
        ("dannynet", MACRO, "auroc", 0.8527),
        ("dannynet", "Hernia", "auroc", 0.997),
        ("dannynet", MACRO, "f1_oracle", 0.3861),
        ("chexnet-strick", MACRO, "f1_at_half", 0.0763),
        ("vit-strick", MACRO, "auroc", 0.794),
        ("dacnet-2026", MACRO, "auroc", 0.8474449764607265),
        ("dacnet-2026", MACRO, "f1", 0.34135997328453144),
        ("chexnet-strick-2026", MACRO, "bce_sum", 2.1324836436867542),
        ("chexnet", "Pneumonia", "auroc", 0.768),
        ("wang2017", MACRO, "auroc", 0.7381),
        ("zoogzog", MACRO, "auroc", 0.8508),
        ("eva-x-b", MACRO, "auroc", 0.835),
    ],
)
def test_figures_are_those_of_their_sources(key, scope, metric, value):
    assert rows()[key].figures[scope][metric] == value


def test_all_values_are_carried_over_exactly():
    path = SHARED_DATA.parent / "published_results.csv"
    if not path.exists():
        pytest.skip("the collection that the figures were taken from is not there")

    def figures(of) -> Counter[tuple[str, str]]:
        with of.open(encoding="utf-8", newline="") as stream:
            lines = list(csv.DictReader(stream))
        whole = {"MEAN14": MACRO, "ALL": MACRO}
        return Counter(
            (whole.get(line["finding"], line["finding"]), line["value"]) for line in lines
        )

    assert figures(published_dir() / "figures.csv") >= figures(path)


def test_macro_is_the_mean_of_the_findings():
    """Where all 14 are known: a figure in the wrong line would show."""
    checked = 0
    for row in rows().values():
        for metric in ("auroc", "f1", "f1_oracle", "f1_at_half"):
            known = [row.figures[name][metric] for name in FINDINGS if name in row.figures
                     and metric in row.figures[name]]  # fmt: skip
            if known:
                assert len(known) == len(FINDINGS)
                assert sum(known) / 14 == pytest.approx(row.figures[MACRO][metric], abs=6e-4)
                checked += 1
    assert checked >= 19


def test_names_are_ours_and_every_figure_has_a_method():
    with (published_dir() / "figures.csv").open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert {line["key"] for line in lines} == set(rows())
    assert {line["finding"] for line in lines} == {MACRO, *FINDINGS}
    assert {line["metric"] for line in lines} <= {*METRICS, "f1_oracle", "threshold"} | LOSSES
    assert all(0 <= float(line["value"]) <= 1 for line in lines if line["metric"] not in LOSSES)
    assert len({tuple(line.values())[:3] for line in lines}) == len(lines)
    assert all(row.source for row in rows().values())


def test_a_row_of_another_split_is_flagged():
    assert flags("dacnet-2026", "official") == ("split differs",)
    assert flags("dacnet-2026", "dacnet_70_10_20") == ()
    assert flags("mgca", "official") == ()


def test_thresholds_tuned_on_test_are_flagged_whatever_the_split():
    assert flags("dannynet", "dannynet_2pct") == ("thresholds tuned on test",)
    assert flags("dannynet", "official") == ("split differs", "thresholds tuned on test")
    assert flags("chexnet-strick", "dannynet_2pct") == ()


def test_what_is_known_to_speak_against_a_source_is_flagged():
    assert flags("eva-x-s", "official") == ("tested on the selection set",)
    assert flags("medical-mae-vit-s", "official") == ("tested on the selection set",)
    assert flags("ag-cnn", "official") == ("split differs", "unverified split")


@pytest.mark.parametrize("split", ["official", "dacnet_70_10_20", "dannynet_2pct", "file:mine"])
def test_rows_of_the_split_come_first_then_the_less_doubtful(split):
    found = published_rows(split)
    assert len(found) >= 30
    order = [(row.split != split, len(row.flags)) for row in found]
    assert order == sorted(order)
    assert (found[0].split == split) == (split != "file:mine")


@pytest.mark.parametrize(("num_test", "is_flagged"), [(25_596, False), (25_590, False), (99, True)])
def test_a_sample_of_the_release_is_not_its_split(num_test, is_flagged):
    split = split_as_published("official", num_test)
    assert (SPLIT_DIFFERS in flags("mgca", split)) == is_flagged
    assert split_as_published("file:mine", 3) == "file:mine"


def test_rows_can_be_chosen_by_their_keys():
    assert {row.key for row in published_rows("official", keys=["chexnet", "mgca"])} == {
        "chexnet", "mgca",
    }  # fmt: skip
    assert published_rows("official", keys=[]) == ()


def test_a_method_is_found_by_its_key():
    row = find_published("dacnet-2026")
    assert (row.split, row.flags) == ("dacnet_70_10_20", ())
    with pytest.raises(HarnessError, match=r"no published figures 'danynet' \(did you mean 'dann"):
        find_published("danynet")


def test_an_installed_package_finds_them_too(tmp_path):
    """Laid out as the wheel is: the folder beside the modules."""
    shutil.copytree(
        ROOT / "harness", tmp_path / "harness", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copytree(published_dir(), tmp_path / "harness" / "published")
    code = (
        "from harness.benchmark.published import published_dir, published_rows as rows;"
        "print(published_dir(), len(rows('official')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    own = str(tmp_path / "harness" / "published")
    assert done.stdout.split() == [own, str(len(published_rows("official")))]
