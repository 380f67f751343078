"""What the machine's own clocks say."""

import time
from pathlib import Path
from typing import NamedTuple

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Clocks(NamedTuple):
    """One look at the clocks. Units: milliseconds; ``mono_ms`` since the start of the machine ``boot``."""

    boot: str
    wall_ms: int
    mono_ms: int


def look_at_clocks() -> Clocks:
    """Read wall clock and monotonic clock, the one that also runs while the machine sleeps."""
    return Clocks(_BOOT, time.time_ns() // 1_000_000, time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000)


def _boot() -> str:
    try:
        return _BOOT_ID.read_text().strip()[:8]
    except OSError:
        return "unknown"  # then a span ends with the clock's next jump only


_BOOT = _boot()
