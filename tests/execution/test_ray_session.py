"""A connection to Ray, refused in seconds where there is none to be had."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from harness.core.errors import HarnessError
from harness.execution import ray_session
from harness.execution.ray_session import Resources, start_ray

HTTP_REPLY = b"HTTP/1.1 400 Bad Request\r\n\r\n"
REDIS_REPLY = b"-ERR unknown command 'PRI'\r\n"
SETTINGS = b"\0\0\0\4\0\0\0\0\0"


@contextmanager
def listener(reply: bytes | None) -> Iterator[int]:
    """The port of a server that answers whatever is sent with `reply`, or never."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        served = []

        def serve() -> None:
            try:
                stream, _ = server.accept()
            except OSError:
                return  # closed before anybody came
            served.append(stream)
            if reply is not None:
                stream.recv(1000)
                stream.sendall(reply)
                stream.close()

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        for stream in served:
            stream.close()


@pytest.fixture(autouse=True)
def no_ray(monkeypatch):
    """This process may have a Ray of another file's, which `start_ray` would be content with."""
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray_session, "KNOCK_TIMEOUT_S", 1)
    monkeypatch.delenv("RAY_USE_TLS", raising=False)


@pytest.mark.parametrize("reply", [None, HTTP_REPLY, REDIS_REPLY, b""])
def test_a_port_that_is_not_rays_is_refused_at_once(reply, monkeypatch):
    begin_s = time.monotonic()
    with listener(reply) as port:
        with pytest.raises(HarnessError) as error:
            start_ray(f"127.0.0.1:{port}")
        assert str(error.value) == (
            f"what listens at --address 127.0.0.1:{port} is not a Ray cluster; its port is the "
            "one that `ray start --head` names, 6379 unless told otherwise"
        )
    assert time.monotonic() - begin_s < 10


def test_auto_knocks_where_the_environment_points(monkeypatch):
    with listener(HTTP_REPLY) as port:
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
        with pytest.raises(HarnessError, match=f"127.0.0.1:{port} is not a Ray cluster"):
            start_ray("auto")


@pytest.mark.parametrize("tls", ["1", "true"])
def test_an_encrypted_cluster_is_left_to_ray(tls, monkeypatch):
    monkeypatch.setenv("RAY_USE_TLS", tls)
    with listener(None) as port:
        ray_session._knock(f"127.0.0.1:{port}")


def test_who_answers_as_grpc_does_is_let_through():
    with listener(SETTINGS) as port:
        ray_session._knock(f"ray://127.0.0.1:{port}")


def test_another_version_is_told_with_both_sides(monkeypatch):
    import ray

    told = (
        "Version mismatch: The cluster was started with:\n    Ray: 2.40.0\n    Python: 3.10.1\n"
        "This process on 10.0.0.1 was started with:\n    Ray: 2.60.0\n    Python: 3.11.9\n"
    )

    def init(**options):
        raise RuntimeError(told)

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(HarnessError) as error:
        start_ray("auto")
    assert str(error.value) == (
        "the cluster runs Ray: 2.40.0, Python: 3.10.1, this process Ray: 2.60.0, "
        "Python: 3.11.9; install the cluster's versions here"
    )


@pytest.mark.parametrize(
    ("node", "cpus", "gpus", "slots"),
    [
        ({"CPU": 8}, 2, 0, 4),
        ({"CPU": 7}, 2, None, 3),
        ({"CPU": 1}, 2, 0, 0),
        ({"CPU": 64, "GPU": 4}, 8, 1, 4),
        ({"CPU": 16, "GPU": 4}, 8, 1, 2),
        ({"CPU": 64, "GPU": 4}, 1, 0, 64),
        ({"CPU": 64, "GPU": 3}, 1, 0.4, 6),
        ({"CPU": 64, "GPU": 1}, 1, 0.1, 10),
        ({"CPU": 64, "GPU": 5}, 1, 2, 2),
        ({"CPU": 64}, 1, 0.5, 0),
        ({"GPU": 4}, 1, 1, 0),
    ],
)
def test_how_many_trials_a_node_holds(node, cpus, gpus, slots):
    assert ray_session._slots_of(node, Resources(cpus=cpus, gpus=gpus)) == slots
