"""The MLflow store: which one, whether it answers, and how its URI may be shown."""

import logging
import os
import re
import socket
import sqlite3
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag, ViewType

from harness.core.errors import HarnessError
from harness.core.locks import held
from harness.tracking.mounts import network_file_system

EXPERIMENT = "harness"
PROBE_TIMEOUT_S = 5
MAKING_LIMIT_S = 120
"""How long to wait for another process that makes the tables of a SQLite file: it takes seconds."""
MAX_BATCH = 800
"""Metrics in one request: MLflow takes 1000 entities, 100 of them parameters, 100 tags."""

RESULTS_ID_FILE = ".results-id"
RESULTS_ID = "harness.results"
"""The tag by which runs of several results folders, in one store, are told apart."""

# MLflow's own defaults (7 retries of 120 s) would hold the end of a job for minutes.
PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
PROBE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": str(PROBE_TIMEOUT_S),
}


@dataclass(frozen=True)
class Store:
    """An MLflow store that answered.

    Attributes:
        shown: Its URI without secrets.
        experiment_id: None where the experiment does not exist.
        results_id: Tags the runs of this results folder; empty where the store holds no others,
            None where the folder has told this store of no run yet.
    """

    client: MlflowClient
    shown: str
    experiment_id: str | None
    results_id: str | None = ""

    def owns(self, run: Run) -> bool:
        """False for a run that another results folder has told the same store of."""
        return self.results_id == "" or run.data.tags.get(RESULTS_ID) == self.results_id

    def knock(self) -> None:
        """Raise where the store does not answer."""
        self.client.get_experiment(self.experiment_id)

    def search(
        self,
        filter_string: str,
        *,
        order_by: str = "start_time ASC",
        view: int = ViewType.ACTIVE_ONLY,
    ) -> Iterator[Run]:
        """Yield the runs that match, page by page."""
        page: str | None = None
        while self.experiment_id is not None:
            found = self.client.search_runs(
                [self.experiment_id], filter_string, view, order_by=[order_by], page_token=page
            )
            yield from found
            page = found.token
            if not page:
                return

    def log(
        self,
        run_id: str,
        *,
        metrics: Sequence[Metric] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Log all of it in one request, or in as few as MLflow's limits allow."""
        self.client.log_batch(
            run_id,
            metrics=metrics[:MAX_BATCH],
            params=[Param(name, value) for name, value in (params or {}).items()],
            tags=[RunTag(name, value) for name, value in (tags or {}).items()],
        )
        for start in range(MAX_BATCH, len(metrics), MAX_BATCH):
            self.client.log_batch(run_id, metrics=metrics[start : start + MAX_BATCH])


def store_uri(results: Path, uri: str | None = None) -> str:
    """The URI of the store: `uri`, else MLFLOW_TRACKING_URI, else SQLite within `results`.

    Raises:
        HarnessError: It names a folder; MLflow no longer keeps runs in one.
    """
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or embedded_uri(results)
    if uri.startswith("file:") or ("://" not in uri and not uri.startswith("databricks")):
        raise HarnessError(
            f"MLflow keeps no runs in a folder ({redact(uri)}): give sqlite:////path/mlflow.db or "
            f"http://host:port, or unset MLFLOW_TRACKING_URI for {database_of(results)}"
        )
    return uri


def database_of(results: Path) -> Path:
    """The embedded store of a results folder."""
    return results.resolve() / "mlflow.db"


def embedded_uri(results: Path) -> str:
    """The URI of that store, by its absolute path."""
    return f"sqlite:///{database_of(results)}"


def has_store(results: Path, uri: str | None = None) -> bool:
    """False where the runs are kept in `results` and there are none yet."""
    return store_uri(results, uri) != embedded_uri(results) or database_of(results).exists()


def artifacts_of(results: Path) -> Path:
    """Where a store that is not a server keeps artifacts."""
    return results.resolve() / "mlartifacts"


def open_store(results: Path, uri: str | None = None, *, experiment: str = EXPERIMENT) -> Store:
    """The store with its experiment, made where absent.

    Raises:
        HarnessError: The store does not answer within about ten seconds, or refuses.
    """
    _make_results_id(results, uri)
    uri = store_uri(results, uri)
    with told_in_one_line(uri), _making_alone(uri):
        store = find_store(results, uri, experiment=experiment)
        if store.experiment_id is not None:
            return store
        is_server = uri.startswith(("http", "databricks"))
        location = None if is_server else artifacts_of(results).as_uri()  # MLflow's is ./mlruns
        made = store.client.create_experiment(experiment, artifact_location=location)
    return replace(store, experiment_id=made)


@contextmanager
def _making_alone(uri: str) -> Iterator[None]:
    """One process at a time makes the tables of a file: MLflow's migrations break one another."""
    path = _sqlite_file(uri)
    if path is None:
        yield
        return
    _check_place(uri)
    with held(path.with_name(f".{path.name}.lock"), of=path, wait_s=MAKING_LIMIT_S):
        yield


def find_store(results: Path, uri: str | None = None, *, experiment: str = EXPERIMENT) -> Store:
    """The store as it is; nothing is made but an empty SQLite database.

    Raises:
        HarnessError: The store does not answer within about ten seconds, or refuses.
    """
    uri = store_uri(results, uri)
    _check_place(uri)
    _set_patience()
    _quieten()
    with told_in_one_line(uri), _environment(PROBE):
        _knock(uri)
        client = MlflowClient(uri)
        found = client.get_experiment_by_name(experiment)
    if found is not None and found.lifecycle_stage == "deleted":
        raise HarnessError(
            f"MLflow at {redact(uri)}: experiment {experiment!r} was deleted; restore it with "
            f"`mlflow experiments restore --experiment-id {found.experiment_id}`"
        )
    return Store(
        client, redact(uri), found.experiment_id if found else None, _results_id(results, uri)
    )


def redact(text: str) -> str:
    """`text` without the user names, passwords and tokens of the URIs in it."""
    text = re.sub(r"(\w://)[^\s'\"]*@", r"\1***@", text)
    return re.sub(r"(?i)([?&][^=&\s]*(?:pass|token|key|secret)\w*=)[^&\s'\"]+", r"\1***", text)


def one_line(error: BaseException) -> str:
    """The first line of an error's message, without secrets, at most 200 characters.

    Where the system's own error is beneath it, that one: `Connection refused`.
    """
    text = redact(_beneath(error)).strip() or type(error).__name__
    line = text.splitlines()[0]
    return line if len(line) <= 200 else line[:197] + "..."


def _beneath(error: BaseException) -> str:
    """What the operating system said, which HTTP libraries wrap in hundreds of characters."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return str(error)


def _results_id(results: Path, uri: str) -> str | None:
    """A name of the folder that stays when it is moved, or mounted elsewhere."""
    if uri == embedded_uri(results):
        return ""
    with suppress(FileNotFoundError):
        return (results / RESULTS_ID_FILE).read_text(encoding="utf-8").strip()
    return None


def _make_results_id(results: Path, uri: str | None) -> None:
    if _results_id(results, store_uri(results, uri)) is not None:
        return
    results.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError), (results / RESULTS_ID_FILE).open("x") as stream:
        stream.write(uuid.uuid4().hex + "\n")


def _check_place(uri: str) -> None:
    """Raise where SQLite would lie on a network file system, whose locks do not protect it."""
    path = _sqlite_file(uri)
    kind = network_file_system(path) if path else None
    if kind:
        raise HarnessError(
            f"MLflow at {redact(uri)}: SQLite may be damaged on a network file system ({kind}); "
            "set MLFLOW_TRACKING_URI to a server (http://host:port) or to a file on a local disk "
            "(sqlite:////var/tmp/mlflow.db)"
        )


def _sqlite_file(uri: str) -> Path | None:
    """The file of a SQLite URI, driver or not: `sqlite:///x.db`, `sqlite+pysqlite:////x.db`."""
    scheme, _, place = uri.partition(":///")
    name = place.partition("?")[0]
    is_file = scheme.partition("+")[0] == "sqlite" and name not in ("", ":memory:")
    return Path(name.removeprefix("file:")).absolute() if is_file else None


def _knock(uri: str) -> None:
    """Raise at once where MLflow would retry a database for 100 seconds."""
    path = _sqlite_file(uri)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA schema_version")
        return
    place = urlsplit(uri)
    if not place.scheme.startswith("http") and place.hostname and place.port:
        socket.create_connection((place.hostname, place.port), timeout=PROBE_TIMEOUT_S).close()


@contextmanager
def told_in_one_line(uri: str) -> Iterator[None]:
    """The faults of a store become a `HarnessError` that says what to do."""
    try:
        yield
    except HarnessError:
        raise
    except Exception as error:  # requests, SQLAlchemy, MLflow and the system each have their own
        if uri.startswith("sqlite:"):
            trouble = f"cannot be used ({one_line(error)}): move the file away, and MLflow is "
            trouble += "filled anew from the run directories"
        else:
            trouble = f"does not answer ({one_line(error)}): start it, or unset "
            trouble += "MLFLOW_TRACKING_URI to keep the runs in the results folder"
        raise HarnessError(f"MLflow at {redact(uri)} {trouble}") from None


def _set_patience() -> None:
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


def _quieten() -> None:
    """Faults reach the user as our one line, not as MLflow's traces and urllib3's retries."""
    for name in ("mlflow", "alembic", "urllib3.connectionpool"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
