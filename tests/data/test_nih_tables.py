"""Which of the label tables that go round is told by its counts."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.core.findings import FINDINGS
from harness.data.nih_counts import LABEL_COUNTS, NUM_IMAGES
from harness.data.nih_tables import label_version, read_label_table

FILE = Path("Data_Entry_2017.csv")


def table_with(counts, num_images=NUM_IMAGES):
    """A table of as many images of each finding, all of the same age."""
    labels = {name: np.arange(num_images) < count for name, count in counts.items()}
    return pd.DataFrame({"age": pd.array([50] * num_images, dtype="Int16")} | labels)


@pytest.mark.parametrize("version", ["v2020", "v2017-lists"])
def test_the_whole_release_is_known_by_its_counts(version):
    assert label_version(table_with(LABEL_COUNTS[version]), FILE) == version


def test_impossible_ages_tell_the_table_of_2017_from_that_of_2020():
    table = table_with(LABEL_COUNTS["v2020"])
    table.loc[7, "age"] = None
    assert label_version(table, Path("Data_Entry_2017_v2020.csv")) == "v2017"


def test_other_counts_are_of_no_known_version():
    counts = LABEL_COUNTS["v2020"] | {"Atelectasis": LABEL_COUNTS["v2020"]["Atelectasis"] + 1}
    assert label_version(table_with(counts), Path("Data_Entry_2017_v2020.csv")) == "unknown"


@pytest.mark.parametrize(
    ("name", "version"), [("Data_Entry_2017_v2020.csv", "v2020"), ("Data_Entry_2017.csv", "v2017")]
)
def test_a_part_is_known_by_the_name_of_its_file(name, version):
    assert (
        label_version(table_with(dict.fromkeys(FINDINGS, 1), num_images=5), Path(name)) == version
    )


def test_an_age_beyond_every_life_in_the_real_table(shared_data, tmp_path):
    text = gzip.decompress((shared_data / "Data_Entry_2017_v2020.csv.gz").read_bytes()).decode()
    (tmp_path / FILE).write_text(text.replace(",58,M,PA,", ",414,M,PA,", 1))
    table, notes = read_label_table(tmp_path / FILE)
    assert label_version(table, tmp_path / FILE) == "v2017"
    assert notes == ("1 ages that are no number up to 120 made null",)
