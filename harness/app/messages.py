"""`told`: whatever goes wrong in a part of the page becomes one readable line there."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from harness.app import plain
from harness.core.errors import HarnessError

log = logging.getLogger(__name__)


@contextmanager
def told(what: str) -> Iterator[None]:
    """Shows an error of the block; the rest of the page goes on.

    Args:
        what: Before the message, such as `This image cannot be shown`.
    """
    try:
        yield
    except HarnessError as error:
        st.error(f"{what}: {plain.markdown(str(error))}", icon=":material/error:")
    except Exception as error:
        # No text of it: it may quote what was uploaded.
        log.error("the page met %s", type(error).__name__)
        if "HARNESS_DEBUG" in os.environ:
            raise
        st.error(f"{what}: something unforeseen went wrong.", icon=":material/error:")
