"""The Modbus devices of a simulated line, TCP or RTU: one request in, one answer out.

A device's registers are those of its profile and nothing else: a read that touches an address
beside them is refused with exception 2, as strict meters do. Nothing but a door's relay is written.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal
from functools import partial
from typing import NamedTuple

from drivers.profile import Profile
from drivers.profile.modbus import CardMap, Link, Relay, Source
from drivers.sim.answer import Answer, Compose
from drivers.sim.door import Door
from drivers.sim.io import Module
from drivers.sim.journal import Happened, Served
from drivers.sim.load import STEP
from drivers.sim.model import Value
from drivers.sim.simulated import Simulated
from protocols import modbus
from protocols.errors import ProtocolError
from protocols.modbus import Frame, Request
from protocols.quantity import Quantity, canonical

_BITS = (modbus.READ_COILS, modbus.READ_DISCRETES)
_ILLEGAL_FUNCTION, _ILLEGAL_ADDRESS, _ILLEGAL_VALUE = 1, 2, 3


class Register(NamedTuple):
    """One point of a device's map; ``codes`` turns the model's words into the device's numbers."""

    point: str
    unit: str
    is_cumulative: bool
    codes: Mapping[str, int]
    source: Source


class ModbusUnits:
    """Answer for every live unit of a port; a unit that is not there stays silent."""

    def __init__(self, units: Mapping[int, Simulated], now_ms: Callable[[], int]) -> None:
        self._units = units
        self._now_ms = now_ms

    def request(self, frame: bytes) -> Compose:
        """Take one whole message."""
        return partial(self._compose, frame)

    def _compose(self, data: bytes) -> Answer | None:
        try:
            frame = modbus.decode_tcp(data)
        except ProtocolError:
            return None
        unit = self._units.get(frame.device_id)
        if unit is None:
            return None
        pdu, served = answer_modbus(unit, frame.pdu, self._now_ms())
        return Answer(modbus.encode_tcp(Frame(frame.device_id, pdu, frame.transaction)), served)


def is_asked_rtu(unit: Simulated, request: Frame) -> bool:
    """Tell whether an RTU request is for a unit; unit 0 is a broadcast that nobody answers."""
    return request.device_id == int(unit.device.address)


def answer_rtu(unit: Simulated, request: Frame, at_ms: int, wall: datetime) -> Answer | None:
    """Answer a request on a serial line; the devices simulated here have no clock."""
    pdu, served = answer_modbus(unit, request.pdu, at_ms)
    return Answer(modbus.encode_rtu(Frame(request.device_id, pdu)), served)


def answer_modbus(unit: Simulated, pdu: bytes, at_ms: int) -> tuple[bytes, tuple[Served | Happened, ...]]:
    """Answer a read; refuse writes as an unknown function and wrong ranges as the standard says."""
    function, link = pdu[0], unit.profile.link
    assert isinstance(link, Link)
    if function in (modbus.WRITE_COIL, modbus.WRITE_REGISTER) and link.relay and isinstance(unit.model, Door):
        return _write(unit, unit.model, link.relay, pdu, at_ms)
    if function in modbus.WRITES and isinstance(unit.model, Module):
        return _order(unit, unit.model, pdu, at_ms)
    if function not in modbus.READS:
        return modbus.encode_exception(function & 0x7F, _ILLEGAL_FUNCTION), ()
    try:
        request = modbus.decode_request(pdu)
    except ProtocolError:
        return modbus.encode_exception(function, _ILLEGAL_VALUE), ()
    asked = [it for it in registers_of(unit.profile) if it.source.function == function and _touches(it.source, request)]
    image = _image(asked, unit.model.values(at_ms))
    if function == modbus.READ_INPUT and link.card is not None and isinstance(unit.model, Door):
        image |= _card(unit.model, link.card)
    wanted = range(request.address, request.address + request.count)
    if not all(address in image for address in wanted):
        return modbus.encode_exception(function, _ILLEGAL_ADDRESS), ()
    words = [image[address] for address in wanted]
    if function in _BITS:
        return modbus.encode_read_bits_response(function, [bool(bit) for bit in words]), ()
    return modbus.encode_read_registers_response(function, words), _served(unit, asked, request, words)


def _write(unit: Simulated, door: Door, relay: Relay, pdu: bytes, at_ms: int) -> tuple[bytes, tuple[Happened, ...]]:
    """Set a door's pulse, or pulse its relay; the answer repeats the request."""
    try:
        request = modbus.decode_request(pdu)
    except ProtocolError:
        return modbus.encode_exception(pdu[0], _ILLEGAL_VALUE), ()
    place, (value,) = (request.function, request.address), request.values
    if place == (modbus.WRITE_REGISTER, relay.pulse_register):
        door.pulse_ms = value
        return pdu, ()
    if place != (modbus.WRITE_COIL, relay.coil):
        return modbus.encode_exception(pdu[0], _ILLEGAL_ADDRESS), ()
    if not value:
        return modbus.encode_exception(pdu[0], _ILLEGAL_VALUE), ()
    return pdu, (Happened(unit.device.id, "relay", {"pulse_ms": door.pulse(at_ms)}),)


def _order(unit: Simulated, module: Module, pdu: bytes, at_ms: int) -> tuple[bytes, tuple[Happened, ...]]:
    """Switch an output or set a register that the profile lists as writable; the answer repeats the beginning."""
    try:
        request = modbus.decode_request(pdu)
    except ProtocolError:
        return modbus.encode_exception(pdu[0], _ILLEGAL_VALUE), ()
    for it in registers_of(unit.profile):
        read = modbus.READ_COILS if request.function == modbus.WRITE_COIL else modbus.READ_HOLDING
        is_it = (it.source.function, it.source.address) == (read, request.address)
        if not is_it or unit.profile.point(it.point).write is None or it.source.count != len(request.values):
            continue
        raw = Decimal(request.values[0])
        if it.source.function == modbus.READ_HOLDING:
            told = modbus.decode_registers(request.values, it.source.type, it.source.order)
            raw = told if isinstance(told, Decimal) else Decimal(0)
        words = {code: word for word, code in it.codes.items()}
        value: Value = (
            words.get(int(raw), "") if words else canonical(Quantity(raw * it.source.scale, it.unit)).value or raw
        )
        if value == "":
            return modbus.encode_exception(pdu[0], _ILLEGAL_VALUE), ()
        module.order(it.point, value, at_ms)
        return pdu[:5], (Happened(unit.device.id, "written", {"point": it.point, "value": str(value)}),)
    return modbus.encode_exception(pdu[0], _ILLEGAL_ADDRESS), ()


def _card(door: Door, card: CardMap) -> dict[int, int]:
    """Lay out the last card."""
    words = [door.number >> shift & 0xFFFF for shift in (48, 32, 16, 0)]
    return {card.counter: door.counter, card.bits: door.bits, **dict(enumerate(words, start=card.number))}


def registers_of(profile: Profile) -> list[Register]:
    """Give the map of a Modbus profile; nothing for another protocol's."""
    return [
        Register(
            point.name, point.unit, point.is_register, {word: code for code, word in point.states.items()}, point.source
        )
        for point in profile.points
        if isinstance(point.source, Source)
    ]


def _touches(source: Source, request: Request) -> bool:
    return source.address < request.address + request.count and request.address < source.address + source.count


def _image(registers: Sequence[Register], values: Mapping[str, Value]) -> dict[int, int]:
    image: dict[int, int] = {}
    for it in registers:
        # Points that share a register each add their own bits.
        raw = raw_value(it, values[it.point]) * (1 << it.source.shift)
        is_bit = it.source.function in _BITS
        words = [int(raw)] if is_bit else modbus.encode_registers(raw, it.source.type, it.source.order)
        for address, word in enumerate(words, start=it.source.address):
            image[address] = image.get(address, 0) | word
    return image


def raw_value(register: Register, value: Value) -> Decimal:
    """Turn a model's value into the number that the device's register holds.

    Raises: KeyError for a state word that the profile has no code for.
    """
    if isinstance(value, str):
        return Decimal(register.codes[value])
    factor = canonical(Quantity(Decimal(1), register.unit)).value or Decimal(1)
    raw = value / (factor * register.source.scale)
    # A whole-number register shows what is complete, as a counter does.
    return raw if register.source.type in ("f32", "f64") else raw.to_integral_value(ROUND_FLOOR)


def _served(
    unit: Simulated, registers: Sequence[Register], request: Request, words: Sequence[int]
) -> tuple[Served, ...]:
    """Read back what the answer says, so that the journal holds the wire and not the wish."""
    found = []
    for it in registers:
        start = it.source.address - request.address
        if not it.is_cumulative or start < 0 or start + it.source.count > len(words):
            continue
        raw = modbus.decode_registers(words[start : start + it.source.count], it.source.type, it.source.order)
        if isinstance(raw, Decimal):
            if it.source.mask is not None:
                raw = Decimal((int(raw) & it.source.mask) >> it.source.shift)
            told = canonical(Quantity(raw * it.source.scale, it.unit))
            found.append(Served(unit.device.id, it.point, _two_places(told.value or Decimal(0)), told.unit))
    return tuple(found)


def _two_places(value: Decimal) -> Decimal:
    """Write a value as the meter's display does, where that is the same number."""
    shown = value.quantize(STEP)
    return shown if shown == value else value
