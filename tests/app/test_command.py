"""`harness app`: what is told before a page is served, and what the page is then told."""

import socket

import pytest

from harness.app import serve as serving
from harness.data.phantom.make import make_phantom


@pytest.fixture
def served(monkeypatch, alone):
    """What would have been served."""
    calls = []
    monkeypatch.setattr(serving, "serve", lambda settings, **where: calls.append((settings, where)))
    return calls


def test_named_models_and_a_store_reach_the_page(harness, served, bundles, tmp_path):
    store = make_phantom(tmp_path / "store", num_images=50, size_px=32, num_workers=1)
    words = ["--model", bundles[0], "--model", bundles[1], "--data", store.path, "--port", 18_999]
    code, out, err = harness("app", *words)
    assert (code, err) == (0, "")
    assert out == "2 models: made/0, made/1\n"
    ((settings, where),) = served
    assert [choice.source for choice in settings.models] == [str(bundles[0]), str(bundles[1])]
    assert settings.store == str(store.path)
    assert (where["host"], where["port"]) == ("127.0.0.1", 18_999)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--model", "nowhere"], "no bundle.json in it"),
        (["--model", "models:/nobody@champion"], "models:/nobody@champion"),
        ([], "no model has been promoted; run `harness promote RUN` first"),
        (["--data", "nowhere"], "no such folder"),
        (["--port", "0"], "--port"),
        (["--host", "2001:db8::1"], "--host 2001:db8::1"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_served(harness, served, words, told):
    code, out, err = harness("app", *words)
    assert (code, out, served) == (2, "", [])
    assert told in err
    assert err.count("\n") == 1


def test_a_port_that_is_taken_is_told(harness, served, bundles):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, _, err = harness("app", "--model", bundles[0], "--port", taken.getsockname()[1])
    assert (code, served) == (2, [])
    assert "choose another one" in err


def test_that_others_can_reach_the_page_is_told(harness, served, bundles):
    code, out, _ = harness("app", "--model", bundles[0], "--host", "0.0.0.0", "--port", 18_999)
    assert code == 0
    assert "everybody who reaches this machine can upload" in out
