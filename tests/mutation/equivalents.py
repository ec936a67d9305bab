"""Mutants that no test can tell from the file, each looked at by hand, with the reason.

The score is given with and without them. One that is no longer among the survivors is reported, so
that the list stays honest.
"""

from typing import NamedTuple


class Change(NamedTuple):
    """A mutant as `Mutant.before` and `Mutant.after` tell it."""

    source: str
    before: str
    after: str


def _listed(
    source: str, *mutants: tuple[str, str, str | tuple[str, ...], str]
) -> dict[Change, str]:
    """(line, part of it, what may stand there instead, reason) of each mutant of a file."""
    return {
        Change(source, line, line.replace(part, other)): reason
        for line, part, others, reason in mutants
        for other in ((others,) if isinstance(others, str) else others)
    }


OBJECTS = "pandas gives texts as objects in any case, which are equal"
PLAIN = "a line holds texts, numbers and words of closed sets, which JSON writes alike"
SPEED = "how many at a time changes no result"

EQUIVALENTS: dict[Change, str] = {
    **_listed(
        "harness/training/losses.py",
        (
            "term_BL = terms(logit_BL.float(), label_BL.nan_to_num(0), recipe)",
            "num(0)", ("num(1)", "num(-1)"),
            "the next line passes over what an unknown label gives, whatever takes its place",
        ),
    ),
    **_listed(
        "harness/evaluation/thresholds.py",
        (
            "best_L = [int(np.argmax(points.f1)) for points in points_L]",
            "int(np.argmax(points.f1))", "np.argmax(points.f1)",
            "a whole number of NumPy's finds the same place",
        ),
    ),
    **_listed(
        "harness/evaluation/order.py",
        (
            "is_last_N = np.ones(len(sorted_N), dtype=bool)",
            ", dtype=bool", "", "NumPy finds what is not 0 among any numbers",
        ),
        (
            "falling_N = ~(bits_N ^ bits_N >> 31 & MAGNITUDE)",
            "31", "32", "of 32 bits NumPy leaves the sign alone either way",
        ),
    ),
    **_listed(
        "harness/evaluation/intervals.py",
        (
            "return known_R if len(known_R) >= LEAST_DEFINED * len(value_R) else known_R[:0]",
            ":0", ":1", "of one value there is neither an interval nor a standard error",
        ),
        (
            "num_images_RL = resamples.totals("
            "is_known_NL[:, :1] if is_known_NL.all() else is_known_NL)",
            ":1", ":", "one column for all findings is only quicker to count",
        ),
        (
            "gap_RL = np.abs(gap_RC).reshape(resamples.num, -1, NUM_BINS).sum(axis=2)",
            "-1", "-2", "NumPy takes any negative number for the length that it is to find",
        ),
    ),
    **_listed(
        "harness/evaluation/resampling.py",
        ("NUM_AT_ONCE = 500", "500", ("501", "499"), SPEED),
    ),
    **_listed(
        "harness/data/splits.py",
        ("images = table['image'].to_numpy(dtype=object)", "dtype=object", "", OBJECTS),
        ("fold_N = table['fold'].to_numpy(dtype=str)", "dtype=str", "", OBJECTS),
        ("patients = num_positives.index.to_numpy(dtype=object)", "dtype=object", "", OBJECTS),
        (
            "return table['patient'].map(part_of).to_numpy(dtype=str)", "dtype=str", "", OBJECTS,
        ),
        (
            "stratum_P = np.array(_strata(num_positives), dtype=object)", ", dtype=object", "",
            "names of strata are equal as texts of NumPy's, too",
        ),
        (
            "num_patients = (num_positives > 0).sum()", "sum", "mean",
            "the order of shares is that of numbers",
        ),
        (
            "rarest_first = num_patients.sort_values(kind='stable').index", "stable", "stable~",
            "NumPy looks at the first letter",
        ),
    ),
    **_listed(
        "harness/data/split_lists.py",
        ("known = set(images)", "set(images)", "images", "a set is only quicker to look into"),
        (
            "lines = path.read_text(encoding='utf-8-sig').splitlines()",
            "-sig", "-sig~", "Python takes the name of an encoding with other marks, too",
        ),
    ),
    **_listed(
        "harness/core/json_lines.py",
        (
            "end = stream.seek(0, os.SEEK_END)", "(0", "(1",
            "nothing is read from beyond the end of the file",
        ),
        (
            "while end > 0:", "0", "1",
            "a single byte is no line, so that it is cut off either way",
        ),
        ("PIECE_BYTES = 4096", "4096", ("4097", "4095"), SPEED),
        (
            r"cut = stream.read(end - start).rfind(b'\n')", "-", "+",
            "what follows the block was read before and holds no end of a line",
        ),
    ),
    **_listed(
        "harness/core/ledger.py",
        (
            "values = [each.model_dump(mode='json', exclude_none=True) "
            "for each in self._unwritten]",
            "mode='json', ", "", PLAIN,
        ),
        (
            "values = [each.model_dump(mode='json', exclude_none=True) "
            "for each in self._unwritten]",
            "'json'", "'json~'", PLAIN,
        ),
    ),
}  # fmt: skip
