"""Which models are asked."""

from collections.abc import Sequence

import streamlit as st

from harness.app.settings import ModelChoice

NOTICE = (
    "**Not a medical device.** For research and teaching only: never for the diagnosis or the "
    "treatment of a patient."
)


NO_OTHER = ModelChoice(label="no other model", source="")


def choose_models(choices: Sequence[ModelChoice]) -> list[ModelChoice]:
    """One model, or two that are compared."""
    with st.sidebar:
        first = st.selectbox("Model", choices, format_func=_label, key="model")
        others = [choice for choice in choices if choice != first]
        second = st.selectbox(
            "Compare with",
            [NO_OTHER, *others],
            format_func=_label,
            key="other",
            disabled=not others,
        )
        st.caption("What you upload stays in this session's memory and is never stored.")
    return [first] if second == NO_OTHER else [first, second]


def _label(choice: ModelChoice) -> str:
    return choice.label
