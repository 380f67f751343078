"""Electricity meters of DL/T 645, of 2007 and of 1997, and the relays in them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import NamedTuple

from drivers.base import Options, PointValue, Read, WriteOrder, words
from drivers.bus.exchange import Answer, FrameExchange, Priority
from drivers.bus.owner import Bus
from drivers.errors import DeviceOffline, DeviceRefused
from drivers.meter.dlt645_history import DailyFreeze
from drivers.meter.register import RegisterMeter
from drivers.profile import Point, Profile
from drivers.profile.dlt645 import Link, Source
from protocols import dlt645, dlt645_1997
from protocols.bcd import decode_bcd, encode_bcd
from protocols.dlt645 import Frame
from protocols.dlt645_command import Authority, ControlOrder, control_request, follow_request, write_request
from protocols.dlt645_item import Value
from protocols.quantity import Quality, Quantity, canonical

# The sheet asks for 30 to 50 ms between an answer and the next request.
_IDLE_S = 0.05
_MOST_FOLLOW_UPS = 0xFF
_HAS_FOLLOW = 0x20
# A command that was lost on its way must not be carried out by a copy of it much later.
_LONGEST_ORDER = timedelta(minutes=2)


class _Dialect(NamedTuple):
    """What differs between the two: the questions, and what stands behind an identifier."""

    framing: str
    ask: Callable[[str, int], Frame]
    follow: Callable[[str, int, int], Frame]
    values: Callable[[int, bytes], list[Value]]


_DIALECTS = {
    "2007": _Dialect(
        "dlt645",
        lambda address, di: Frame(address, dlt645.READ, di.to_bytes(4, "little")),
        follow_request,
        dlt645.decode_values,
    ),
    "1997": _Dialect(
        "dlt645-1997",
        dlt645_1997.read_request,
        lambda address, di, _: dlt645_1997.follow_request(address, di),
        dlt645_1997.decode_values,
    ),
}


@dataclass(frozen=True, slots=True)
class _Asked(FrameExchange):
    """The question for an identifier."""

    di: int = 0


class Dlt645Meter(RegisterMeter):
    """A meter; with a relay where the profile has a point of states ``closed`` and ``open`` that is written."""

    def __init__(self, profile: Profile, bus: Bus, address: str, options: Options) -> None:
        super().__init__(profile, bus, address, options)
        assert isinstance(profile.link, Link)
        self._link = profile.link
        self._dialect = _DIALECTS[profile.link.variant]

    @staticmethod
    def check_address(address: str) -> None:
        dlt645.encode_address(address)

    async def read_history(self, days: Sequence[date], zone: tzinfo) -> list[PointValue]:
        """Read the registers as the meter froze them at the ends of some days, oldest first.

        Raises: DeviceRefused where it keeps none; DeviceOffline, BusDown.
        """
        if self._link.variant == "1997":
            raise DeviceRefused("a meter of DL/T 645-1997 keeps no daily freeze")
        registers = [(point, _source(point).di) for point in self.profile.points if point.is_register]
        return await DailyFreeze(self._read_di, self.bus.clock, registers, zone).read(days)

    async def read_relay(self) -> str | None:
        """Read whether the relay is closed, in a word of the profile.

        Raises: as ``read``.
        """
        relay = self._relay()
        return words(self.profile, await self.read((relay.name,), Priority.COMMAND))[relay.name]

    async def set_relay(self, *, is_closed: bool, order: WriteOrder) -> None:
        """Close the relay or trip it, once.

        Raises: as ``write``.
        """
        relay = self._relay()
        wanted = "closed" if is_closed else "open"
        code = next(code for code, word in relay.states.items() if word == wanted)
        await self.write(relay.name, Decimal(code), order)

    def _relay(self) -> Point:
        for point in self.profile.points:
            if point.write is not None and {"closed", "open"} <= set(point.states.values()):
                return point
        raise DeviceRefused(f"the profile '{self.profile.name}' lists no relay; use one for meters with a relay")

    async def _write(self, point: Point, value: Decimal, order: WriteOrder) -> None:
        source = _source(point)
        authority = self._authority(order)
        if source.controls:
            request = control_request(self.address, self._control(source.controls[int(value)], authority, order))
        else:
            factor = canonical(Quantity(Decimal(1), point.unit)).value or Decimal(1)
            try:
                data = encode_bcd(value / factor, source.length, decimals=source.decimals, is_signed=source.is_signed)
            except ValueError as error:
                raise DeviceRefused(f"'{point.name}' cannot be written: {error}") from None
            request = write_request(self.address, source.di, authority, data)
        await self.bus.execute(self._exchange(request), Priority.COMMAND)

    def _control(self, action: int, authority: Authority, order: WriteOrder) -> ControlOrder:
        meter_zone = timezone(timedelta(hours=float(self._link.utc_offset_h)))
        until = min(order.expires_at, self.bus.clock() + _LONGEST_ORDER)
        return ControlOrder(authority, action, until.astimezone(meter_zone))

    def _authority(self, order: WriteOrder) -> Authority:
        """Take the password of an order: six digits, or eight with its level before them."""
        password = order.password or ""
        level = self._link.password_level
        if len(password) == 8 and password.isdecimal():
            level, password = int(password[:2], 16), password[2:]
        if len(password) != 6 or not (password.isascii() and password.isdecimal()):
            raise DeviceRefused(
                "a DL/T 645 meter asks for its password: give six digits, or eight with the level first"
            )
        operator = order.operator if order.operator.isdecimal() and len(order.operator) <= 8 else "0"
        return Authority(level, password, operator)

    def _plan(self, points: Sequence[Point]) -> list[Read]:
        groups: dict[int, list[Point]] = {}
        for point in points:
            source = _source(point)
            groups.setdefault(source.di if source.block is None else source.block, []).append(point)
        return [Read(self._question(di), tuple(group)) for di, group in groups.items()]

    def _question(self, di: int) -> FrameExchange:
        return self._exchange(self._dialect.ask(self.address, di), di)

    def _exchange(self, request: Frame, di: int = 0) -> FrameExchange:
        preamble = self._link.preamble if self.options.preamble is None else self.options.preamble

        def accept(frame: Frame) -> bytes:
            dlt645.match_response(request, frame)
            # The control code goes along: only it tells whether more follows.
            return bytes((frame.control,)) + frame.payload

        return _Asked(
            framing=self._dialect.framing,
            party=f"meter {self.address}",
            request=dlt645.encode_frame(request, preamble),
            accept=accept,
            timeout_s=self.options.timeout_s,
            idle_s=_IDLE_S,
            di=di,
        )

    async def _ask(self, planned: Read, priority: Priority, *, may_repeat: bool, is_alive: bool) -> Answer:
        """Carry out one exchange and those for what follows it; the parts become one payload."""
        answer = await super()._ask(planned, priority, may_repeat=may_repeat, is_alive=is_alive)
        assert isinstance(planned.exchange, _Asked)
        di, payload, count = planned.exchange.di, answer.payload[1:], 0
        while answer.payload[0] & _HAS_FOLLOW:
            count += 1
            if count > _MOST_FOLLOW_UPS:
                raise DeviceOffline("the meter's answer does not end after 255 follow-ups", is_broken=True)
            more = Read(self._exchange(self._dialect.follow(self.address, di, count), di), planned.points)
            answer = await super()._ask(more, priority, may_repeat=may_repeat, is_alive=True)
            payload += answer.payload[1:]
        return answer._replace(payload=payload)

    async def _read_di(self, di: int) -> Answer:
        return await self._ask(Read(self._question(di), ()), Priority.POLL, may_repeat=True, is_alive=True)

    def _values(self, planned: Read, payload: bytes) -> list[tuple[Point, Quantity, bytes]]:
        return [(point, *self._value(_source(point), point.unit, payload)) for point in planned.points]

    def _value(self, source: Source, unit: str, payload: bytes) -> tuple[Quantity, bytes]:
        """Find a point's number in the payload; of another length than announced, none of it is believed."""
        if source.bit is not None:
            return _bit(source.bit, payload), payload
        if source.is_common:
            for value in self._dialect.values(source.di if source.block is None else source.block, payload):
                if value.di == source.di:
                    return value.quantity, value.raw
        elif len(payload) == source.length:
            return decode_bcd(payload, decimals=source.decimals, unit=unit, is_signed=source.is_signed), payload
        return Quantity(None, unit, Quality.INVALID), payload


def _source(point: Point) -> Source:
    assert isinstance(point.source, Source)
    return point.source


def _bit(place: int, payload: bytes) -> Quantity:
    """Read one bit of a status word, which is all FF where the meter has none."""
    if len(payload) != 2:
        return Quantity(None, "", Quality.INVALID)
    if payload == b"\xff\xff":
        return Quantity(None, "", Quality.NOT_AVAILABLE)
    return Quantity(Decimal(int.from_bytes(payload, "little") >> place & 1), "")
