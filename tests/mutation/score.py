"""The mutation score of what figures rest on: `python -m tests.mutation.score`.

Puts small faults into losses, thresholds, splits, intervals and the ledger, one at a time, and has
each file's own tests look for them. Prints and writes (`results/mutation.md`) how many were
noticed and which were not. Ends with 1 where a file is below `LEAST_SCORE`.

    python -m tests.mutation.score                     # all, some minutes
    python -m tests.mutation.score losses intervals    # some, and nothing is written

The tests of splits need the release's own lists in `../shared/data`: without them fewer are killed.
"""

import argparse
import os
import sys
from collections import Counter
from dataclasses import dataclass

from harness.core.files import write_text
from harness.core.provenance import git_state
from harness.core.records import now
from harness.speed.instruments import describe_hardware
from harness.speed.report import markdown_table
from tests.mutation.equivalents import EQUIVALENTS, Change
from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.verdicts import ROOT, Trial, Verdict, verdicts

LEAST_SCORE = 0.85
PAGE = ROOT / "results" / "mutation.md"
TRIALS = {
    "losses": Trial("harness/training/losses.py", ("tests/training/test_losses.py",)),
    "thresholds": Trial(
        "harness/evaluation/thresholds.py",
        ("tests/evaluation/test_thresholds.py", "tests/evaluation/test_unknown_labels.py"),
    ),
    "order": Trial("harness/evaluation/order.py", ("tests/evaluation/test_order.py",)),
    "intervals": Trial(
        "harness/evaluation/intervals.py",
        ("tests/evaluation/test_intervals.py", "tests/evaluation/test_unknown_labels.py"),
    ),
    "resampling": Trial(
        "harness/evaluation/resampling.py", ("tests/evaluation/test_resampling.py",)
    ),
    "splits": Trial("harness/data/splits.py", ("tests/data/test_splits.py",)),
    "split_lists": Trial("harness/data/split_lists.py", ("tests/data/test_split_lists.py",)),
    "ledger": Trial("harness/core/ledger.py", ("tests/core/test_ledger.py",)),
    "json_lines": Trial(
        "harness/core/json_lines.py", ("tests/core/test_json_lines.py", "tests/core/test_ledger.py")
    ),
}  # fmt: skip


NOTES = """\
A mutant is the file with one small fault: a comparison, an operator or a condition turned, a number
moved, a word changed, min for max, a keyword or a slice's end forgotten, a statement left out,
nothing returned. Each is given to the file's own tests alone. It is killed if one of them fails, or
too slow if they take more than five times their processor time. Mutants that cannot be imported are
not counted; docstrings, annotations, decorators, the words of errors and `assert` are left alone.
Equivalent are those that behave as the file does, looked at by hand
(`tests/mutation/equivalents.py`).
"""


@dataclass(frozen=True)
class Score:
    """What became of the mutants of one file, those left out that cannot be imported."""

    source: str
    verdicts: dict[Mutant, Verdict]

    @property
    def survivors(self) -> list[Mutant]:
        """Those that were not noticed, from the top of the file to its bottom."""
        left = [each for each, verdict in self.verdicts.items() if verdict is Verdict.SURVIVED]
        return sorted(left, key=lambda mutant: mutant.line)

    @property
    def unexplained(self) -> list[Mutant]:
        """Survivors that a test could have noticed."""
        return [each for each in self.survivors if self.change(each) not in EQUIVALENTS]

    @property
    def cells(self) -> list[str]:
        """A row of the table."""
        number = Counter(self.verdicts.values())
        total, survived = len(self.verdicts), len(self.survivors)
        equal = survived - len(self.unexplained)
        return [
            f"`{self.source}`", f"{total}", f"{number[Verdict.KILLED]}",
            f"{number[Verdict.TIMEOUT]}", f"{survived}", f"{(total - survived) / total:.1%}",
            f"{equal}", f"{(total - survived) / (total - equal):.1%}",
        ]  # fmt: skip

    @property
    def value(self) -> float:
        """Share of the mutants that were noticed, of all."""
        return 1 - len(self.survivors) / len(self.verdicts)

    @property
    def stale(self) -> list[Change]:
        """Mutants of this file that are said to be equivalent and did not survive."""
        survived = {self.change(each) for each in self.survivors}
        return [each for each in EQUIVALENTS if each.source == self.source and each not in survived]

    def change(self, mutant: Mutant) -> Change:
        return Change(self.source, mutant.before, mutant.after)


HEADERS = (
    "file", "mutants", "killed", "too slow", "survived", "score",
    "of them equivalent", "score without these",
)  # fmt: skip


def score_of(trial: Trial, jobs: int) -> Score:
    """Try all mutants of a file, and tell how far it is."""
    mutants = mutants_of((ROOT / trial.source).read_text(encoding="utf-8"))
    found: dict[Mutant, Verdict] = {}
    for mutant, verdict in verdicts(trial, mutants, jobs):
        found[mutant] = verdict
        if sys.stderr.isatty():
            print(f"\r{trial.source} {len(found)}/{len(mutants)} ", end="", file=sys.stderr)
    kept = {each: verdict for each, verdict in found.items() if verdict is not Verdict.BROKEN}
    return Score(trial.source, kept)


def show(score: Score) -> None:
    """Print a file's figures, what survived, and what is no longer equivalent."""
    told = zip(HEADERS[1:], score.cells[1:], strict=True)
    print(f"\n{score.source}: " + ", ".join(f"{name} {value}" for name, value in told))
    for mutant in score.unexplained:
        print(f"  {score.source}:{mutant.line} {mutant.function}")
        print(f"    - {mutant.before}\n    + {mutant.after}")
    for change in score.stale:
        print(f"  not a survivor, take it out of equivalents.py: {change.before} | {change.after}")
    sys.stdout.flush()


def page_of(scores: list[Score]) -> str:
    """The table, each survivor, and what it was measured on."""
    lines = [
        "# Faults that the tests notice", "",
        markdown_table(HEADERS, [score.cells for score in scores]), "",
        NOTES,
    ]  # fmt: skip
    for score in scores:
        if score.survivors:
            lines += [f"## Survivors of `{score.source}`", ""]
            lines += [line for mutant in score.survivors for line in _told(score, mutant)]
            lines += [""]
    return "\n".join([*lines, _measured_on()])


def _told(score: Score, mutant: Mutant) -> list[str]:
    reason = EQUIVALENTS.get(score.change(mutant), "no test notices it")
    where = f"{mutant.function}, line {mutant.line}".lstrip(", ")
    return [
        f"- {where}: {reason}",
        "",
        "  ```diff",
        f"  - {mutant.before}",
        f"  + {mutant.after}",
        "  ```",
    ]


def _measured_on() -> str:
    commit, is_dirty = git_state()
    hardware = describe_hardware()
    changes = ", with changes" if is_dirty else ""
    return (
        f"{hardware['cores']} cores ({hardware['cpu']}), {hardware['memory_gb']} GB; "
        f"commit {commit[:12] or 'unknown'}{changes}; {now()}.\n"
        "Made by `python -m tests.mutation.score`.\n"
    )


def main() -> int:
    """The exit code."""
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument(
        "files", nargs="*", choices=[[], *TRIALS], metavar="FILE", help=", ".join(TRIALS)
    )
    words.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once")
    asked = words.parse_args()
    os.chdir(ROOT)
    scores = []
    try:
        for name in asked.files or TRIALS:
            scores.append(score_of(TRIALS[name], asked.jobs))
            show(scores[-1])
    except KeyboardInterrupt:
        return 130
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 2
    if not asked.files:
        write_text(PAGE, page_of(scores))
        print(f"\nwrote {PAGE.relative_to(ROOT)}")
    is_good = all(score.value >= LEAST_SCORE and not score.stale for score in scores)
    return 0 if is_good else 1


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    code = main()
    sys.stdout.flush()
    os._exit(code)  # libraries imported for the forks complain at length when they are torn down
