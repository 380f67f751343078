"""Which frames of a BTHome device are to be believed: no replay, no way back to frames in clear.

An encrypted frame counts up. Lower is refused, except that a device starts again near 0 after a new
battery or when its 32 bits are used up: a counter below 100 is believed where the last one was 100 or
more and this very frame was never believed before. What is lost by it: somebody who kept such a frame
out of our hearing can have it believed once, and after a new battery what was recorded before it can be
sent again until the device has counted that far; a new key with the new battery prevents it. A device
that starts again elsewhere is refused until its ``Seen`` is forgotten.

Source: bthome.io, Encryption (the receiver is to verify that the counter has increased), BTHome v2 format
(packet id); restart below 100 and the 4 s of a packet id as Bluetooth-Devices/bthome-ble 3.25.0 has them.
"""

from dataclasses import dataclass
from typing import Final

from protocols.ble.bthome_frame import BthomeFrame
from protocols.errors import SecurityError

RESTART: Final = 100
_YOUNG_LIMIT = 1000  # ten lives; then only a person can tell a restart from a replay
_PACKET_S = 4.0  # an advertisement is sent several times within this
_PACKET_AHEAD = 64


class Repeated(SecurityError):
    """The very frame that was believed last: an advertisement is sent several times, this is no attack."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is remembered of a device.

    Shape: ``young`` are counter and MIC of believed frames below ``RESTART``; ``is_repeat`` where the frame just
    admitted carries the packet that was heard before: its events are not to be told again.
    """

    counter: int | None = None
    mic: bytes = b""
    packet_id: int | None = None
    heard_s: float | None = None
    young: frozenset[tuple[int, bytes]] = frozenset()
    is_repeat: bool = False


def admit(state: Seen | None, frame: BthomeFrame, *, has_key: bool, heard_s: float | None = None) -> Seen:
    """Believe a frame or refuse it; the first of a device is believed.

    Shape: ``has_key`` where a key is configured for the device; ``heard_s`` on a monotonic clock, if there is one.

    Raises: SecurityError; Repeated for the last frame once more.
    """
    seen = state or Seen()
    if frame.counter is None:
        if has_key or seen.counter is not None:
            raise SecurityError("a frame in clear from a device that encrypts")
        return Seen(packet_id=frame.packet_id, heard_s=heard_s, is_repeat=_is_repeat(seen, frame, heard_s))
    _check_counter(seen, frame.counter, frame.mic)
    young = seen.young
    if frame.counter < RESTART:
        young |= {(frame.counter, frame.mic)}
    return Seen(frame.counter, frame.mic, frame.packet_id, heard_s, young, _is_repeat(seen, frame, heard_s))


def _check_counter(seen: Seen, counter: int, mic: bytes) -> None:
    last = seen.counter
    if last is None:
        return
    if counter == last and mic == seen.mic:
        raise Repeated(f"counter {counter} was heard already")
    is_next = counter > last or (counter < RESTART <= last and len(seen.young) < _YOUNG_LIMIT)
    if not is_next or (counter, mic) in seen.young:
        raise SecurityError(f"counter {counter} after {last}: an old frame sent again")


def _is_repeat(seen: Seen, frame: BthomeFrame, heard_s: float | None) -> bool:
    if frame.packet_id is None or seen.packet_id is None:
        return False
    ahead = (frame.packet_id - seen.packet_id) % 256
    if heard_s is None or seen.heard_s is None:
        return ahead == 0
    return heard_s - seen.heard_s <= _PACKET_S and not 0 < ahead < _PACKET_AHEAD
