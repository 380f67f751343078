"""Now, in milliseconds: the wall clock for what is kept, the monotonic one for how long."""

import time


def now_ms() -> int:
    """Give the wall clock in milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


def monotonic_ms() -> int:
    """Give a clock that nobody sets, in milliseconds from some beginning."""
    return time.monotonic_ns() // 1_000_000
