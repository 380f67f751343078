"""Meters that are read by OBIS: IEC 62056-21 mode C on request, P1 by listening."""

import string
from collections.abc import Callable, Sequence

from drivers.base import Read
from drivers.bus.exchange import Answer, FrameExchange, Priority
from drivers.meter.register import RegisterMeter
from drivers.profile import Point
from drivers.profile.iec62056 import Link, Source
from protocols.errors import MalformedFrame
from protocols.iec62056 import (
    Message,
    decode_readings,
    encode_data,
    encode_identification,
    encode_request,
    encode_selection,
)
from protocols.obis import Reading, parse_lines, readings
from protocols.p1 import Telegram
from protocols.quantity import UNITS, Quality, Quantity, canonical_unit

# In place of an address: whichever meter is there. An optical head sees one, and so does a P1 cable.
ANY = "any"
_SIGN_ON_S = 2.0  # a meter may take 1.5 s to begin
_IDLE_S = 0.2
# The letter of 300 baud: the rate that a line is opened with is kept.
_STAY = "0"
_NUMBERS = ("96.1.0", "96.1.1", "0.0.0", "C.1.0")


class _ObisMeter(RegisterMeter):
    """What both share: points by their OBIS codes, in a text of data sets."""

    def _found(self, planned: Read, read: Sequence[Reading]) -> list[tuple[Point, Quantity, bytes]]:
        """Find each point; one that the meter does not send is not available."""
        by_code = {(it.obis, it.channel): it for it in reversed(read) if it.storage is None}
        return [(point, *_taken(point, by_code.get(_key(point)))) for point in planned.points]

    @property
    def _link(self) -> Link:
        assert isinstance(self.profile.link, Link)
        return self.profile.link


class ModeCMeter(_ObisMeter):
    """A meter that is woken, tells who it is, and then reads itself out."""

    @staticmethod
    def check_address(address: str) -> None:
        if address != ANY:
            encode_request(address)

    def _plan(self, points: Sequence[Point]) -> list[Read]:
        def accept(message: Message) -> bytes:
            if message.kind != "identification":
                raise MalformedFrame(f"a {message.kind} does not answer a sign-on")
            return encode_identification(message.manufacturer, message.baud, message.text)

        request = encode_request("" if self.address == ANY else self.address)
        timeout_s = self.options.timeout_s or _SIGN_ON_S
        return [Read(self._exchange(request, accept, timeout_s), tuple(points))]

    async def _ask(self, planned: Read, priority: Priority, *, may_repeat: bool, is_alive: bool) -> Answer:
        """Sign on, then take the readout; who does not answer the sign-on costs no more than its time."""
        await super()._ask(planned, priority, may_repeat=may_repeat, is_alive=is_alive)

        def accept(message: Message) -> bytes:
            if message.kind not in ("data", "refusal"):
                raise MalformedFrame(f"a {message.kind} is no readout")
            decode_readings(message)
            return encode_data(message.text)

        # Everything behind the sign-on is the meter's to send; a readout is not asked for in parts.
        return await self.bus.execute(self._exchange(encode_selection(_STAY), accept, self._link.wait_s), priority)

    def _exchange(self, request: bytes, accept: Callable[[Message], bytes], timeout_s: float) -> FrameExchange:
        return FrameExchange(
            framing="iec62056-21",
            party=f"meter {self.address}",
            request=request,
            accept=accept,
            timeout_s=timeout_s,
            idle_s=_IDLE_S,
        )

    def _values(self, planned: Read, payload: bytes) -> list[tuple[Point, Quantity, bytes]]:
        return self._found(planned, readings(parse_lines(payload[1:-2].decode())))


class P1Meter(_ObisMeter):
    """A meter that sends a telegram every few seconds, unasked; a read waits for the next one."""

    @staticmethod
    def check_address(address: str) -> None:
        if not address or not set(address) <= set(string.ascii_letters + string.digits):
            raise ValueError(f"'{address}' is not a P1 meter: write its number, or '{ANY}'")

    def _plan(self, points: Sequence[Point]) -> list[Read]:
        exchange = FrameExchange(
            framing="p1",
            party=f"meter {self.address}",
            request=b"",
            accept=self._accept,
            timeout_s=self.options.timeout_s or 2 * self._link.wait_s,
            idle_s=0.0,
            is_unique=True,  # a telegram answers no question, so none comes too late
        )
        return [Read(exchange, tuple(points))]

    def _accept(self, telegram: Telegram) -> bytes:
        read = readings(parse_lines(telegram.body))
        numbers = {_number(it.text) for it in read if it.obis in _NUMBERS and not it.channel and it.text}
        if self.address != ANY and self.address not in numbers:
            raise MalformedFrame(f"a telegram of meter {', '.join(sorted(numbers)) or 'without a number'}")
        return telegram.body.encode()

    def _values(self, planned: Read, payload: bytes) -> list[tuple[Point, Quantity, bytes]]:
        return self._found(planned, readings(parse_lines(payload.decode())))


def _key(point: Point) -> tuple[str, int]:
    assert isinstance(point.source, Source)
    return point.source.obis, point.source.channel


def _taken(point: Point, reading: Reading | None) -> tuple[Quantity, bytes]:
    """Take a number in the meter's own unit; one of another kind than the profile's is none."""
    if reading is None:
        return Quantity(None, point.unit, Quality.NOT_AVAILABLE), b""
    quantity = reading.quantity
    if quantity.unit not in UNITS or canonical_unit(quantity.unit) != point.canonical_unit:
        return Quantity(None, point.unit, Quality.INVALID), reading.raw
    if quantity.value is None and quantity.quality is Quality.GOOD:
        return Quantity(None, point.unit, Quality.INVALID), reading.raw  # a text where a number should stand
    return quantity, reading.raw


def _number(text: str) -> str:
    """Print a meter's number, which P1 sends as the hex of its characters."""
    try:
        printed = bytes.fromhex(text).decode("ascii")
    except ValueError:
        return text
    return printed if printed.isalnum() else text
