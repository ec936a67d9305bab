import numpy as np
import pandas as pd
import pytest

from harness.core.errors import HarnessError
from harness.core.findings import FINDINGS
from harness.data.checks import CHECKS, Verdict, check_store
from harness.data.checks.labels import check_labels
from harness.data.checks.pictures import measure
from harness.data.checks.subject import Subject
from harness.data.splits import make_split, part_of_each
from harness.data.store import StoreOrigin, write_store


def test_a_sound_store(make_store):
    store = make_store()
    report = check_store(store)
    verdicts = {name: check.verdict for name, check in report.checks.items()}
    assert verdicts == dict.fromkeys(CHECKS, Verdict.GOOD) | {"labels": Verdict.NOTE}
    assert not report.has_leak
    assert report.split_sha256 == make_split(store, "official").sha256
    assert (report.num_images, report.num_patients) == (120, 60)


def test_a_patient_in_two_parts_is_a_leak(make_store):
    def spoil(table, images):
        table.loc[table.index[-1], "patient"] = "p0"  # p0 is of the test list

    report = check_store(make_store(spoil))
    check = report.checks["patients"]
    assert check.verdict is Verdict.LEAK
    assert [row[0] for row in check.rows] == ["p0"]
    assert "test" in check.rows[0][1]
    assert check.rows[0][2] == 3
    assert report.has_leak
    assert report.split_sha256 is None


def copied(table, images):
    images[20] = images[0]
    images[30] = images[40] + np.random.default_rng(1).integers(0, 9, (64, 64))


def test_a_copy_in_another_part_is_a_leak(make_store):
    report = check_store(make_store(copied, is_synthetic=False))
    check = report.checks["twins"]
    assert check.verdict is Verdict.LEAK
    (first, second) = check.rows
    assert (first[0], first[3], first[-1]) == ("film_000.png", "film_020.png", "identical")
    assert (second[0], second[3]) == ("film_030.png", "film_040.png")
    assert 0.8 < float(second[-1]) < 1
    assert ("film_000.png", "film_020.png") in check.images
    assert report.has_leak


def test_drawn_images_may_be_alike_and_not_equal(make_store):
    check = check_store(make_store(copied, is_synthetic=True)).checks["twins"]
    assert check.verdict is Verdict.LEAK
    assert [(row[0], row[3]) for row in check.rows] == [("film_000.png", "film_020.png")]


def test_copies_within_a_part_are_none(make_store):
    def spoil(table, images):
        images[1] = images[0]

    assert check_store(make_store(spoil)).checks["twins"].verdict is Verdict.GOOD


def test_blank_images_are_named_and_are_not_each_other_s_copies(make_store):
    def spoil(table, images):
        images[[0, 21, 41]] = np.array([0, 255, 128], np.uint8)[:, None, None]

    report = check_store(make_store(spoil))
    named = {row[0] for row in report.checks["blank"].rows}
    assert named == {"film_000.png", "film_021.png", "film_041.png"}
    assert report.checks["blank"].verdict is Verdict.DOUBT
    for name in ("twins", "inverted", "borders"):
        assert report.checks[name].verdict is Verdict.GOOD


def test_negatives_and_wide_borders_are_named(make_store):
    def spoil(table, images):
        images[9] = 255 - images[9]
        images[12, :20] = 3

    report = check_store(make_store(spoil))
    assert [row[0] for row in report.checks["inverted"].rows] == ["film_009.png"]
    assert report.checks["inverted"].images == (("film_009.png",),)
    assert report.checks["borders"].rows == (("film_012.png", "train", round(20 / 64, 3)),)
    assert report.checks["borders"].verdict is Verdict.NOTE


def test_people_who_cannot_be(make_store):
    def spoil(table, images):
        table.loc[3, "age"] = 120
        table.loc[4, "age"] = None
        table.loc[5, "sex"] = "M"
        table.loc[7, "sex"] = ""

    check = check_store(make_store(spoil)).checks["people"]
    assert check.verdict is Verdict.DOUBT
    assert check.rows == (("film_003.png", "p1", 120),)
    assert check.summary == (
        "Images of people over 100: 1; patients of two sexes: 1; images without age: 1; "
        "images without sex: 1."
    )


def test_changed_pixels_are_found(make_store):
    store = make_store()
    images = np.array(store.images)
    images[3, 4, 5] ^= 1
    np.save(store.path / "images.npy", images)
    check = check_store(type(store).open(store.path)).checks["pixels"]
    assert check.verdict is Verdict.DOUBT
    assert "pixels changed" in check.summary


def test_what_was_left_out_is_told(make_store):
    store = make_store(failures=({"image": "bad.png", "reason": "cut off"},))
    check = check_store(store).checks["pixels"]
    assert check.verdict is Verdict.NOTE
    assert check.rows == (("bad.png", "cut off"),)


def test_without_patients_nothing_is_claimed_of_them(make_store):
    def spoil(table, images):
        table["patient"] = table["image"]

    report = check_store(make_store(spoil, has_patients=False))
    assert report.num_patients is None
    assert report.checks["patients"].verdict is Verdict.NOTE
    assert "cannot be told" in report.checks["patients"].summary


def test_uneven_shares_are_told(make_store):
    """Findings of more than 500 images only; the shares of all are shown."""
    store = make_store()
    check = check_store(store).checks["labels"]
    split = make_split(store, "official")
    row = dict(zip(check.columns, check.rows[FINDINGS.index("Mass")], strict=True))
    label_N = store.table["Mass"].to_numpy()
    assert row["positives"] == label_N.sum()
    assert row["val"] == pytest.approx(label_N[split.val].mean())
    assert row["test"] == pytest.approx(label_N[split.test].mean())
    assert "differ" not in check.summary


def test_a_split_that_cannot_be_made(make_store):
    with pytest.raises(HarnessError, match="did you mean 'official'"):
        check_store(make_store(), split="oficial")


# Label versions ---------------------------------------------------------------------------------


@pytest.fixture
def label_check(release, tmp_path):
    """A function: a table of 112,120 rows -> the check of its labels, under images of one pixel."""

    def check(table: pd.DataFrame, version: str):
        origin = StoreOrigin(
            source="nih", is_synthetic=False, label_version=version, attribution="",
            box_frame_px=1,
        )  # fmt: skip
        images = np.zeros((len(table), 1, 1), np.uint8)
        store = write_store(
            tmp_path / version, images=images, table=table, boxes=None, origin=origin
        )
        part_N = part_of_each(store.table, "official", store.findings)
        return check_labels(Subject(store, part_N, measure(images[:1])))

    return check


def test_the_label_version_is_told_by_its_counts(label_check, release):
    check = label_check(release, "v2020")
    assert check.verdict is Verdict.GOOD
    assert check.summary == "The counts of all findings are those of v2020."
    pneumonia = dict(zip(check.columns, check.rows[FINDINGS.index("Pneumonia")], strict=True))
    assert pneumonia["positives"] == 1431
    assert pneumonia["whole release"] == pytest.approx(1431 / 112120)
    assert pneumonia["test"] == pytest.approx(555 / 25596)


@pytest.mark.parametrize(
    ("declared", "verdict"), [("v2017", Verdict.GOOD), ("v2017-lists", Verdict.DOUBT)]
)
def test_the_table_of_2017_has_the_labels_of_2020(label_check, release, declared, verdict):
    assert label_check(release, declared).verdict is verdict


def test_labels_of_no_version_are_doubted(label_check, release):
    edited = release.assign(Pneumonia=release["Pneumonia"] & (release["sex"] == "M"))
    check = label_check(edited, "v2017")
    assert check.verdict is Verdict.DOUBT
    assert "no known label version, though the store says v2017" in check.summary


def test_a_part_of_the_release_cannot_be_told(label_check, release):
    check = label_check(release[:5000], "v2020")
    assert check.verdict is Verdict.NOTE
    assert "5,000 of the release's 112,120 images" in check.summary
