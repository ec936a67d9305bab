"""What is looked after before and after jobs: machines, the cluster and MLflow; the disk."""

from pathlib import Path

import pandas as pd

from harness.api.calls import (
    AnyPath,
    AnyStore,
    called,
    in_keywords,
    place_at,
    results_folder,
    store_path,
)


@called
def doctor(
    *,
    address: str | None = None,
    data: AnyStore | None = None,
    storage: AnyPath | None = None,
    fix: bool = False,
    results: AnyPath | None = None,
) -> pd.DataFrame:
    """Is all there that a search needs? This machine, every node of the cluster and MLflow.

    Args:
        address: As for `search`, and so is `storage`.
        data: An image store that every node should have.
        fix: Close what MLflow wrongly shows as running.

    Returns:
        A row for each check: `check`, `where` (the driver or a node), `state` (`ok`, `warning` or
        `FAIL`), `seen`, `to_do`.

    Raises:
        HarnessError: The results cannot be written, or this process has the Ray of another address.
            What is wrong beyond that is a row.
    """
    place = place_at(results, address, 1, None, storage)
    from harness.doctor import examine

    checks = examine(place, store=None if data is None else store_path(data), does_fix=fix)
    rows = [
        (
            check.what,
            check.node,
            check.word,
            in_keywords(check.detail, doctor),
            in_keywords(check.todo, doctor),
        )
        for check in checks
    ]
    return pd.DataFrame(rows, columns=["check", "where", "state", "seen", "to_do"])


@called
def gc(
    *,
    dry_run: bool = False,
    keep: int | None = None,
    search: str | None = None,
    all: bool = False,
    results: AnyPath | None = None,
) -> pd.DataFrame:
    """Free disk: spent weights and checkpoints, Ray's scratch. Metrics and predictions stay.

    Args:
        dry_run: Only list it.
        keep: Best trials of a search that keep their weights; None as the search says.
        search: Only of this search.
        all: Also what failed runs could go on from.

    Returns:
        A row for each file or folder: `state`, `why`, `num_bytes`, `path`. The state is `freed`, in
        a dry run `would be freed`; `stuck` where it could not be removed; `kept`; `running` for
        the folder of a search or a benchmark that was left alone. The command's own table is
        `.groupby(["state", "why"])["num_bytes"].agg(["count", "sum"])`.

    Raises:
        HarnessError: There is no such folder, or no such search; or `keep` is negative.
    """
    from harness.search.waste import free

    found = free(results_folder(results), search, keep=keep, with_resumable=all, is_dry=dry_run)
    states = {
        "would be freed" if dry_run else "freed": found.gone,
        "stuck": found.stuck,
        "kept": found.kept,
    }
    rows: list[tuple[str, str, int | None, Path]] = [
        (state, in_keywords(item.why, gc), item.num_bytes, item.path)
        for state, items in states.items()
        for item in items
    ]
    rows += [("running", str(job), None, job.folder) for job in found.running]
    frame = pd.DataFrame(rows, columns=["state", "why", "num_bytes", "path"])
    return frame.astype({"num_bytes": "Int64", "path": "string"})
