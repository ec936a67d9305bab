"""Files of images with a byte changed, or cut off: what is said of them."""

from collections.abc import Iterable

import numpy as np

from harness.core.errors import HarnessError
from harness.data.radiograph import read_radiograph


def said_of_damage(whole: bytes, places: Iterable[int], rng: np.random.Generator) -> list[str]:
    """The messages of those that are no image any more; the others must be gray images."""
    said = []
    for place in places:
        changed = bytearray(whole)
        changed[place] ^= int(rng.integers(1, 256))
        for data in (bytes(changed), whole[:place]):
            try:
                assert read_radiograph(data).pixel_HW.dtype == np.uint8
            except HarnessError as error:
                said.append(str(error))
    return said
