"""A laboratory of processes on one machine: Ray nodes, servers and drivers.

Everything is started here, keeps its files in a folder of its own, and is ended by its own process
group.
"""

import contextlib
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

BIN = Path(sys.executable).parent


def free_ports(count: int) -> list[int]:
    """Ports below those that the system hands out, so that no connection takes them meanwhile."""
    start, found = 20000 + secrets.randbelow(9000), []
    for port in range(start, 32000):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no free ports")


class Lab:
    """Processes that were started here, each with a log, and the folder that they share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: dict[str, subprocess.Popen] = {}
        self.environment = {
            **{name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ},
            "PATH": f"{BIN}:/usr/local/bin:/usr/bin:/bin",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "OMP_NUM_THREADS": "1",
        }

    def start(self, name: str, *words: object, **options: object) -> subprocess.Popen:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.started[name] = subprocess.Popen(
                [str(word) for word in words],
                **{
                    "env": self.environment,
                    "cwd": self.folder,
                    "stdout": log,
                    "stderr": log,
                    "start_new_session": True,
                }
                | options,
            )
        return self.started[name]

    def run(self, *words: object, **variables: str) -> str:
        """What a command prints; it may take five minutes and must end well."""
        done = subprocess.run(
            [str(word) for word in words],
            env=self.environment | variables,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}\n{self.logs()}"
        return done.stdout

    def logs(self) -> str:
        return "\n".join(
            f"== {path.name}\n{path.read_text(errors='replace')[-2000:]}"
            for path in sorted(self.folder.glob("*.log"))
        )

    def end(self, *names: str, number: int = signal.SIGTERM) -> None:
        """End process groups, the hard way where the polite one takes longer than 15 s."""
        processes = [self.started.pop(name) for name in names]
        deadline = time.monotonic() + 15
        for attempt in (number, signal.SIGKILL):
            for process in processes:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, attempt)
            for process in processes:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=max(0.1, deadline - time.monotonic()))

    def end_all(self) -> None:
        self.end(*reversed(self.started))


def wait_until(is_so, what: str, lab: Lab, timeout_s: float = 120) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, f"{what} after {timeout_s} s\n{lab.logs()}"
        time.sleep(0.5)


def answers(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=3) as reply:
        return reply.status == 200
    return False


def num_nodes(lab: Lab, address: str) -> int:
    shown = lab.run(BIN / "ray", "status", "--address", address)
    return len(re.findall(r"node_[0-9a-f]{8}", shown.partition("Pending")[0]))


def outcomes(lab: Lab, search: str) -> dict[str, str]:
    """The outcome of each trial of a search, as its run directory says."""
    found = (lab.folder / "results" / "searches" / search).glob("t*/status.json")
    return {path.parent.name: json.loads(path.read_text())["outcome"] for path in found}
