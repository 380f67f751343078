"""A CJ/T 188 cold-water meter: one request in, one answer out."""

from datetime import datetime, timedelta, timezone
from decimal import Decimal

from drivers.profile.cjt188 import Link
from drivers.sim.answer import Answer
from drivers.sim.journal import Served
from drivers.sim.simulated import Simulated
from protocols import cjt188
from protocols.cjt188 import ANY_TYPE, COLD_WATER, Frame

_REFUSED = 0x02
_VALVE_CODES = {"open": 0, "closed": 1, "fault": 2}
_DIGITS_LIMIT = Decimal(1_000_000)
_BEIJING = timezone(timedelta(hours=8))


def is_asked_cjt188(meter: Simulated, request: Frame) -> bool:
    """Tell whether a request is for a meter's type and address."""
    address = meter.device.address
    is_type = not request.is_response and request.meter_type in (ANY_TYPE, _type(meter))
    return is_type and all(wanted in ("A", own) for wanted, own in zip(request.address, address, strict=True))


def answer_cjt188(meter: Simulated, request: Frame, at_ms: int, wall: datetime) -> Answer | None:
    """Answer a read of the current data or of the address; refuse everything else."""
    address = meter.device.address
    if request.ser is None:
        return None
    if request.function == cjt188.READ_ADDRESS:
        frame = Frame(_type(meter), address, cjt188.READ_ADDRESS | 0x80, request.data[:3])
        return Answer(cjt188.encode_frame(frame))
    if request.function != cjt188.READ or request.di != cjt188.CURRENT_DATA:
        return Answer(cjt188.encode_error_response(request, _REFUSED, address=address, meter_type=_type(meter)))
    points = meter.model.values(at_ms)
    total, settlement = points["volumeTotal"], points["settlementVolume"]
    if not isinstance(total, Decimal) or not isinstance(settlement, Decimal):
        return None
    payload = cjt188.encode_water(
        total % _DIGITS_LIMIT,
        settlement % _DIGITS_LIMIT,
        wall.astimezone(_BEIJING),
        valve=_VALVE_CODES[str(points["valveState"])],
    )
    data = cjt188.encode_read_response(request, payload, address=address, meter_type=_type(meter))
    return Answer(data, _served(meter, payload))


def _type(meter: Simulated) -> int:
    """Give the meter's own type; a profile for any type is met by a cold-water meter."""
    assert isinstance(meter.profile.link, Link)
    meter_type = meter.profile.link.meter_type
    return COLD_WATER if meter_type == ANY_TYPE else meter_type


def _served(meter: Simulated, payload: bytes) -> tuple[Served, ...]:
    """Read back what the answer says, so that the journal holds the wire and not the wish."""
    return tuple(
        Served(meter.device.id, value.name, value.quantity.value, value.quantity.unit)
        for value in cjt188.decode_water(payload)
        if value.name in meter.model.registers and value.quantity.value is not None
    )
