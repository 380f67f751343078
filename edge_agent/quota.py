"""How much room the store may take."""

import re

# A month without the centre, of 500 points a minute, takes 0.9 GB.
DEFAULT_QUOTA = 2_000_000_000
_LEAST = 50_000_000
_TEXT = re.compile(r"(\d+(?:\.\d{1,3})?) ?(MB|GB|TB)")
_UNITS = {"MB": 1_000_000, "GB": 1_000_000_000, "TB": 1_000_000_000_000}


def read_quota(text: object) -> int:
    """Read a quota such as "2 GB" as bytes.

    Raises: ValueError.
    """
    found = _TEXT.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f'\'{text}\' is no size; write one as "2 GB" or "500 MB"')
    size = round(float(found[1]) * _UNITS[found[2]])
    if size < _LEAST:
        raise ValueError(f"'{text}' is too little; a store needs 50 MB at least")
    return size
