"""The filesystem behind a storage URI, opened with time limits, and its errors in plain words.

A URI is a path, `file:///path` or `s3://bucket/prefix`. Credentials come from the AWS_* variables,
a profile or the instance's role, never from a URI, so a URI may be shown and passed on.
"""

import errno
import os
import re
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from pyarrow import fs

from harness.core.errors import HarnessError, did_you_mean

T = TypeVar("T")

OPEN_LIMIT_S = 10.0
SCHEMES = ("s3://", "file://")
S3_SETTINGS = ("endpoint_override", "region", "scheme")

NOT_ACCEPTED = "the credentials are not accepted (AWS_ACCESS_KEY_ID and its like, or the profile)"
DENIED = "no permission, or wrong credentials"
LASTING = {
    "NO_SUCH_BUCKET": "no such bucket",
    "ACCESS_DENIED": DENIED,
    "INVALID_ACCESS_KEY_ID": NOT_ACCEPTED,
    "SIGNATURE_DOES_NOT_MATCH": NOT_ACCEPTED,
    "INVALID_CLIENT_TOKEN_ID": NOT_ACCEPTED,
    "UNRECOGNIZED_CLIENT": NOT_ACCEPTED,
    "EXPIRED_TOKEN": "the credentials have expired",
    "MISSING_AUTHENTICATION_TOKEN": "no credentials were found",
}
"""Answers of an S3 service that no waiting mends, by the AWS SDK's names."""

LASTING_ERRNOS = {
    errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.EROFS,
    errno.ENOSPC, errno.EDQUOT, errno.ENAMETOOLONG,
}  # fmt: skip


@dataclass(frozen=True)
class Location:
    """A folder of a filesystem: `root` is an absolute path, or bucket and prefix."""

    uri: str
    shown: str
    filesystem: fs.FileSystem
    root: str
    is_local: bool


def open_location(uri: str) -> Location:
    """The location that `uri` names; a local folder is made where it is absent.

    Raises:
        HarnessError: Within about 10 s: the URI is malformed or holds credentials, the service or
            folder is not reachable, there is no such bucket, or no permission.
    """
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):/", uri)
    if scheme is None or uri.startswith("file:///"):
        return _open_local(uri.removeprefix("file://"))
    if uri.startswith("s3://"):
        return _open_s3(uri)
    # What follows the scheme may be a secret, so it is not repeated.
    raise HarnessError(
        f"storage {scheme[1]}:...: no such kind of storage"
        f"{did_you_mean(scheme[1].lower() + '://', SCHEMES)}; give a path or s3://bucket/prefix"
    )


def is_passing(error: OSError) -> bool:
    """True where the same request may well succeed a little later."""
    if code := _aws_code(error):
        return code not in LASTING
    return error.errno not in LASTING_ERRNOS


def describe(error: OSError) -> str:
    """What went wrong, in words of ours: a service's own text might hold what must not be shown."""
    code = _aws_code(error)
    if code == "NETWORK_CONNECTION":
        told = re.search(r"curlCode: \d+, ([^;]+)", str(error))
        return f"not reachable: {told[1] if told else 'connection lost'}"
    if code:
        return LASTING.get(code, f"the service answers {code}")
    if isinstance(error, TimeoutError):
        return "not reachable: no answer in time"
    return os.strerror(error.errno) if error.errno else "not reachable"


def _aws_code(error: OSError) -> str | None:
    code = re.search(r"AWS Error (\w+)", str(error))
    return code[1] if code else None


# Local ------------------------------------------------------------------------------------------


def _open_local(path: str) -> Location:
    if not path:
        raise HarnessError("storage '': give a path or s3://bucket/prefix")
    root = Path(path).expanduser().absolute()
    try:
        _within(OPEN_LIMIT_S, lambda: root.mkdir(parents=True, exist_ok=True))
    except OSError as error:
        raise HarnessError(
            f"storage {root}: {describe(error)}; give a folder to write to"
        ) from None
    return Location(str(root), str(root), fs.LocalFileSystem(), str(root), is_local=True)


# S3 ---------------------------------------------------------------------------------------------


def _open_s3(uri: str) -> Location:
    bucket, prefix, settings = _parse_s3(uri)
    root = "/".join((bucket, *PurePosixPath(prefix).parts))
    shown = f"s3://{root}"
    endpoint = settings.get("endpoint_override")
    at = f" at {endpoint}" if endpoint else ""

    def connect() -> fs.FileSystem:
        if not settings["region"]:
            settings["region"] = fs.resolve_s3_region(bucket)
        _check_bucket(_s3(settings, request_s=3.0), bucket, root)
        return _s3(settings, request_s=10.0)

    try:
        filesystem = _within(OPEN_LIMIT_S, connect)
    except OSError as error:
        raise HarnessError(f"storage {shown}{at}: {describe(error)}") from None
    return Location(uri, shown, filesystem, root, is_local=False)


def _parse_s3(uri: str) -> tuple[str, str, dict[str, Any]]:
    """(bucket, prefix, settings) of an `s3://` URI and the environment."""
    address, _, query = uri.removeprefix("s3://").partition("?")
    bucket, _, prefix = address.partition("/")
    if ":" in bucket or "@" in address:
        raise HarnessError(
            "storage s3://...: a URI holds no user name or password; set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        )
    if not bucket or ".." in PurePosixPath(prefix).parts:
        raise HarnessError(f"storage s3://{address}: not of the form s3://bucket/prefix")
    given = dict(parse_qsl(query))
    for name in given.keys() - set(S3_SETTINGS):
        raise HarnessError(
            f"storage s3://{address}: unknown setting {name!r}{did_you_mean(name, S3_SETTINGS)}"
        )
    return bucket, prefix.strip("/"), _settings(given)


def _settings(given: dict[str, str]) -> dict[str, Any]:
    env = os.environ
    endpoint = (
        given.get("endpoint_override")
        or env.get("AWS_ENDPOINT_URL_S3")
        or env.get("AWS_ENDPOINT_URL")
    )
    region = given.get("region") or env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION")
    settings: dict[str, Any] = {"region": region, "scheme": given.get("scheme", "https")}
    if endpoint:
        url = urlsplit(endpoint if "://" in endpoint else f"{settings['scheme']}://{endpoint}")
        if "@" in endpoint or url.scheme not in ("http", "https") or url.path.strip("/"):
            raise HarnessError("storage endpoint: not of the form http://host:port")
        settings |= {
            "endpoint_override": url.netloc,
            "scheme": url.scheme,
            "region": region or "us-east-1",
        }
    if bundle := env.get("AWS_CA_BUNDLE"):
        settings["tls_ca_file_path"] = bundle
    return settings


def _s3(settings: dict[str, Any], *, request_s: float) -> fs.FileSystem:
    """A client of two attempts per request.

    `allow_delayed_open` makes a small file one request instead of three, and nothing at all where
    the upload fails. On Linux `request_timeout` is the time without a byte moving.
    """
    return fs.S3FileSystem(
        **settings,
        connect_timeout=3.0,
        request_timeout=request_s,
        allow_delayed_open=True,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=2),
    )


def _check_bucket(client: fs.FileSystem, bucket: str, root: str) -> None:
    """Fail as an upload would. A bucket that is not there lists as an empty one, so it is asked
    for too; being refused that is no fault, since a policy may allow the prefix alone."""
    client.get_file_info(fs.FileSelector(f"{root}/.none", allow_not_found=True))
    try:
        is_missing = client.get_file_info(bucket).type == fs.FileType.NotFound
    except OSError as error:
        if _aws_code(error) != "ACCESS_DENIED":
            raise
        is_missing = False
    if is_missing:
        raise OSError("AWS Error NO_SUCH_BUCKET")


def _within(limit_s: float, act: Callable[[], T]) -> T:
    """What `act` returns; a TimeoutError where it takes longer, its thread left behind."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(act())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future.result(limit_s)
