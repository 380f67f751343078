"""Whether the kernel's clock is kept right by anybody."""

import ctypes
import sys

# Larger than struct timex of any Linux; all zeroes asks and sets nothing.
_TIMEX_BYTES = 512
_TIME_ERROR = 5


def is_synchronised() -> bool | None:
    """Ask the kernel whether an NTP service has set its clock; None where it does not say.

    Source: adjtimex(2): TIME_ERROR while the clock is not synchronised.
    """
    if not sys.platform.startswith("linux"):
        return None
    adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
    if adjtimex is None:
        return None
    state = adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    return None if state < 0 else state != _TIME_ERROR
