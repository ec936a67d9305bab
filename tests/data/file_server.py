"""An HTTP server on this machine that serves files well, or as badly as it is told to."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

Answer = Callable[["Handler", bytes, int], None]
"""Answers one request for the content of a file, from a byte on."""


class Server(ThreadingHTTPServer):
    """Attributes:
    content: The files by name.
    answers: What is done at the next requests for a file, instead of serving it well.
    asked: The name and the `Range` of each request.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content: dict[str, bytes] = {}
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[tuple[str, str]] = []

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no news."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        name = self.path.strip("/")
        told = self.headers.get("Range", "")
        self.server.asked.append((name, told))
        start = int((re.match(r"bytes=(\d+)-", told) or ["", "0"])[1])
        answers = self.server.answers.get(name, [])
        answer = answers.pop(0) if answers else well
        answer(self, self.server.content.get(name, b""), start)

    def head(self, status: int, **headers: object) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), str(value))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def file_server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def flipped(content: bytes) -> bytes:
    """The content with the lowest bit of every byte changed."""
    return (np.frombuffer(content, dtype=np.uint8) ^ 1).tobytes()


# Answers ----------------------------------------------------------------------------------------


def well(handler: Handler, content: bytes, start: int) -> None:
    part = f"bytes {start}-{len(content) - 1}/{len(content)}"
    handler.head(206, Content_Range=part, Content_Length=len(content) - start)
    handler.wfile.write(content[start:])


def cut_after(num_bytes: int) -> Answer:
    """The connection ends after so many bytes of those that were promised."""

    def answer(handler: Handler, content: bytes, start: int) -> None:
        part = f"bytes {start}-{len(content) - 1}/{len(content)}"
        handler.head(206, Content_Range=part, Content_Length=len(content) - start)
        handler.wfile.write(content[start : start + num_bytes])

    return answer


def stall_after(num_bytes: int, seconds: float) -> Answer:
    """Nothing comes after so many bytes, but the connection stays."""

    def answer(handler: Handler, content: bytes, start: int) -> None:
        cut_after(num_bytes)(handler, content, start)
        handler.wfile.flush()
        time.sleep(seconds)

    return answer


def corrupt(handler: Handler, content: bytes, start: int) -> None:
    well(handler, flipped(content), start)


def without_ranges(handler: Handler, content: bytes, start: int) -> None:
    handler.head(200, Content_Length=len(content))
    handler.wfile.write(content)


def without_ranges_cut_after(num_bytes: int) -> Answer:
    def answer(handler: Handler, content: bytes, start: int) -> None:
        handler.head(200, Content_Length=len(content))
        handler.wfile.write(content[:num_bytes])

    return answer


def status(code: int, **headers: object) -> Answer:
    def answer(handler: Handler, content: bytes, start: int) -> None:
        handler.head(code, Content_Length=0, **headers)

    return answer


def page(handler: Handler, content: bytes, start: int) -> None:
    """A page that asks for a password, as a success."""
    handler.head(200, Content_Type="text/html", Content_Length=11)
    handler.wfile.write(b"<p>log in</")


def range_of(text: str) -> Answer:
    """The whole content, under a `Content-Range` of its own."""

    def answer(handler: Handler, content: bytes, start: int) -> None:
        handler.head(206, Content_Range=text, Content_Length=len(content))
        handler.wfile.write(content)

    return answer
