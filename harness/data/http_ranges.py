"""The rest of a file over HTTP: one request, and all that a server may answer to it."""

import http.client
import ipaddress
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import IO, Any

from harness.core.errors import HarnessError

PIECE_BYTES = 2**20
HEADERS = {"User-Agent": "harness", "Accept-Encoding": "identity"}
TRY_AGAIN = (408, 425, 429)
"""Answers of the 400s that say no more than `not now`; those of the 500s all do."""


@dataclass(frozen=True)
class Terms:
    """What is borne of a server, and for how long.

    Attributes:
        timeout_s: A connection that is silent for so long is given up.
        num_tries: Tries in a row that bring nothing before a file is given up.
        wait_s: Pause after the first of them; each further one is twice as long.
        max_wait_s: No pause is longer, whatever the server asks for.
        allow_http: Plain http is taken from other machines, too.
    """

    timeout_s: float = 60.0
    num_tries: int = 6
    wait_s: float = 2.0
    max_wait_s: float = 300.0
    allow_http: bool = False


TERMS = Terms()


class UnavailableError(Exception):
    """A file was not given.

    Attributes:
        is_final: Another try would be answered alike.
        wait_s: The pause that the server asks for before another.
    """

    def __init__(self, message: str, *, is_final: bool = False, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.is_final = is_final
        self.wait_s = wait_s


def check_address(url: str, terms: Terms) -> None:
    """Nothing, where `url` is https, or http on this machine or by leave of the user.

    Raises:
        HarnessError: It is something else.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise HarnessError(f"{url}: not an address ({error})") from None
    if not re.fullmatch(r"[!-~]+", url):
        raise HarnessError(f"{url!r}: not an address; write blanks and accents as %20 and so on")
    if parts.scheme == "https" and host:
        return
    if parts.scheme != "http" or not host:
        raise HarnessError(f"{url}: not an address of the web; give one that begins with https://")
    if not (terms.allow_http or _is_this_machine(host)):
        raise HarnessError(
            f"{url}: would come over plain http, where anyone may change it on the way; use "
            "https, or --allow-http to take it"
        )


@contextmanager
def rest_of(
    url: str, start: int, num_bytes: int, terms: Terms
) -> Iterator[tuple[int, Iterator[bytes]]]:
    """What a server sends of a file of `num_bytes` from the byte `start` on.

    Yields:
        The place of the first byte, which is 0 where the server has no ranges; and the bytes, piece
        by piece, never more than the file has. They may end early.

    Raises:
        UnavailableError: The server does not answer, refuses, or has another file.
        HarnessError: It redirects to an address that is not safe.
    """
    request = urllib.request.Request(url, headers=HEADERS | {"Range": f"bytes={start}-"})
    opener = urllib.request.build_opener(_CheckedRedirects(terms))
    with _naming_troubles():
        response = opener.open(request, timeout=terms.timeout_s)
    with response:
        place = _place_of(response, start, num_bytes)
        yield place, _pieces(response, num_bytes - place)


def length_of(url: str, terms: Terms) -> int:
    """Bytes of a file by the word of its server, of which only the first is asked for.

    Raises:
        UnavailableError: The server does not answer, refuses, or does not say.
        HarnessError: It redirects to an address that is not safe.
    """
    request = urllib.request.Request(url, headers=HEADERS | {"Range": "bytes=0-0"})
    opener = urllib.request.build_opener(_CheckedRedirects(terms))
    with _naming_troubles():
        response = opener.open(request, timeout=terms.timeout_s)
    with response:
        is_part = response.status == http.client.PARTIAL_CONTENT
        told = response.headers.get("Content-Range" if is_part else "Content-Length", "")
        length = told.rpartition("/")[2].strip()
        if not length.isdecimal() or int(length) == 0:
            raise UnavailableError(f"{url} does not say how long the file is", is_final=True)
        return int(length)


def _pieces(response: IO[bytes], num_left: int) -> Iterator[bytes]:
    while num_left:
        with _naming_troubles():
            piece = response.read1(min(PIECE_BYTES, num_left))  # type: ignore[attr-defined]
        if not piece:
            return
        yield piece
        num_left -= len(piece)


def _place_of(response: Any, start: int, num_bytes: int) -> int:
    """The place in the file of the first byte of an answer.

    Raises:
        UnavailableError: It is not what was asked for.
    """
    if response.status == http.client.OK:
        length = response.headers.get("Content-Length")
        if length not in (None, str(num_bytes)):
            kind = response.headers.get_content_type()
            raise _other_file(f"{length} bytes of {kind}", num_bytes)
        return 0
    told = response.headers.get("Content-Range", "")
    parts = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", told.strip())
    if response.status != http.client.PARTIAL_CONTENT or not parts:
        raise UnavailableError(
            f"an answer that says neither all nor part ({response.status} {told})"
        )
    if parts[3] not in ("*", str(num_bytes)):
        raise _other_file(f"{parts[3]} bytes", num_bytes)
    if int(parts[1]) != start:
        raise UnavailableError(f"the part from byte {parts[1]} on, where {start} was asked for")
    return start


def _other_file(found: str, num_bytes: int) -> UnavailableError:
    return UnavailableError(f"another file is there: {found}, not {num_bytes}", is_final=True)


@contextmanager
def _naming_troubles() -> Iterator[None]:
    """Errors of the connection and answers other than success become `UnavailableError`."""
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        is_final = error.code < 500 and error.code not in TRY_AGAIN
        words = " ".join(str(error.reason).split())
        raise UnavailableError(
            f"{error.code} {words} from {error.url}",
            is_final=is_final,
            wait_s=_retry_after_s(error.headers),
        ) from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise UnavailableError(f"{type(reason).__name__}: {reason}") from None


def _retry_after_s(headers: Message) -> float:
    """Seconds that a server asks to wait, by number or by date; 0 where it does not."""
    told = headers.get("Retry-After", "").strip()
    if told.isdecimal():
        return float(told)
    try:
        return max(0.0, parsedate_to_datetime(told).timestamp() - time.time())
    except (ValueError, TypeError):
        return 0.0


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _CheckedRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only where the new address would have been taken at first."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        check_address(newurl, self._terms)
        return super().redirect_request(req, fp, code, msg, headers, newurl)
