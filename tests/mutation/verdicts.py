"""What the tests say of each mutant, each tried in a process of its own.

The process is forked from one that has imported already what the file and its tests import from
elsewhere, so that a mutant costs little more than its tests, which end with the first that fails.
"""

import gc
import importlib
import importlib.abc
import importlib.util
import os
import resource
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from types import ModuleType

from tests.mutation.mutants import Mutant

ROOT = Path(__file__).resolve().parents[2]
OURS = ("harness", "tests", "conftest", "test_", "__main__")


class Verdict(StrEnum):
    """What became of a mutant; `BROKEN` ones cannot be imported and prove nothing of the tests."""

    KILLED = "killed"
    TIMEOUT = "timeout"
    SURVIVED = "survived"
    BROKEN = "broken"


OPTIONS = ("-x", "-q", "-n", "0", "-p", "no:cacheprovider", "-p", "no:unraisableexception")
NO_IMPORT = 77
EXITS = {0: Verdict.SURVIVED, 1: Verdict.KILLED, 2: Verdict.KILLED, NO_IMPORT: Verdict.BROKEN}
"""By the exit code of pytest: 1 if a test failed, 2 if a test file could not be imported."""


@dataclass(frozen=True)
class Trial:
    """A source file and the tests that are to notice its faults, as paths below the root."""

    source: str
    tests: tuple[str, ...]

    @property
    def module(self) -> str:
        return self.source.removesuffix(".py").replace("/", ".")


def verdicts(
    trial: Trial, mutants: Sequence[Mutant], jobs: int
) -> Iterator[tuple[Mutant, Verdict]]:
    """Each mutant with what the tests say of it, in the order in which they are done.

    Raises:
        RuntimeError: The tests fail on the file as it is, or pytest itself does.
    """
    limit_s = 5 * _prepare(trial) + 10
    waiting = list(reversed(mutants))
    at_work: dict[int, Mutant] = {}
    try:
        while waiting or at_work:
            while waiting and len(at_work) < jobs:
                mutant = waiting.pop()
                work = partial(_test, trial, mutant.source)
                at_work[_fork(work, limit_s=limit_s)] = mutant
            pid, status = os.wait()
            yield at_work.pop(pid), _verdict(status)
    finally:
        for pid in at_work:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _verdict(status: int) -> Verdict:
    if os.WIFSIGNALED(status):
        is_late = os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL)
        return Verdict.TIMEOUT if is_late else Verdict.KILLED
    code = os.WEXITSTATUS(status)
    if code not in EXITS:
        raise RuntimeError(f"pytest ended with exit code {code}")
    return EXITS[code]


def _prepare(trial: Trial) -> float:
    """Import what the tests need, all but the file and what knows it; their processor seconds."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "modules"

        def test_and_tell() -> int:
            code = _test(trial, (ROOT / trial.source).read_text(encoding="utf-8"))
            told.write_text("\n".join(sys.modules), encoding="utf-8")
            return code

        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        _, status = os.waitpid(_fork(test_and_tell), 0)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if status:
            raise RuntimeError(f"{' '.join(trial.tests)} fail without any fault (status {status})")
        names = told.read_text(encoding="utf-8").split()
    for name in names:
        if not name.startswith(OURS):
            with suppress(Exception):  # what only makes sense within the tests
                importlib.import_module(name)
    _import_what_it_imports(trial.module)
    gc.freeze()  # pytest has all garbage collected: not what lies in every process
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _import_what_it_imports(module: str) -> None:
    """Imports point down the layers, so nothing that stays loaded knows the file itself."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "harness"]:
        del sys.modules[name]
    importlib.import_module(module)
    del sys.modules[module]
    package, _, leaf = module.rpartition(".")
    delattr(sys.modules[package], leaf)


def _fork(work: Callable[[], int], *, limit_s: float | None = None) -> int:
    """The id of a new process that ends with the exit code of `work`."""
    if pid := os.fork():
        return pid
    code = 3
    try:
        if limit_s:
            resource.setrlimit(resource.RLIMIT_CPU, (int(limit_s), int(limit_s) + 5))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _test(trial: Trial, source: str) -> int:
    """Pytest's exit code with `source` in the place of the file."""
    import pytest

    sys.meta_path.insert(0, _Instead(trial.module, source))
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silence, stream)
    try:
        importlib.import_module(trial.module)
    except Exception:
        return NO_IMPORT
    with tempfile.TemporaryDirectory() as folder:
        options = [*OPTIONS, f"--basetemp={folder}/tests"]
        return int(pytest.main([*options, *(str(ROOT / path) for path in trial.tests)]))


class _Instead(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds another source for one module."""

    def __init__(self, module: str, source: str) -> None:
        self.module, self.source = module, source

    def find_spec(self, fullname, path, target=None):  # type: ignore[no-untyped-def]
        if fullname != self.module:
            return None
        file = ROOT / (self.module.replace(".", "/") + ".py")
        return importlib.util.spec_from_file_location(fullname, file, loader=self)

    def create_module(self, spec):  # type: ignore[no-untyped-def]
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self.source, f"<mutant of {self.module}>", "exec"), module.__dict__)
