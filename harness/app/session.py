"""What a page keeps between two reruns: within the session's memory, within bounds, nowhere else.

Streamlit's own caches are shared by all sessions and outlive them, so nothing of an upload goes
there.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, MutableMapping
from typing import Any, TypeVar

Value = TypeVar("Value")

MAX_KEPT = {"images": 2, "answers": 100, "maps": 32, "batch": 2000}
"""Kind and how many: an image may have 64 MB, a map 0.3 MB, the others a few hundred bytes."""


def kept(
    state: MutableMapping[Any, Any], kind: str, key: Hashable, make: Callable[[], Value]
) -> Value:
    """What `make` gave for `key` before, or gives now; of each kind the latest few are kept.

    Args:
        state: The session's, such as `st.session_state`.
        kind: A name of `MAX_KEPT`.
    """
    values: OrderedDict[Hashable, Value] = state.setdefault(f"kept/{kind}", OrderedDict())
    if key not in values:
        values[key] = make()
    values.move_to_end(key)
    while len(values) > MAX_KEPT[kind]:
        values.popitem(last=False)
    return values[key]
