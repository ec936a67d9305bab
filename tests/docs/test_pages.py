"""What the tutorials tell the reader to type is typed, and prints what they show."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.conftest import run_command
from tests.docs.pages import DOCS, Command, File, has_shown, steps_of

TUTORIALS = (
    pytest.param("first_search", marks=pytest.mark.drill),  # the quickstart's test goes its way
    "adding_a_model",
    pytest.param("reproducing_dannynet", marks=pytest.mark.drill),  # a search and a benchmark more
)
"""`cluster` needs terminals of its own: see `tests/cluster/test_page.py`."""
IN_SHELL = re.compile(r"[|<>;&]")


@pytest.fixture
def type_in(monkeypatch, capfd):
    """Types a command; gives its exit code and what it says: its output, and its mistakes.

    `harness` runs in this process, where all is imported already. Progress is left out.
    """

    def type_in(line: str) -> tuple[int, str]:
        program, *words = shlex.split(line)
        if program == "harness" and not IN_SHELL.search(line):
            code = run_command(monkeypatch, *words)
            said = capfd.readouterr()
            out, err = said.out, said.err
        else:
            done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
            code, out, err = done.returncode, done.stdout, done.stderr
        mistakes = [text for text in err.splitlines() if text.startswith("harness: ")]
        return code, "\n".join([*out.splitlines(), *mistakes])

    return type_in


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("name", TUTORIALS)
def test_a_tutorial_runs_and_prints_what_it_shows(name, type_in):
    steps = list(steps_of((DOCS / f"{name}.md").read_text(encoding="utf-8")))
    assert any(isinstance(step, Command) for step in steps)
    for step in steps:
        if isinstance(step, File):
            Path(step.name).write_text(step.text, encoding="utf-8")
            continue
        code, said = type_in(step.line)
        is_mistake = step.shown.startswith("harness: ")
        assert code == (2 if is_mistake else 0), f"$ {step.line}\n{said}"
        if step.shown:
            assert has_shown(step.shown, said), f"$ {step.line}\n{said}\n\nshown:\n{step.shown}"
