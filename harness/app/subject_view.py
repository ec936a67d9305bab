"""Which image is asked about: an upload, or an example."""

from pathlib import Path

import streamlit as st

from harness.app import examples
from harness.app.messages import told
from harness.app.models import Model
from harness.app.session import kept
from harness.app.uploads import MAX_UPLOAD_MB, Subject, key_of, read_upload
from harness.core.recipe import Recipe

UPLOAD_HELP = "PNG, JPEG or DICOM (also TIFF, BMP, WebP); a single frontal chest X-ray"


def choose_subject(model: Model, store: str) -> Subject | None:
    """The image to be asked about; None where there is none, which is then said on the page."""
    left, right = st.columns(2)
    with left:
        file = st.file_uploader(
            "Your image", help=UPLOAD_HELP, key="upload", max_upload_size=MAX_UPLOAD_MB
        )
    with right:
        names, of_store = examples.phantom_names(), None
        if store:
            with told("The store cannot be shown"):
                of_store = _opened(store, model.recipe.run_id, model.recipe)
                names = [*of_store.names, *names]
        name = st.selectbox("or an example", names, key="example", disabled=file is not None)
        if of_store is not None and of_store.caution and name in of_store.names:
            st.caption(of_store.caution)
    with told("This image cannot be shown"):
        if file is not None:
            data = file.getvalue()
            return kept(st.session_state, "images", key_of(data), lambda: read_upload(data))
        if of_store is not None and name in of_store.names:
            return of_store.subject(name)
        return examples.phantom(name)
    return None


@st.cache_resource(max_entries=4, show_spinner="Opening the store …")
def _opened(store: str, run_id: str, _recipe: Recipe) -> examples.StoreExamples:
    del run_id  # names the recipe, which Streamlit would not know how to hash
    return examples.StoreExamples(Path(store), _recipe)
