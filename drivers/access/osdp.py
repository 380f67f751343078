"""A door whose reader, contacts and relay are one OSDP device."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal

from drivers.base import CardRead, DoorStatus, Driver, Options, PointValue, Read, words
from drivers.bus.exchange import OsdpCommand, Priority
from drivers.bus.osdp import BUZZER, INPUTS, LAMP, LOCAL, OUTPUTS, REPORT_NUMBERS, STATUS, OsdpBus
from drivers.bus.osdp_panel import BUZZERS, LAMPS
from drivers.bus.osdp_reader import Reader
from drivers.bus.owner import Bus
from drivers.errors import DeviceError, DeviceRefused
from drivers.profile import Point, Profile
from drivers.profile.osdp import Link, Source
from protocols.osdp import code
from protocols.quantity import Quality, Quantity

ADDRESSES = range(127)
# The binding of libosdp keeps one byte of the timer, in tenths of a second.
SHORTEST_PULSE_MS, LONGEST_PULSE_MS = 100, 25_500
_TEMPORARILY_ON, _SET_TEMPORARY, _TONE = 5, 2, 2
_RED, _GREEN = 1, 2
_SHOWN_TENTHS = 20
_REFRESH_S = 30.0  # how old a report may be of a device that does not tell changes by itself
_KINDS = {"tamper": LOCAL, "power": LOCAL, "input": INPUTS, "output": OUTPUTS}


class OsdpDoor(Driver):
    """Reads what the device has told; switches the profile's [relay] output for a moment, nothing else.

    A state is the device's last report: it tells every change by itself, and the line is
    supervised many times a second. One that does not is asked.
    """

    def __init__(self, profile: Profile, bus: Bus, address: str, options: Options) -> None:
        super().__init__(profile, bus, address, options)
        assert isinstance(bus, OsdpBus)
        assert isinstance(profile.link, Link)
        self._bus = bus
        self._link = profile.link
        self._number = int(address)
        self._reader: Reader = bus.add_reader(self._number, options.key_file, is_installing=options.is_installing)
        if self._link.relay is not None:
            tenths = range(SHORTEST_PULSE_MS // 100, LONGEST_PULSE_MS // 100 + 1)
            bus.permit(self._number, code.OUT, self._link.relay, tenths)
        if self._link.led is not None:
            bus.permit(self._number, LAMP, self._link.led, range(_RED, _GREEN + 1))
        if self._link.buzzer is not None:
            bus.permit(self._number, BUZZER, self._link.buzzer, range(1, 4))

    @staticmethod
    def check_address(address: str) -> None:
        if not address.isdecimal() or int(address) not in ADDRESSES:
            raise ValueError(f"'{address}' is not an OSDP address; write a number from 0 to 126")

    async def read_door(self) -> DoorStatus:
        """Give the door's contacts as the device last reported them.

        Raises: as ``read``.
        """
        state = words(self.profile, await self.read(priority=Priority.COMMAND))
        return DoorStatus(
            state.get("doorState"),
            state.get("lockState"),
            state.get("tamper"),
            state.get("fire"),
            state.get("exitButton"),
            state.get("keyState"),
            state.get("powerState"),
        )

    async def read_card(self) -> CardRead | None:
        """Give the last card; before the first there is one of no bits."""
        self._reader.shown.clear()
        if (card := self._reader.card) is None:
            return CardRead(self._reader.counter, 0, 0)
        return CardRead(self._reader.counter, card.bits, card.number, card.age_s)

    async def card_shown(self) -> None:
        """Wait for a card."""
        await self._reader.shown.wait()

    def take_keys(self) -> str:
        """Give the keys typed since the last time, as on the keypad."""
        keys, self._reader.keys = self._reader.keys, ""
        return keys

    async def open_door(self, pulse_ms: int) -> None:
        """Let the lock go for a moment; the device takes it back, even if this gateway is gone by then.

        Units: longer pulses than ``LONGEST_PULSE_MS`` are cut to it.

        Raises: as ``read``; DeviceRefused for a door without a relay. A lost answer is not asked for
        again: the door may have opened.
        """
        if self._link.relay is None:
            raise DeviceRefused(f"the profile '{self.profile.name}' lists no [relay]")
        tenths = -(-min(max(pulse_ms, SHORTEST_PULSE_MS), LONGEST_PULSE_MS) // 100)
        fields = (("output_no", self._link.relay), ("control_code", _TEMPORARILY_ON), ("timer_count", tenths))
        await self._command(code.OUT, self._link.relay, tenths, fields)

    async def show_decision(self, *, is_granted: bool) -> None:
        """Show green and sound twice, or show red and sound three times; what the device has of both.

        Raises: as ``read``.
        """
        if self._link.led is not None and LAMPS in self._reader.abilities:
            colour = _GREEN if is_granted else _RED
            await self._command(LAMP, self._link.led, colour, _lamp(self._link, self._link.led, colour))
        if self._link.buzzer is not None and BUZZERS in self._reader.abilities:
            times = 2 if is_granted else 3
            tone = (("reader", self._link.buzzer), ("control_code", _TONE), ("on_count", 1), ("off_count", 1))
            await self._command(BUZZER, self._link.buzzer, times, (*tone, ("rep_count", times)))

    async def _command(self, number: int, place: int, value: int, fields: tuple[tuple[str, int], ...]) -> None:
        command = OsdpCommand(self._number, number, place, value, fields, self.options.timeout_s)
        await self.bus.execute(command, Priority.COMMAND)

    async def _read(self, wanted: Sequence[Point], priority: Priority, *, may_repeat: bool) -> list[PointValue]:
        await self._bus.await_session(self._number)
        self._bus.check_reader(self._number)
        values: list[PointValue] = []
        for point in wanted:
            try:
                states = await self._states(_source(point), priority)
            except DeviceRefused:
                states = b""  # it does not have this report
            except DeviceError as error:
                error.partial = tuple(values)
                raise
            values.append(PointValue(point.name, _quantity(_source(point), states), self.bus.clock(), states))
        return values

    async def _states(self, source: Source, priority: Priority) -> bytes:
        if source.report == "key":
            return bytes([self._reader.uses_default_key])
        kind = _KINDS[source.report]
        known = self._reader.reports.get(kind)
        if known is not None:
            age_s = asyncio.get_running_loop().time() - known.at
            if kind in self._reader.volunteers or age_s < _REFRESH_S:
                return known.states
        ask = OsdpCommand(self._number, STATUS, REPORT_NUMBERS[kind], 0, (), self.options.timeout_s)
        return (await self.bus.execute(ask, priority)).payload

    def _plan(self, points: Sequence[Point]) -> list[Read]:
        raise NotImplementedError  # a report is not planned: it has been told

    def _values(self, planned: Read, payload: bytes) -> list[tuple[Point, Quantity, bytes]]:
        raise NotImplementedError


def _lamp(link: Link, led: int, colour: int) -> tuple[tuple[str, int], ...]:
    return (
        ("reader", link.reader),
        ("led_number", led),
        ("temporary", True),
        ("control_code", _SET_TEMPORARY),
        ("on_count", _SHOWN_TENTHS),
        ("off_count", 0),
        ("on_color", colour),
        ("off_color", 0),
        ("timer_count", _SHOWN_TENTHS),
    )


def _source(point: Point) -> Source:
    assert isinstance(point.source, Source)
    return point.source


def _quantity(source: Source, states: bytes) -> Quantity:
    place = 1 if source.report == "power" else source.number
    if place >= len(states):
        return Quantity(None, "", Quality.NOT_AVAILABLE)
    return Quantity(Decimal(int(bool(states[place]) != source.is_inverted)), "")
