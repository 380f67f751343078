"""Make a picture anew from whatever was sent: nothing of the file itself is kept, no place, no name."""

import hashlib
import io
import warnings
from dataclasses import dataclass

from PIL import Image, ImageOps, UnidentifiedImageError

MOST_BYTES = 8 * 1024 * 1024
LONGEST_SIDE = 2048
_MOST_PIXELS = 60_000_000
_FORMATS = ("JPEG", "PNG", "WEBP")


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG of ours."""

    body: bytes
    width: int
    height: int
    sha256: str


class NotAPicture(ValueError):
    """The bytes are no picture that can be used."""


def remade(data: bytes) -> Picture:
    """Decode a picture and encode it again, upright and no larger than a screen needs.

    Raises: NotAPicture.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            opened = Image.open(io.BytesIO(data), formats=_FORMATS)
            if opened.width * opened.height > _MOST_PIXELS:
                raise NotAPicture
            image = ImageOps.exif_transpose(opened).convert("RGB")
    except (UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise NotAPicture from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:  # a file cut short or made to confuse
        raise NotAPicture from error
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    made = io.BytesIO()
    image.save(made, "JPEG", quality=82, optimize=True)
    body = made.getvalue()
    return Picture(body, image.width, image.height, hashlib.sha256(body).hexdigest())
