"""Now, in the unit the database keeps."""

import time


def now_ms() -> int:
    """Give the wall clock in milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000
