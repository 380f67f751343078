"""What stands in the payloads of CJ/T 188: current data of water, gas and heat meters, months, freezes, valves.

    water, gas   | total 4+1 | settlement 4+1 | clock 7 | status 2 |      or reduced | total 4 | status 2 |
    heat         | energy 4+1 | energy 4+1 | power 4+1 | flow 4+1 | volume 4+1 |
                 | supply 3 | return 3 | hours 3 | clock 7 | status 2 |
    month        | total 4+1 |
    freeze       | clock 7 | total 4+1 | flow 4+1 | temperature 3 | pressure 3 |      water and gas of 2018

Numbers are BCD, low byte first, each with its unit behind it, or before it as some makers have it.

Source: the house's fact sheet, chapter 2; shiyuecamus/ng-gateway (southward/cjt188, di_schema.rs)
for months and freezes, ioBroker.sanext (main.js) and captured answers for heat; the standard
itself was not read.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple

from protocols import cjt188
from protocols.bcd import decode_bcd, encode_bcd
from protocols.errors import Unsupported
from protocols.quantity import Quality, Quantity, canonical_unit

# code -> unit, and the power of ten that the code has beside it
UNITS: Mapping[int, tuple[str, int]] = {
    0x01: ("kJ", -3),
    0x02: ("Wh", 0),
    0x05: ("kWh", 0),
    0x08: ("MWh", 0),
    0x0A: ("MWh", 2),
    0x0B: ("kJ", 0),
    0x0E: ("MJ", 0),
    0x11: ("GJ", 0),
    0x13: ("GJ", 2),
    0x14: ("W", 0),
    0x17: ("kW", 0),
    0x1A: ("MW", 0),
    0x29: ("L", 0),
    0x2C: ("m3", 0),
    0x32: ("L/h", 0),
    0x35: ("m3/h", 0),
}
_CODES = {unit: code for code, (unit, exponent) in UNITS.items() if not exponent}
_VALVE = {0b00: 0, 0b01: 1, 0b11: 2}  # open, closed, fault; 10 is not defined
VALVE_OPEN, VALVE_CLOSE = 0x55, 0x99
_WATER, _REDUCED, _HEAT, _MONTH, _FREEZE = 19, 6, 43, 5, 23
_VOLUMES, _ENERGIES, _POWERS, _FLOWS = ("m3",), ("kWh", "GJ"), ("W",), ("m3/h",)

FirstEnergy = Literal["settlement", "cooling", "heat"]


class Layout(NamedTuple):
    """What makers do differently.

    Shape: ``first_energy`` says what the first of a heat meter's two energies is: the settlement
    day's, the cooling total, or the heating total (the second one is the settlement day's then).
    """

    is_unit_first: bool = False
    first_energy: FirstEnergy = "settlement"
    flow_decimals: int = 4


_STANDARD = Layout()


class Value(NamedTuple):
    """One decoded number and the bytes it came from; ``at`` is the meter's own clock, ISO 8601 without a zone."""

    name: str
    quantity: Quantity
    raw: bytes
    at: str | None = None


def decode_item(meter_type: int, di: int | None, payload: bytes, layout: Layout = _STANDARD) -> list[Value]:
    """Read the payload of an answer to a read.

    Raises: Unsupported for an identifier that this codec does not know.
    """
    family = meter_type >> 4
    if family not in (1, 2, 3, 4) or di is None:
        raise Unsupported(f"type {meter_type:02X}, data identifier {'none' if di is None else f'{di:04X}'}")
    if di == cjt188.CURRENT_DATA:
        return decode_heat(payload, layout) if family == 2 else decode_water(payload, layout)
    if cjt188.MONTH <= di < cjt188.MONTH + cjt188.MONTHS or cjt188.OLD_MONTH <= di < cjt188.OLD_MONTH + cjt188.MONTHS:
        return [decode_month(meter_type, payload, layout)]
    if cjt188.FREEZE <= di < cjt188.FREEZE + 0x200 and family != 2:
        return decode_freeze(payload, layout)
    if di == cjt188.SETTLEMENT_DAY:
        return [Value("settlementDay", decode_bcd(payload), payload)]
    raise Unsupported(f"type {meter_type:02X}, data identifier {di:04X}")


def decode_water(payload: bytes, layout: Layout = _STANDARD) -> list[Value]:
    """Read the current data (901F) of a water or gas meter.

    Shape: volumeTotal and settlementVolume, valveState (0 open, 1 closed, 2 fault) and batteryLow
    (0 or 1); the meter's clock is the ``at`` of volumeTotal. A payload of another length gives one
    INVALID volumeTotal with all its bytes.
    """
    if len(payload) == _WATER:
        total = _number("volumeTotal", payload[:5], _VOLUMES, layout)._replace(at=_clock(payload[10:17]))
        return [total, _number("settlementVolume", payload[5:10], _VOLUMES, layout), *_status(payload[17:19])]
    if len(payload) == _REDUCED:
        quantity = decode_bcd(payload[:4], decimals=2, unit="m3")
        return [Value("volumeTotal", quantity, payload[:4]), *_status(payload[4:6])]
    return [Value("volumeTotal", Quantity(None, "m3", Quality.INVALID), payload)]


def decode_heat(payload: bytes, layout: Layout = _STANDARD) -> list[Value]:
    """Read the current data (901F) of a heat meter.

    Shape: energyTotal with the meter's clock as its ``at``, the other energy, powerTotal, flowRate,
    volumeTotal, supplyTemperature, returnTemperature, operatingTime, valveState, batteryLow. A
    payload of another length gives one INVALID energyTotal with all its bytes.
    """
    if len(payload) != _HEAT:
        return [Value("energyTotal", Quantity(None, "kWh", Quality.INVALID), payload)]
    first, second = _number("", payload[:5], _ENERGIES, layout), _number("", payload[5:10], _ENERGIES, layout)
    if layout.first_energy == "heat":
        first, second = second, first
    other = "energyCooling" if layout.first_energy == "cooling" else "settlementEnergy"
    return [
        second._replace(name="energyTotal", at=_clock(payload[34:41])),
        first._replace(name=other),
        _number("powerTotal", payload[10:15], _POWERS, layout),
        _number("flowRate", payload[15:20], _FLOWS, layout, layout.flow_decimals),
        _number("volumeTotal", payload[20:25], _VOLUMES, layout),
        _plain("supplyTemperature", payload[25:28], "degC", 2),
        _plain("returnTemperature", payload[28:31], "degC", 2),
        _plain("operatingTime", payload[31:34], "h", 0),
        *_status(payload[41:43]),
    ]


def decode_month(meter_type: int, payload: bytes, layout: Layout = _STANDARD) -> Value:
    """Read the register of a past settlement day."""
    name, kinds = ("settlementEnergy", _ENERGIES) if meter_type >> 4 == 2 else ("settlementVolume", _VOLUMES)
    if len(payload) != _MONTH:
        return Value(name, Quantity(None, kinds[0], Quality.INVALID), payload)
    return _number(name, payload, kinds, layout)


def decode_freeze(payload: bytes, layout: Layout = _STANDARD) -> list[Value]:
    """Read what a water or gas meter of 2018 has frozen; the instant is the ``at`` of volumeTotal."""
    if len(payload) != _FREEZE:
        return [Value("volumeTotal", Quantity(None, "m3", Quality.INVALID), payload)]
    total = _number("volumeTotal", payload[7:12], _VOLUMES, layout)._replace(at=_clock(payload[:7]))
    flow = _number("flowRate", payload[12:17], _FLOWS, layout, layout.flow_decimals)
    # The unit of the pressure stands in no source, so it is told as it came.
    return [total, flow, _plain("temperature", payload[17:20], "degC", 2), _plain("pressure", payload[20:23], "", 2)]


def decode_valve_answer(payload: bytes) -> list[Value]:
    """Read the status with which a meter confirms a valve order; the valve may still be turning."""
    return _status(payload[:2]) if len(payload) >= 2 else []


def _number(name: str, field: bytes, kinds: tuple[str, ...], layout: Layout, decimals: int = 2) -> Value:
    """Read a number with its unit; one of another kind than its place asks for is no value."""
    code, digits = (field[0], field[1:]) if layout.is_unit_first else (field[4], field[:4])
    unit, exponent = UNITS.get(code, ("", 0))
    if unit and canonical_unit(unit) in kinds:
        return Value(name, decode_bcd(digits, decimals=decimals - exponent, unit=unit), field)
    # A meter that keeps no such number fills its unit too.
    quality = Quality.NOT_AVAILABLE if field == b"\xff" * 5 else Quality.INVALID
    return Value(name, Quantity(None, kinds[0], quality), field)


def _plain(name: str, field: bytes, unit: str, decimals: int) -> Value:
    return Value(name, decode_bcd(field, decimals=decimals, unit=unit), field)


def _status(status: bytes) -> list[Value]:
    valve = _VALVE.get(status[0] & 0b11)
    state = Quantity(None, "", Quality.INVALID) if valve is None else Quantity(Decimal(valve), "")
    battery = Quantity(Decimal(status[0] >> 2 & 1), "")
    return [Value("valveState", state, status), Value("batteryLow", battery, status)]


def _clock(field: bytes) -> str | None:
    clock = decode_clock(field)
    return None if clock is None else clock.isoformat()


def decode_clock(field: bytes) -> datetime | None:
    """Read a meter's clock, seven BCD bytes ss mm hh DD MM YY CC, in the meter's own zone; None if it is not one."""
    digits = field[::-1].hex()
    if len(digits) != 14 or not digits.isdecimal():
        return None
    month, day, hour, minute, second = (int(digits[place : place + 2]) for place in range(4, 14, 2))
    try:
        return datetime(int(digits[:4]), month, day, hour, minute, second)  # noqa: DTZ001 - meters name no zone
    except ValueError:
        return None


def encode_clock(clock: datetime) -> bytes:
    """Write a meter's clock."""
    return bytes.fromhex(f"{clock.year:04d}{clock:%m%d%H%M%S}")[::-1]


def encode_number(value: Decimal, unit: str, decimals: int = 2, layout: Layout = _STANDARD) -> bytes:
    """Write a number with its unit; the simulator's side."""
    digits, code = encode_bcd(value, 4, decimals=decimals), bytes((_CODES[unit],))
    return code + digits if layout.is_unit_first else digits + code


def encode_status(valve: int, *, is_battery_low: bool = False) -> bytes:
    """Write a status; the simulator's side."""
    return bytes(({0: 0b00, 1: 0b01, 2: 0b11}[valve] | is_battery_low << 2, 0))


def encode_water(
    total: Decimal, settlement: Decimal, clock: datetime, *, valve: int = 0, is_battery_low: bool = False
) -> bytes:
    """Write the current data of a water or gas meter in m3; the simulator's side."""
    volumes = encode_number(total, "m3") + encode_number(settlement, "m3")
    return volumes + encode_clock(clock) + encode_status(valve, is_battery_low=is_battery_low)


def encode_heat(values: Mapping[str, Decimal], clock: datetime, *, valve: int = 0, unit: str = "kWh") -> bytes:
    """Write the current data of a heat meter by the names of ``decode_heat``; the simulator's side.

    Units: energies in ``unit``, power kW, flow m3/h, volume m3, temperatures °C, operating time h.
    """
    return b"".join(
        (
            encode_number(values["settlementEnergy"], unit),
            encode_number(values["energyTotal"], unit),
            encode_number(values["powerTotal"], "kW"),
            encode_number(values["flowRate"], "m3/h", 4),
            encode_number(values["volumeTotal"], "m3"),
            encode_bcd(values["supplyTemperature"], 3, decimals=2),
            encode_bcd(values["returnTemperature"], 3, decimals=2),
            encode_bcd(values["operatingTime"], 3),
            encode_clock(clock),
            encode_status(valve),
        )
    )


def encode_freeze(at: datetime, total: Decimal) -> bytes:
    """Write a freeze of a water or gas meter that measures neither temperature nor pressure; the simulator's side."""
    flow = encode_number(Decimal(0), "m3/h", 4)
    return encode_clock(at) + encode_number(total, "m3") + flow + b"\xff" * 6
