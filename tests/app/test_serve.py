import socket

import pytest

from harness.app.serve import SCRIPT, check_free, check_installed, is_local, options
from harness.core.errors import HarnessError


def test_options_are_those_of_streamlit_and_keep_the_page_to_this_machine():
    config = pytest.importorskip("streamlit.config")
    given = options("127.0.0.1", 8501)
    assert set(given) <= set(config._config_options_template)
    assert given["server.address"] == "127.0.0.1"
    assert given["browser.gatherUsageStats"] is False
    assert given["client.showErrorDetails"] == "none"
    assert given["server.enableXsrfProtection"] is True
    assert "evil.example" not in given["server.allowedHosts"] != []
    assert SCRIPT.is_file()


@pytest.mark.parametrize(
    ("host", "is_here"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("lab", False)],
)
def test_which_hosts_only_this_machine_reaches(host, is_here):
    assert is_local(host) is is_here


def test_a_port_that_is_taken_is_told():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(HarnessError, match=f"--port {port}: cannot be listened on"):
            check_free("127.0.0.1", port)
    check_free("127.0.0.1", port)


def test_a_host_that_is_none_is_told():
    with pytest.raises(HarnessError, match="cannot be listened on"):
        check_free("2001:db8::1", 8501)


def test_without_streamlit_a_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(HarnessError, match="uv sync --extra app"):
        check_installed()
