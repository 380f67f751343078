"""Questions to the meters of an M-Bus line, and whose turn it is to ask several in a row.

A meter is selected by one frame and asked by the next ones: nobody else may select another in
between. So a conversation holds the line's lock, while the bus goes on taking one frame at a time.
"""

import asyncio
from collections.abc import Callable
from weakref import WeakKeyDictionary

from drivers.bus.exchange import FrameExchange
from drivers.bus.owner import Bus
from drivers.errors import DeviceBusy, DeviceRefused
from protocols.errors import MalformedFrame
from protocols.mbus import frame as link
from protocols.mbus.address import Secondary, encode_secondary
from protocols.mbus.frame import SELECTED, SND_UD, TEST, Frame
from protocols.mbus.header import decode_header
from protocols.mbus.telegram import refusal

# The sheet asks for 33 bit times of rest: 14 ms at 2400 Bd, 110 ms at 300 Bd.
IDLE_S = 0.02
_BUSY = 8
_locks: WeakKeyDictionary[Bus, asyncio.Lock] = WeakKeyDictionary()


def conversation(bus: Bus) -> asyncio.Lock:
    """Give the lock under which a line's meters are selected and asked."""
    return _locks.setdefault(bus, asyncio.Lock())


def ask_reset(address: int, party: str, timeout_s: float | None) -> FrameExchange:
    """Have a meter begin anew; for 253, let the selected one go."""
    return _expect_ack(link.encode_reset(address), party, timeout_s)


def ask_select(pattern: Secondary, party: str, timeout_s: float | None) -> FrameExchange:
    """Select every meter that fits; only those answer at 253 from then on."""
    frame = Frame(SND_UD, SELECTED, link.CI_SELECT, encode_secondary(pattern))
    return _expect_ack(link.encode_frame(frame), party, timeout_s)


def ask_data(
    address: int, party: str, timeout_s: float | None, *, fcb: bool, pattern: Secondary | None = None
) -> FrameExchange:
    """Ask for the data; the answer's payload is its whole frame."""

    def accept(frame: Frame) -> bytes:
        if not frame.is_user_data:
            raise MalformedFrame(f"a frame of kind '{frame.kind}' is no data")
        if pattern is None and address not in (TEST, frame.address):
            raise MalformedFrame(f"meter {frame.address} answered instead of {address}")
        if frame.ci == link.CI_ERROR:
            error = refusal(frame)
            raise DeviceBusy(error.detail) if error.code == _BUSY else error
        if pattern is not None:
            _check_owner(frame, pattern)
        return link.encode_frame(frame)

    return _exchange(link.encode_request(address, fcb=fcb), party, timeout_s, accept)


def _check_owner(frame: Frame, pattern: Secondary) -> None:
    """Refuse the answer of a meter that was not selected: the frame's own address does not tell."""
    if frame.ci in (link.CI_VARIABLE, link.CI_VARIABLE_MSB):
        own = decode_header(frame.data, is_short=False, is_msb_first=frame.ci == link.CI_VARIABLE_MSB).own
        if own is not None and not pattern.fits(own):
            raise MalformedFrame(f"meter {own.text} answered instead of {pattern.text}")
    elif frame.ci in (link.CI_FIXED, link.CI_FIXED_MSB):
        wire = frame.data[:4] if frame.ci == link.CI_FIXED_MSB else frame.data[3::-1]
        digits = wire.hex().upper()
        if any(wanted not in ("F", digit) for wanted, digit in zip(pattern.identification, digits, strict=False)):
            raise MalformedFrame(f"meter {digits} answered instead of {pattern.text}")
    else:
        raise DeviceRefused("it answers without saying who it is. Give its primary address instead")


def _expect_ack(request: bytes, party: str, timeout_s: float | None) -> FrameExchange:
    def accept(frame: Frame) -> bytes:
        if not frame.is_ack:
            raise MalformedFrame(f"a frame of kind '{frame.kind}' is no acknowledgement")
        return b""

    return _exchange(request, party, timeout_s, accept)


def _exchange(request: bytes, party: str, timeout_s: float | None, accept: Callable[[Frame], bytes]) -> FrameExchange:
    return FrameExchange(
        framing="mbus", party=party, request=request, accept=accept, timeout_s=timeout_s, idle_s=IDLE_S
    )
