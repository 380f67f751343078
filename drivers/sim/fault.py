"""What goes wrong on a simulated line, drawn answer by answer from a seeded generator."""

from dataclasses import dataclass
from random import Random
from typing import NamedTuple

_NOISE_MOST = 13
# Starts of frames and wake-up bytes among the noise are what a scanner may trip over.
_TEMPTING = (0x68, 0xFE, 0xFF, 0x00, 0x16)


@dataclass(frozen=True, slots=True)
class Faults:
    """The switches of one line; probabilities are 0 to 1 an answer.

    Shape: ``preamble`` None leaves the codec's own count of wake-up bytes; ``late_s`` counts
    from the line's timeout. ``noise``, ``corrupt``, ``echo`` and ``preamble`` are for serial lines.
    """

    drop: float = 0.0
    late: float = 0.0
    late_s: float = 0.5
    noise: float = 0.0
    corrupt: float = 0.0
    echo: bool = False
    preamble: int | None = None


NO_FAULTS = Faults()


class Fate(NamedTuple):
    """What becomes of one answer, decided before it is composed."""

    is_dropped: bool
    delay_s: float


def draw_fate(faults: Faults, rng: Random, timeout_s: float) -> Fate:
    """Decide whether an answer leaves at all, and how late."""
    is_dropped = rng.random() < faults.drop
    is_late = rng.random() < faults.late
    return Fate(is_dropped, timeout_s + faults.late_s if is_late else 0.0)


def disturb(faults: Faults, rng: Random, frame: bytes) -> bytes:
    """Put the wake-up bytes, a flipped bit and the noise on an answer that starts with 0x68."""
    if faults.preamble is not None:
        frame = b"\xfe" * faults.preamble + frame.lstrip(b"\xfe")
    if rng.random() < faults.corrupt:
        start = len(frame) - len(frame.lstrip(b"\xfe"))
        at = rng.randrange(start, len(frame))
        frame = frame[:at] + bytes((frame[at] ^ 1 << rng.randrange(8),)) + frame[at + 1 :]
    if rng.random() < faults.noise:
        frame = _noise(rng) + frame + _noise(rng)
    return frame


def _noise(rng: Random) -> bytes:
    count = rng.randint(1, _NOISE_MOST)
    return bytes(rng.choice(_TEMPTING) if rng.random() < 0.3 else rng.randrange(256) for _ in range(count))
