"""`harness app` as a process of its own, and a browser to open it in."""

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

PATIENCE_S = 300
"""For a machine with much else to do; a quiet one is through in seconds."""

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


def chromium_program() -> str | None:
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


@contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium, driven by Playwright."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=chromium_program(), args=["--no-sandbox"])
        yield found
        found.close()


@contextmanager
def served(bundles: Sequence[Path], folder: Path, *, threads: int = 1) -> Iterator[str]:
    """The page's address; what the server says on stderr is in `folder / "stderr"`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    models = [word for bundle in bundles for word in ("--model", str(bundle))]
    here = {"PYTHONPATH": str(ROOT), "HOME": str(folder), "OMP_NUM_THREADS": str(threads)}
    with (folder / "stderr").open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "harness", "app", *models, "--port", str(port)],
            stdout=subprocess.PIPE, stderr=errors, text=True, cwd=folder, env=os.environ | here,
        )  # fmt: skip
    watch = threading.Timer(PATIENCE_S, process.kill)
    watch.start()
    try:
        assert process.stdout is not None
        line = next((line for line in process.stdout if line.startswith("open ")), "")
        watch.cancel()
        assert line == f"open http://127.0.0.1:{port} (Ctrl-C ends it)\n"
        yield line.split()[1]
        assert process.poll() is None, "the server has ended"
    finally:
        watch.cancel()
        process.terminate()
        process.wait(PATIENCE_S)
