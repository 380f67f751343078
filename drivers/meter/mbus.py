"""Meters of M-Bus: heat, water, gas and electricity, by primary or secondary address."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from drivers.base import Options, Read
from drivers.bus.exchange import Answer, FrameExchange, Priority
from drivers.bus.owner import Bus
from drivers.errors import DeviceOffline, DeviceRefused
from drivers.meter.mbus_line import ask_data, ask_reset, ask_select, conversation
from drivers.meter.register import RegisterMeter
from drivers.profile import Point, Profile
from drivers.profile.mbus import STATUS, Link, Source
from protocols.errors import ProtocolError
from protocols.mbus.address import Secondary, parse_secondary
from protocols.mbus.frame import MAX_PRIMARY, SELECTED, decode_frame, split
from protocols.mbus.header import status_words
from protocols.mbus.record import Record
from protocols.mbus.telegram import Telegram, decode_telegram
from protocols.quantity import UNITS, Quality, Quantity, canonical_unit

_TRIES = 3  # once, and the two retries of the standard where the meter is known to be there


class MbusMeter(RegisterMeter):
    """A meter that is read in one conversation: reset or select, then a request for each telegram."""

    def __init__(self, profile: Profile, bus: Bus, address: str, options: Options) -> None:
        super().__init__(profile, bus, address, options)
        assert isinstance(profile.link, Link)
        self._link = profile.link
        self._pattern: Secondary | None = None if len(address) < 8 else parse_secondary(address)
        self._at = int(address) if self._pattern is None else SELECTED
        self._party = f"meter {address}"

    @staticmethod
    def check_address(address: str) -> None:
        if len(address) < 8:
            if not address.isdecimal() or int(address) > MAX_PRIMARY:
                raise ValueError(
                    f"'{address}' is not an M-Bus address: 0 to {MAX_PRIMARY}, or the eight digits on the meter, "
                    "or sixteen with manufacturer, version and medium"
                )
        elif parse_secondary(address).is_pattern:
            raise ValueError(f"'{address}' could be several meters: write all eight digits of the identification")

    def _plan(self, points: Sequence[Point]) -> list[Read]:
        return [Read(self._data(fcb=True), tuple(points))] if points else []

    async def _ask(self, planned: Read, priority: Priority, *, may_repeat: bool, is_alive: bool) -> Answer:
        """Carry out the whole conversation; telegrams are asked for until every point is found or none is left."""
        frames: list[bytes] = []
        telegrams: list[Telegram] = []
        took_s = 0.0
        tries = _TRIES if may_repeat else 1
        async with conversation(self.bus):
            await self._begin(priority, tries)
            fcb = True
            while True:
                answer = await self._once(self._data(fcb=fcb), priority, tries)
                took_s += answer.round_trip_s
                if answer.payload in frames:
                    break  # a meter that does not heed the frame count bit begins anew
                frames.append(answer.payload)
                telegrams.append(_decoded(answer.payload))
                is_enough = all(_find(point, telegrams) is not None for point in planned.points)
                if is_enough or not telegrams[-1].has_more or len(frames) >= self._link.telegrams:
                    break
                fcb = not fcb
        return Answer(b"".join(frames), answer.taken_at, took_s)

    async def _begin(self, priority: Priority, tries: int) -> None:
        if self._pattern is not None:
            await self._once(ask_select(self._pattern, self._party, self.options.timeout_s), priority, tries)
        elif self._link.has_reset:
            await self._once(ask_reset(self._at, self._party, self.options.timeout_s), priority, tries)

    async def _once(self, exchange: FrameExchange, priority: Priority, tries: int) -> Answer:
        """Ask, and ask the very same again where only a broken answer came: the meter repeats itself."""
        for left in range(tries - 1, -1, -1):
            try:
                return await self.bus.execute(exchange, priority)
            except DeviceOffline as error:
                if not error.is_broken or not left:
                    raise
        raise AssertionError("a question has at least one try")

    def _data(self, *, fcb: bool) -> FrameExchange:
        return ask_data(self._at, self._party, self.options.timeout_s, fcb=fcb, pattern=self._pattern)

    def _values(self, planned: Read, payload: bytes) -> list[tuple[Point, Quantity, bytes]]:
        telegrams = [_decoded(frame) for frame in split(payload)]
        is_partial = any(telegram.error is not None for telegram in telegrams)
        found = []
        for point in planned.points:
            record = _find(point, telegrams)
            if record is not None:
                found.append((point, *record))
            else:
                # Behind a damaged record there may have been a value; in a whole telegram there is none.
                quality = Quality.INVALID if is_partial else Quality.NOT_AVAILABLE
                found.append((point, Quantity(None, point.unit, quality), payload if is_partial else b""))
        return found


def _decoded(frame: bytes) -> Telegram:
    """Take a telegram apart; what cannot be read at all is the device's no."""
    try:
        return decode_telegram(decode_frame(frame))
    except ProtocolError as error:
        raise DeviceRefused(error.detail) from None


def _find(point: Point, telegrams: Iterable[Telegram]) -> tuple[Quantity, bytes] | None:
    """Find a point's value, in whatever of the house's units the meter has it."""
    source = point.source
    assert isinstance(source, Source)
    if source.quantity in STATUS:
        return _status(source.quantity, telegrams)
    fitting = [record for telegram in telegrams for record in telegram.records if _fits(record, source, point)]
    if source.nth >= len(fitting):
        return None
    record = fitting[source.nth]
    quantity = record.quantity
    if quantity.value is None and quantity.quality is Quality.GOOD:
        quantity = quantity._replace(quality=Quality.INVALID)  # a text where the profile expects a number
    # What has no unit in the house has the one that the profile says.
    return (quantity if quantity.unit in UNITS else quantity._replace(unit=point.unit)), record.raw


def _fits(record: Record, source: Source, point: Point) -> bool:
    unit = record.quantity.unit
    is_unit = unit == source.text if source.text else unit in UNITS and canonical_unit(unit) == point.canonical_unit
    return (
        is_unit
        and record.quantity_word == source.quantity
        and record.function == source.function
        and (record.storage, record.tariff, record.subunit) == (source.storage, source.tariff, source.subunit)
        and (record.vib == source.vib if source.vib else record.qualifiers == source.qualifiers)
    )


def _status(word: str, telegrams: Iterable[Telegram]) -> tuple[Quantity, bytes] | None:
    for telegram in telegrams:
        if telegram.header is not None:
            status = telegram.header.status
            return Quantity(Decimal(int(word in status_words(status))), ""), bytes((status,))
    return None
