"""What one or two models say of one image, and where they look."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from harness.app import plain
from harness.app.findings_chart import FindingRow, chart, in_order_of, percent, summary
from harness.app.models import Model
from harness.app.pictures import sized, with_boxes, with_heat
from harness.app.session import kept
from harness.app.uploads import Subject
from harness.core.findings import readable

Heat = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Asked:
    """A model that was asked about an image.

    Attributes:
        rows: Flagged findings first.
    """

    label: str
    source: str
    model: Model
    rows: list[FindingRow]


@dataclass(frozen=True)
class View:
    """What is to be seen of an image, as chosen by the controls."""

    finding: str
    opacity: float
    has_boxes: bool


def ask(model: Model, *, label: str, source: str, subject: Subject) -> Asked:
    """The answer of a model, kept for the next rerun."""
    rows = kept(
        st.session_state, "answers", (source, subject.key), lambda: model.rows(subject.radiograph)
    )
    return Asked(label=label, source=source, model=model, rows=rows)


def show_answer(subject: Subject, asked: Sequence[Asked]) -> None:
    """All that there is to say of an image by one model, or by two side by side.

    Maps are made before anything is drawn: no picture of one image stands beside words of another.
    """
    words = st.container()
    if len(asked) == 1:
        bars, pictures = st.columns([2, 3], gap="large")
    else:
        pictures, bars = st.container(), st.container()  # two lists of bars want the whole width
    with pictures:
        view = _controls(subject, asked)
        with st.spinner("Looking for what speaks for it …"):
            heats = [_heat(subject, each, view.finding) for each in asked]
        _show_pictures(subject, asked, view, heats)
    with bars:
        _show_bars(asked)
    with words:
        _show_summary(asked)


def _show_summary(asked: Sequence[Asked]) -> None:
    for each in asked:
        name = f"**{plain.markdown(each.label)}**: " if len(asked) > 1 else ""
        st.markdown(f"{name}{plain.markdown(summary(each.rows))}")


def _heat(subject: Subject, asked: Asked, finding: str) -> Heat | None:
    """A model's map; None where it does not know the finding, or has no maps."""
    if finding not in asked.model.findings or not asked.model.has_maps:
        return None
    key = (asked.source, subject.key, finding)
    return kept(
        st.session_state, "maps", key, lambda: asked.model.heat(subject.radiograph, finding)
    )


def _controls(subject: Subject, asked: Sequence[Asked]) -> View:
    findings = list(dict.fromkeys(row.finding for each in asked for row in each.rows))
    sources = "/".join(each.source for each in asked)
    left, right = st.columns(2)
    with left:
        # A key for each image: its first flagged finding is shown, not the one chosen before.
        finding = st.selectbox(
            "Finding on the map",
            findings,
            format_func=readable,
            key=f"finding/{subject.key}/{sources}",
        )
    with right:
        opacity = st.slider("Opacity of the map", 0, 100, 60, step=5, format="%d %%", key="opacity")
    has_boxes = bool(subject.boxes) and st.checkbox("Show known boxes", value=True, key="boxes")
    return View(finding=finding, opacity=opacity / 100, has_boxes=has_boxes)


def _show_pictures(
    subject: Subject, asked: Sequence[Asked], view: View, heats: Sequence[Heat | None]
) -> None:
    pixel_HW = sized(subject.radiograph.pixel_HW)
    places = st.columns(1 + len(asked))
    with places[0]:
        boxes = subject.boxes if view.has_boxes else ()
        st.image(
            with_boxes(pixel_HW, boxes, chosen=view.finding),
            caption=plain.markdown(f"Original ({subject.note})"),
            alt=f"The X-ray that was chosen: {subject.note}",
            width="stretch",
        )
    for place, each, heat in zip(places[1:], asked, heats, strict=True):
        with place:
            name = readable(view.finding) + (f" by {each.label}" if len(asked) > 1 else "")
            if heat is None:
                st.info(plain.markdown(_why_no_map(each, view.finding)))
            else:
                chosen = [box for box in boxes if box.finding == view.finding]
                picture = with_boxes(
                    with_heat(pixel_HW, heat, view.opacity), chosen, chosen=view.finding
                )
                _show_map(picture, heat, name, each, view.finding)


def _why_no_map(asked: Asked, finding: str) -> str:
    if finding not in asked.model.findings:
        return f"{asked.label} does not know {readable(finding)}."
    return f"{asked.label} cannot show where it looks: its network has no layer to make a map of."


def _show_map(
    picture: NDArray[np.uint8], heat: Heat, name: str, asked: Asked, finding: str
) -> None:
    if heat.any():
        caption = f"What speaks for {name}: the brighter, the more"
    else:
        caption = f"Nothing in this image speaks for {name}"
    st.image(
        picture,
        caption=plain.markdown(caption),
        alt=f"Grad-CAM map over the X-ray. {caption}. {_alone(asked.rows, finding)}",
        width="stretch",
    )


def _alone(rows: Sequence[FindingRow], finding: str) -> str:
    row = next(row for row in rows if row.finding == finding)
    flag = "flagged" if row.is_flagged else "not flagged"
    return f"{readable(finding)}: probability {percent(row.probability)}, {flag}"


def _show_bars(asked: Sequence[Asked]) -> None:
    order = [row.finding for row in asked[0].rows]
    for place, each in zip(st.columns(len(asked), gap="large"), asked, strict=True):
        with place:
            if len(asked) > 1:
                st.markdown(f"**{plain.markdown(each.label)}**")
            rows = in_order_of(each.rows, order)
            st.html(chart(rows, label=f"Findings by {each.label}, flagged first"))
    st.caption(
        "Calibrated probability, from 0 to 100 %. The upright line is the finding's threshold, "
        "tuned on validation; ▲ marks what reaches it."
    )
