"""The part of the page for many images."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import streamlit as st

from harness.app import plain
from harness.app.batch import MAX_FILES, BatchEntry, csv_of
from harness.app.models import Model
from harness.app.session import kept
from harness.app.uploads import MAX_UPLOAD_MB, read_upload
from harness.core.errors import HarnessError


def show_batch(model: Model, *, label: str, source: str) -> None:
    """An uploader for many files, a table of what was found, and the CSV to download."""
    files = st.file_uploader(
        "Your images",
        accept_multiple_files=True,
        key="batch",
        max_upload_size=MAX_UPLOAD_MB,
        help=f"PNG, JPEG or DICOM, up to {MAX_FILES} files of {MAX_UPLOAD_MB} MB",
    )
    if not files:
        st.caption("Choose several images: each gets a line here and lines in a CSV file.")
        return
    if len(files) > MAX_FILES:
        st.warning(f"{len(files)} files: only the first {MAX_FILES} are read.")
    entries = _entries(model, source, files[:MAX_FILES])
    num_bad = sum(bool(entry.problem) for entry in entries)
    st.markdown(f"{len(entries) - num_bad} of {len(entries)} files read.")
    st.dataframe(
        {
            "image": [plain.clean(entry.name, 80) for entry in entries],
            "found": [plain.clean(entry.said) for entry in entries],
        },
        hide_index=True,
        width="stretch",
    )
    st.download_button(
        "Download the CSV file",
        csv_of(entries, label),
        file_name="findings.csv",
        mime="text/csv",
        on_click="ignore",
        icon=":material/download:",
    )


def _entries(model: Model, source: str, files: Sequence[Any]) -> list[BatchEntry]:
    bar = st.progress(0.0, text="reading")
    entries = []
    for number, file in enumerate(files, 1):
        key = (source, file.file_id)
        entries.append(kept(st.session_state, "batch", key, partial(_entry, model, file)))
        bar.progress(number / len(files), text=f"{number} of {len(files)}")
    bar.empty()
    return entries


def _entry(model: Model, file: Any) -> BatchEntry:
    try:
        rows = model.rows(read_upload(file.getvalue()).radiograph)
    except HarnessError as error:
        return BatchEntry(name=file.name, problem=str(error))
    return BatchEntry(name=file.name, rows=tuple(rows))
