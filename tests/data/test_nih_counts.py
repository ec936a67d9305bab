from harness.core.findings import FINDINGS
from harness.data.nih_counts import LABEL_COUNTS, NUM_IMAGES, V2020


def test_the_release_counts_what_everyone_counts(release):
    assert len(release) == NUM_IMAGES
    for column, fold in enumerate(("train_val", "test")):
        counts = release.loc[release["fold"] == fold, list(FINDINGS)].sum()
        assert {name: V2020[name][column] for name in FINDINGS} == counts.to_dict()


def test_the_two_versions_differ_in_what_the_field_counted():
    """Pneumonia by 78; Edema, Consolidation, Emphysema, Fibrosis, Hernia, pleura not at all."""
    ours, theirs = LABEL_COUNTS["v2020"], LABEL_COUNTS["v2017-lists"]
    assert ours["Pneumonia"] - theirs["Pneumonia"] == 78
    assert [name for name in FINDINGS if ours[name] == theirs[name]] == [
        "Consolidation", "Edema", "Emphysema", "Fibrosis", "Hernia", "Pleural_Thickening",
    ]  # fmt: skip
