"""Modules imported while nobody looks for garbage."""

import gc
import sys

import pytest

from harness.core.imports import import_quickly


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module that notes whether garbage was looked for while it was imported."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, *lines: str) -> str:
        text = "\n".join(["import gc", "was_enabled = gc.isenabled()", *lines])
        (tmp_path / f"{name}.py").write_text(text)
        return name

    yield write
    gc.enable()


def test_modules_are_there_and_garbage_is_looked_for_afterwards(module):
    import_quickly(module("made_first"), module("made_second"))
    assert not sys.modules["made_first"].was_enabled
    assert not sys.modules["made_second"].was_enabled
    assert gc.isenabled()


def test_a_module_that_fails_leaves_it_enabled(module):
    with pytest.raises(ZeroDivisionError):
        import_quickly(module("made_wrong", "1 / 0"))
    assert gc.isenabled()


def test_who_has_disabled_it_keeps_it_so(module):
    gc.disable()
    import_quickly(module("made_third"))
    assert not gc.isenabled()
