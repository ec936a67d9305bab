"""`Comparison`: what is compared, on which images and how, as a benchmark's folder holds it.

With the predictions that lie beside it, it is all that `statistics` needs: a report can be made
again without a store, a search, a network or a GPU.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

import pandas as pd
from pydantic import Field, ValidationError

from harness.benchmark.contestants import Contestant
from harness.benchmark.plan import StatisticsPlan
from harness.core.errors import HarnessError
from harness.core.files import read_json, write_atomic, write_json
from harness.core.predictions import Predictions
from harness.core.provenance import sources_sha256
from harness.core.recipe import Frozen, problems_of
from harness.data.splits import Split
from harness.data.store import ImageStore
from harness.evaluation.subgroups import Cases
from harness.search.history import SearchHistory

COMPARISON_FILE = "comparison.json"
CASES_FILE = "cases.parquet"
FOREIGN_DIR = "foreign"


class Images(Frozen):
    """The images of a comparison, and where their labels are from.

    Attributes:
        fingerprint: Of the image store; empty where a label table took its place.
        split: Its name.
        split_sha256: Hash of the image names of its parts.
        has_patients: False where each image stands for one.
        num_train: Images that a final run trains on; None where nothing is trained.
        num_unknown_labels: Of each part that has some.
    """

    store_source: str
    is_synthetic: bool
    label_version: str
    labels_sha256: str
    fingerprint: str = ""
    split: str
    split_sha256: str | None = None
    has_patients: bool = True
    num_train: int | None = None
    num_val_patients: int | None = None
    num_unknown_labels: dict[str, int] = Field(default_factory=dict)

    @classmethod
    def of_store(cls, store: ImageStore, split: Split) -> Self:
        """The images of a store, in the parts of a split."""
        manifest = store.manifest
        return cls(
            store_source=manifest.source,
            is_synthetic=manifest.is_synthetic,
            label_version=manifest.label_version,
            labels_sha256=manifest.labels_sha256,
            fingerprint=manifest.fingerprint,
            split=split.name,
            split_sha256=split.sha256,
            has_patients=manifest.has_patients,
            num_train=len(split.train),
            num_val_patients=_num_patients(store, split) if manifest.has_patients else None,
            num_unknown_labels=_num_unknown_labels(store, split),
        )


def _num_patients(store: ImageStore, split: Split) -> int:
    return int(store.table["patient"].iloc[split.val].nunique())


def _num_unknown_labels(store: ImageStore, split: Split) -> dict[str, int]:
    rows = {"training": split.train, "validation": split.val, "test": split.test}
    counts = {part: int((~store.is_known_NL[row_N]).sum()) for part, row_N in rows.items()}
    return {part: count for part, count in counts.items() if count}


class Comparison(Frozen):
    """What is compared.

    Attributes:
        contestants: Whose final runs, of `num_seeds` seeds each, lie in `runs/`.
        foreign: Predictions from elsewhere, in `foreign/NAME/`: SHA-256 of the file by name.
        searches: The course of each search that a contestant comes from.
        stamps: By label of a contestant or a foreign name, what its row must warn of.
        code: Hash of the sources that compute and show the figures.
    """

    name: str
    title: str
    statistics: StatisticsPlan = StatisticsPlan()
    images: Images
    contestants: tuple[Contestant, ...] = ()
    num_seeds: int = 0
    foreign: dict[str, str] = Field(default_factory=dict)
    searches: dict[str, SearchHistory] = Field(default_factory=dict)
    stamps: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    code: str = Field(default_factory=lambda: sources_sha256("benchmark", "evaluation")[:12])

    def write(self, folder: Path) -> None:
        """Write it into a benchmark's folder."""
        write_json(folder / COMPARISON_FILE, self.model_dump(mode="json"))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The comparison in a benchmark's folder.

        Raises:
            HarnessError: There is none, or it cannot be read.
        """
        path = folder / COMPARISON_FILE
        try:
            return cls.model_validate(read_json(path))
        except FileNotFoundError:
            raise HarnessError(
                f"{folder}: no {COMPARISON_FILE} in it; name a folder that `harness benchmark` or "
                "`harness evaluate` has written"
            ) from None
        except ValidationError as error:
            where, what = problems_of(error)[0]
            raise HarnessError(f"{path}: {where}: {what}") from None
        except ValueError as error:
            raise HarnessError(f"{path}: not JSON ({error})") from None


# Cases --------------------------------------------------------------------------------------


def cases_of(store: ImageStore, split: Split) -> Cases:
    """The test images of a split of a store, in the order in which they are scored."""
    return Cases.of_table(store.table.iloc[split.test])


def write_cases(cases: Cases, folder: Path) -> None:
    """Keep the test images and what is known of their patients beside the comparison."""
    columns = {
        "image": cases.image_ids,
        "patient": cases.patient_ids,
        "sex": cases.sex,
        "age": cases.age,
        "view": cases.view,
    }
    write_atomic(folder / CASES_FILE, pd.DataFrame(columns).to_parquet)


def read_cases(folder: Path) -> Cases:
    """What `write_cases` wrote.

    Raises:
        HarnessError: It is not there or not readable.
    """
    path = folder / CASES_FILE
    try:
        return Cases.of_table(pd.read_parquet(path))
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).partition("\n")[0]
        raise HarnessError(f"{path}: cannot be read ({reason}); run the benchmark again") from None


# Foreign predictions --------------------------------------------------------------------------


def foreign_file(folder: Path, name: str, part: Literal["val", "test"]) -> Path:
    """Where predictions from elsewhere of a part lie."""
    return folder / FOREIGN_DIR / name / f"predictions_{part}.npz"


def write_foreign(folder: Path, name: str, parts: Mapping[str, Predictions]) -> None:
    """Keep predictions from elsewhere, `test` and perhaps `val`, beside the comparison."""
    for part in ("val", "test"):
        path = foreign_file(folder, name, part)
        if part in parts:
            parts[part].save(path)
        else:
            path.unlink(missing_ok=True)
