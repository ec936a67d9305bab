"""An uploaded file as an image that can be asked about, or one readable line why it is none.

What a file is, is told by its content; its name is only ever shown (`plain.py`). No error carries
what stands in the file, and none of it is logged.
"""

import hashlib
import io
import logging
import warnings
from dataclasses import dataclass

from PIL import Image

from harness.app.pictures import FindingBox
from harness.core.errors import HarnessError
from harness.data.radiograph import Radiograph, read_radiograph

log = logging.getLogger(__name__)

MAX_UPLOAD_MB = 64
"""Per file. A radiograph of 4300 x 4300 pixels with 16 bits has 37 MB."""


@dataclass(frozen=True, eq=False)
class Subject:
    """An image to be asked about.

    Attributes:
        key: Names the image: equal for equal files.
        note: What is known of it, for a caption.
        boxes: Where findings are known to be.
    """

    radiograph: Radiograph
    key: str
    note: str
    boxes: tuple[FindingBox, ...] = ()


def key_of(data: bytes) -> str:
    """A name of these bytes: 32 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()[:32]


def warm_up() -> None:
    """Read a PNG: what reads them is compiled at the first one, for seconds."""
    stream = io.BytesIO()
    Image.linear_gradient("L").save(stream, "PNG")
    read_upload(stream.getvalue())


def read_upload(data: bytes) -> Subject:
    """The image that the bytes of a file hold.

    Raises:
        HarnessError: They hold none that can be shown; the message is one line, and nothing of
            the file's content is in it.
    """
    if not data:
        raise HarnessError("the file is empty")
    if len(data) > MAX_UPLOAD_MB * 2**20:
        raise HarnessError(f"the file is longer than {MAX_UPLOAD_MB} MB")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # readers quote what they stumble over
            radiograph = read_radiograph(data)
    except HarnessError:
        raise
    except MemoryError:
        raise HarnessError("the image does not fit into memory") from None
    except Exception as error:
        log.error("an upload could not be read: %s", type(error).__name__)
        raise HarnessError("the file is damaged, or not an image") from None
    height, width = radiograph.pixel_HW.shape
    return Subject(radiograph, key_of(data), f"{radiograph.kind}, {width} x {height} pixels")
