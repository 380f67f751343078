"""CJ/T 188 water, heat and gas meters: one request in, one answer out.

A meter whose profile has a writable valve turns it when it is ordered to, though what it measures
goes on; it remembers its daily freezes and the registers of its settlement days, because its model
knows what it showed at any instant.
"""

from datetime import datetime, timedelta, timezone
from decimal import Decimal

from drivers.profile.cjt188 import VALVE, Link
from drivers.sim.answer import Answer
from drivers.sim.journal import Served
from drivers.sim.simulated import Simulated
from protocols import cjt188, cjt188_data
from protocols.cjt188 import ANY_TYPE, Frame
from protocols.quantity import canonical

_REFUSED = 0x02
_VALVE_CODES = {"open": 0, "closed": 1, "fault": 2}
_TYPES = {"water": 0x10, "heat": 0x20, "gas": 0x30}
_DIGITS_LIMIT = Decimal(1_000_000)
_BEIJING = timezone(timedelta(hours=8))
_SETTLEMENT_DAY = 1
_FREEZES = 31


def is_asked_cjt188(meter: Simulated, request: Frame) -> bool:
    """Tell whether a request is for a meter's type and address."""
    address = meter.device.address
    is_type = not request.is_response and request.meter_type in (ANY_TYPE, _type(meter))
    return is_type and all(wanted in ("A", own) for wanted, own in zip(request.address, address, strict=True))


def answer_cjt188(meter: Simulated, request: Frame, at_ms: int, wall: datetime) -> Answer | None:
    """Answer reads, and an order to the valve; refuse everything else."""
    address = meter.device.address
    if request.ser is None:
        return None
    if request.function == cjt188.READ_ADDRESS:
        frame = Frame(_type(meter), address, cjt188.READ_ADDRESS | 0x80, request.data[:3])
        return Answer(cjt188.encode_frame(frame))
    payload: bytes | None = None
    if request.function == cjt188.READ and request.di is not None:
        payload = _payload(meter, request.di, at_ms, wall)
    if request.function == cjt188.WRITE and request.di == cjt188.VALVE:
        payload = _turned(meter, request.payload)
    if payload is None:
        return Answer(cjt188.encode_error_response(request, _REFUSED, address=address, meter_type=_type(meter)))
    data = cjt188.encode_read_response(request, payload, address=address, meter_type=_type(meter))
    return Answer(data, _served(meter, payload) if request.di == cjt188.CURRENT_DATA else ())


def _turned(meter: Simulated, payload: bytes) -> bytes | None:
    """Turn the valve, and tell how it stood when the order came; None for a meter that has none to turn."""
    link = meter.profile.link
    assert isinstance(link, Link)
    words = {bytes((link.open_code,)): "open", bytes((link.close_code,)): "closed"}
    if payload not in words or not any(point.write for point in meter.profile.points):
        return None
    before = meter.memory.get(VALVE, "open")
    meter.memory[VALVE] = words[payload]
    return cjt188_data.encode_status(_VALVE_CODES[before])


def _payload(meter: Simulated, di: int, at_ms: int, wall: datetime) -> bytes | None:
    if di == cjt188.CURRENT_DATA:
        return _current(meter, at_ms, wall)
    if di == cjt188.SETTLEMENT_DAY:
        return bytes((_SETTLEMENT_DAY,))
    local = wall.astimezone(_BEIJING)
    today = local.replace(hour=0, minute=0, second=0, microsecond=0)
    if cjt188.MONTH <= di < cjt188.MONTH + cjt188.MONTHS:
        months = local.year * 12 + local.month - 1 - (di - cjt188.MONTH)
        then = today.replace(year=months // 12, month=months % 12 + 1, day=_SETTLEMENT_DAY)
        value, unit = _register_at(meter, at_ms, local - then)
        return cjt188_data.encode_number(value, unit)
    if cjt188.FREEZE <= di < cjt188.FREEZE + _FREEZES and meter.profile.kind != "heat":
        then = today - timedelta(days=di - cjt188.FREEZE)
        return cjt188_data.encode_freeze(then, _register_at(meter, at_ms, local - then)[0])
    return None


def _register_at(meter: Simulated, at_ms: int, ago: timedelta) -> tuple[Decimal, str]:
    """Give what the billed register showed some time ago; never less than nothing."""
    (point, unit), *_ = meter.model.registers.items()
    value = meter.model.values(at_ms - int(ago.total_seconds() * 1000))[point]
    assert isinstance(value, Decimal)
    return max(value, Decimal(0)).quantize(Decimal("0.01")) % _DIGITS_LIMIT, unit


def _current(meter: Simulated, at_ms: int, wall: datetime) -> bytes | None:
    points = meter.model.values(at_ms)
    clock, valve = wall.astimezone(_BEIJING), _VALVE_CODES[str(meter.memory.get(VALVE, points[VALVE]))]
    numbers = {name: value % _DIGITS_LIMIT for name, value in points.items() if isinstance(value, Decimal)}
    if meter.profile.kind != "heat":
        total, settlement = numbers["volumeTotal"], numbers["settlementVolume"]
        return cjt188_data.encode_water(total, settlement, clock, valve=valve)
    scale = {"powerTotal": (1000, 2), "flowRate": (1, 4), "volumeTotal": (1, 2), "operatingTime": (3600, 0)}
    for name, (factor, places) in scale.items():
        numbers[name] = (numbers[name] / factor).quantize(Decimal(1).scaleb(-places))
    ((_, unit),) = meter.model.registers.items()
    for name in ("energyTotal", "settlementEnergy"):
        numbers[name] = numbers[name].quantize(Decimal("0.01"))
    return cjt188_data.encode_heat(numbers, clock, valve=valve, unit=unit)


def _type(meter: Simulated) -> int:
    """Give the meter's own type; a profile for any type is met by the commonest one of its kind."""
    assert isinstance(meter.profile.link, Link)
    meter_type = meter.profile.link.meter_type
    return _TYPES[meter.profile.kind] if meter_type == ANY_TYPE else meter_type


def _served(meter: Simulated, payload: bytes) -> tuple[Served, ...]:
    """Read back what the answer says, so that the journal holds the wire and not the wish."""
    decode = cjt188_data.decode_heat if meter.profile.kind == "heat" else cjt188_data.decode_water
    found = ((value.name, canonical(value.quantity)) for value in decode(payload))
    return tuple(
        Served(meter.device.id, name, quantity.value, quantity.unit)
        for name, quantity in found
        if name in meter.model.registers and quantity.value is not None
    )
