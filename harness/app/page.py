"""The page: which model, which image, what it says. The only other files that know Streamlit are
its parts: `sidebar`, `subject_view`, `answer_view`, `batch_view`, `messages`.
"""

from pathlib import Path

import streamlit as st

from harness.app import plain
from harness.app.answer_view import ask, show_answer
from harness.app.batch_view import show_batch
from harness.app.messages import told
from harness.app.models import Model
from harness.app.settings import ModelChoice, Settings, folder_of
from harness.app.sidebar import NOTICE, choose_models
from harness.app.subject_view import choose_subject
from harness.bundle.bundle import OF_DRAWN_IMAGES

STYLE = """<style>
.stMainBlockContainer { padding: 4.25rem clamp(1rem, 3vw, 3rem) 3rem; }
.stMainBlockContainer h1 { font-size: 1.9rem; padding: 0 0 0.75rem; }
.stMainBlockContainer h2 { font-size: 1.4rem; padding: 0.75rem 0 0.25rem; }
.stMainBlockContainer h3 { font-size: 1.15rem; padding: 0.5rem 0 0.25rem; }
</style>"""
"""Less empty space than Streamlit leaves around a page."""

NOTICE_ICON = ":material/info:"
MAX_MODELS = 3
"""That stay in memory, the latest used."""


def show(settings: Settings) -> None:
    """All of the page, once for each session and each change."""
    st.set_page_config(page_title="Chest X-ray findings", page_icon="🩻", layout="wide")
    st.html(STYLE)
    st.title("Chest X-ray findings", anchor=False)
    notice = st.empty()
    notice.warning(NOTICE, icon=NOTICE_ICON)
    chosen = choose_models(settings.models)
    models: list[tuple[ModelChoice, Model]] = []
    for choice in chosen:
        with told(f"The model {plain.markdown(choice.label)} cannot be shown"):
            models.append((choice, _loaded(choice.source, settings.results)))
    if not models:
        return
    if any(model.is_of_drawn_images for _, model in models):
        notice.warning(f"{NOTICE} SYNTHETIC: {OF_DRAWN_IMAGES}", icon=NOTICE_ICON)
    one, many, about = st.tabs(["One image", "Many images", "About the model"])
    with one, told("This part cannot be shown"):
        _one(models, settings)
    with many, told("This part cannot be shown"):
        choice, model = models[0]
        show_batch(model, label=choice.label, source=choice.source)
    with about, told("This part cannot be shown"):
        _about(models)


def _one(models: list[tuple[ModelChoice, Model]], settings: Settings) -> None:
    subject = choose_subject(models[0][1], settings.store)
    if subject is None:
        return
    with st.spinner("Asking the model …"):
        asked = [
            ask(model, label=choice.label, source=choice.source, subject=subject)
            for choice, model in models
        ]
    show_answer(subject, asked)


def _about(models: list[tuple[ModelChoice, Model]]) -> None:
    for place, (choice, model) in zip(st.columns(len(models)), models, strict=True):
        with place:
            st.caption(plain.markdown(choice.label))
            st.markdown(plain.without_pictures(model.card))


@st.cache_resource(max_entries=MAX_MODELS, show_spinner="Loading the model …")
def _loaded(source: str, results: Path) -> Model:
    return Model(folder_of(source, results))
