"""A run's epochs told to SQLite by the harness and by MLflow itself."""

import pytest

from harness.core.errors import HarnessError
from harness.speed import tracking
from harness.tracking.store import embedded_uri, find_store


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(tracking, "NUM_EPOCHS", 4)
    monkeypatch.setattr(tracking, "NUM_EPOCHS_PEER", 2)


def test_the_caller_waits_far_less_than_for_mlflow_and_nothing_is_lost(few, tmp_path, monkeypatch):
    waits, slowest, one_by_one, at_once = tracking.rows_of(tmp_path, embedded_uri(tmp_path), "it")
    assert waits.goal == 1
    assert slowest.ours >= waits.ours
    assert one_by_one.ratio > 10
    assert at_once.ratio > 1
    store = find_store(tmp_path, embedded_uri(tmp_path))
    # The group, the harness's run and two of MLflow's own.
    assert len(list(store.search(""))) == 4
    monkeypatch.setattr(tracking, "NUM_EPOCHS", 5)
    with pytest.raises(HarnessError, match="MLflow holds 4 points of val/auroc_00"):
        tracking.check_all_told(tmp_path, embedded_uri(tmp_path))


def test_a_server_that_ends_is_told_in_one_line(few, tmp_path, monkeypatch):
    monkeypatch.setattr("harness.tracking.browse.ui_command", lambda *_: ["false"])
    with (
        pytest.raises(HarnessError, match="server did not start"),
        tracking.served(tmp_path / "results"),
    ):
        pass
