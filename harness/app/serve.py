"""`serve`: the page on a port of this machine, until it is interrupted."""

import gc
import importlib.util
import socket
import time
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from typing import Any

from harness.app.settings import Settings
from harness.app.uploads import MAX_UPLOAD_MB, warm_up
from harness.core.errors import HarnessError

SCRIPT = Path(__file__).with_name("entry") / "page_script.py"
POLL_S = 0.05
LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")


def check_installed() -> None:
    """Nothing, where Streamlit is installed.

    Raises:
        HarnessError: It is not.
    """
    if importlib.util.find_spec("streamlit") is None:
        raise HarnessError(
            "the app needs Streamlit: `uv sync --extra app` in the checkout, then try again"
        )


def is_local(host: str) -> bool:
    """Whether only this machine reaches what listens on `host`."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_free(host: str, port: int) -> None:
    """Nothing, where a server can listen there.

    Raises:
        HarnessError: It cannot.
    """
    try:
        family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise HarnessError(
            f"--host {host} --port {port}: cannot be listened on ({error.strerror}); "
            "choose another one"
        ) from None


def options(host: str, port: int) -> dict[str, Any]:
    """Streamlit's options, all of them given here: a file in somebody's home changes none."""
    return {
        "server.address": host,
        "server.port": port,
        "server.headless": True,
        "server.fileWatcherType": "none",
        "server.maxUploadSize": MAX_UPLOAD_MB,
        "server.enableXsrfProtection": True,
        "server.enableCORS": True,
        "server.allowedHosts": list(LOCAL_HOSTS) if is_local(host) else [],
        "server.enableStaticServing": False,
        "browser.gatherUsageStats": False,
        "client.showErrorDetails": "none",
        "client.toolbarMode": "viewer",
        "logger.level": "warning",
        "logger.hideWelcomeMessage": True,
        "runner.magicEnabled": False,
        "runner.postScriptGC": False,  # it looks through all of torch after each click
    }


def serve(settings: Settings, *, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve the page; returns when it is ended by a signal.

    Args:
        ready: Called with the page's address as soon as it can be opened, by another thread.
    """
    from streamlit.web import bootstrap

    import harness.app.page  # noqa: F401  takes seconds, which no user should wait for

    warm_up()
    gc.freeze()  # what was imported stays: no collection looks through it again
    flags = options(host, port)
    bootstrap.load_config_options(flags)
    Thread(target=_tell, args=(host, port, ready), daemon=True).start()
    bootstrap.run(str(SCRIPT), False, [settings.model_dump_json()], flags)


def _tell(host: str, port: int, ready: Callable[[str], None]) -> None:
    """Wait until the server listens, which it tells nobody of."""
    while True:
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError:
            time.sleep(POLL_S)
        else:
            break
    ready(f"http://{host}:{port}")
