"""Run in a copy of the package by `test_additions`: commands and contract tests, in one process.

Reads the steps from stdin, `[name, words of a command of harness]` each, and writes a JSON line for
each: its name, its exit code, and what it said.
"""

import contextlib
import io
import json
import sys
import traceback
from pathlib import Path

import pytest

from harness.cli import main

HERE = Path(__file__).resolve().parents[2]


def run(words: list[str]) -> tuple[int, str]:
    """The exit code of a command of harness, or of pytest, and what it said."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        if words[0] == "pytest":
            own = ["-q", "-c", "/dev/null", f"--rootdir={HERE}", "--import-mode=importlib"]
            return int(pytest.main([*own, "-p", "no:cacheprovider", *words[1:]])), said.getvalue()
        sys.argv = ["harness", *words]
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0), said.getvalue()
        except Exception:
            return 70, said.getvalue() + traceback.format_exc()
    raise AssertionError("main() always exits")


def walk() -> None:
    for name, words in json.load(sys.stdin):
        code, said = run(words)
        print(json.dumps({"name": name, "code": code, "said": said}), flush=True)


if __name__ == "__main__":
    walk()
