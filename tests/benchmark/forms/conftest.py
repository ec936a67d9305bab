"""Results of many shapes: full, hostile, with one row, with one seed, bare, and not begun."""

from collections.abc import Callable
from typing import Any

import pytest

from harness.benchmark.estimates import Difference, Estimate
from harness.benchmark.results import Problem, Results, Row
from tests.benchmark.sample_results import sample_results

HOSTILE = (
    '<script>alert("no")</script>',
    "a|b `c` [d](https://evil.example) **e**",
    "50 % of_it & $x$ #1 {y} ~ ^ \\end{table} -- '' ?`",
    '=HYPERLINK("x")\n"><img src=x onerror=alert(1)>',
    "[*] Müller 模型 \u202e\x07 'quoted'",
)


@pytest.fixture
def results() -> Results:
    return sample_results()


def full() -> Results:
    return sample_results()


def hostile() -> Results:
    """Every text that a person or a file may have given is an attack on some form."""
    results = sample_results()
    names = dict(zip((row.label for row in results.rows), HOSTILE, strict=True))
    rows = tuple(
        changed(
            row,
            label=names[row.label],
            network=HOSTILE[0],
            stamps=HOSTILE[:2],
            members=tuple(names[member] for member in row.members),
            changes=dict.fromkeys(row.changes, HOSTILE[2:4]),
            trial=HOSTILE[1],
            runs=tuple(run.model_copy(update={"outcome": HOSTILE[0]}) for run in row.runs),
        )
        for row in results.rows
    )
    published = tuple(
        row.model_copy(update={"label": text, "source": text, "split": text, "flags": (text,)})
        for row, text in zip(results.published, HOSTILE, strict=False)
    )
    caption = changed(results.caption, store_source=HOSTILE[0], label_version=HOSTILE[2])
    problems = tuple(Problem(where=text, reason=text) for text in HOSTILE)
    searches = {
        text: changed(search, name=text, device=text)
        for text, search in zip(HOSTILE, results.searches.values(), strict=False)
    }
    return changed(
        results, rows=rows, searches=searches, published=published, caption=caption,
        title=HOSTILE[0], problems=problems,
    )  # fmt: skip


def one_row() -> Results:
    results = sample_results()
    return changed(results, rows=(without_comparison(results.rows[0]),), published=(),
                   reproduce=None)  # fmt: skip


def one_seed() -> Results:
    """A seed a row, as a quick look has it."""
    tree = sample_results().model_dump(mode="json")
    for estimate in every(tree, "seeds"):
        if isinstance(estimate["seeds"], list):
            estimate["seeds"] = estimate["seeds"][:1]
    for row in tree["rows"]:
        row |= {"num_seeds": 1, "num_scored": 1, "runs": row["runs"][:1]}
    tree["caption"]["seeds"] = [11]
    return Results.model_validate(tree)


def bare() -> Results:
    """Foreign predictions: no search, threshold, interval, subgroup, calibration, or problem."""
    results = sample_results()
    row = Row(label="theirs", kind="foreign", num_seeds=1, num_scored=1,
              figures={"macro": {"auroc": Estimate(value=0.8)}})  # fmt: skip
    caption = changed(results.caption, threshold_rule=None, seeds=(), commits=(), versions={},
                      num_val_patients=None, num_looks=None, is_synthetic=False)  # fmt: skip
    return changed(results, rows=(row,), caption=caption, published=(), searches={}, problems=(),
                   reproduce=None)  # fmt: skip


def not_begun() -> Results:
    """No run has been scored."""
    results = bare()
    row = Row(label="later", kind="final", num_seeds=3, num_scored=0)
    caption = changed(results.caption, num_images=None, num_patients=None, split_sha256=None)
    return changed(results, rows=(row,), caption=caption, num_positives={})


def without_patients() -> Results:
    """Of a source that names no patients: each image stands for one."""
    results = sample_results()
    caption = changed(results.caption, num_patients=None, num_val_patients=None)
    return changed(results, caption=caption, unit="image")


SHAPES: dict[str, Callable[[], Results]] = {
    shape.__name__: shape
    for shape in (full, hostile, one_row, one_seed, bare, not_begun, without_patients)
}


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> Results:
    return SHAPES[request.param]()


def partly_unknown() -> Results:
    """Labels that are not known in every part, of two findings in test."""
    results = sample_results()
    caption = changed(
        results.caption, num_unknown_labels={"training": 1234, "validation": 5, "test": 70}
    )
    row = results.rows[0]
    edema = changed(row.thresholds["Edema"], num_unknown=5)
    groups = tuple(changed(each, num_unknown={"Edema": 4}) for each in row.subgroups)
    row = changed(row, thresholds=row.thresholds | {"Edema": edema}, subgroups=groups)
    return changed(results, caption=caption, rows=(row, *results.rows[1:]),
                   num_unknown={"Edema": 9, "Mass": 61})  # fmt: skip


# Changes ----------------------------------------------------------------------------------------


def changed(value: Any, **fields: Any) -> Any:
    return value.model_copy(update=fields)


def without_comparison(row: Row) -> Row:
    return changed(row, differences={})


def every(tree: Any, name: str) -> list[dict[str, Any]]:
    """All mappings in a tree that have a key."""
    if isinstance(tree, list):
        return [found for each in tree for found in every(each, name)]
    if isinstance(tree, dict):
        return [tree] * (name in tree) + [f for each in tree.values() for f in every(each, name)]
    return []


def row_of(
    label: str,
    value: float,
    *,
    low: float | None = None,
    high: float | None = None,
    p_holm: float | None = None,
    metric: str = "auroc",
) -> Row:
    """A row with one macro figure; it is the best where it has no p."""
    distance = Difference(
        to="best", value=-0.1, low=-0.2, high=-0.05, p=p_holm or 0.0, p_holm=p_holm or 0.0
    )
    return Row(
        label=label,
        kind="final",
        num_seeds=1,
        num_scored=1,
        figures={"macro": {metric: Estimate(value=value, low=low, high=high)}},
        differences={} if p_holm is None else {"macro": {metric: distance}},
    )


def of_rows(*rows: Row) -> Results:
    return changed(sample_results(), rows=rows)
