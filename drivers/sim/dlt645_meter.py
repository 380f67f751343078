"""A DL/T 645 meter, of 2007 or of 1997 as its profile says: one request in, one answer out."""

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from drivers.profile.dlt645 import Link
from drivers.sim.answer import Answer
from drivers.sim.dlt645_command import NOT_AUTHORISED, carry_out
from drivers.sim.dlt645_past import past_payload
from drivers.sim.journal import Served
from drivers.sim.model import Value
from drivers.sim.simulated import Simulated
from protocols import dlt645, dlt645_1997
from protocols.dlt645 import DataItem, Frame
from protocols.dlt645_reader import DATE, TIME
from protocols.quantity import Quantity, canonical

_NO_SUCH_DATA = 0x02
# The standard is a Chinese one and its meters keep Beijing time.
_BEIJING = timezone(timedelta(hours=8))
_STATUS_3 = 0x04000503
_RELAY_BIT, _COMMAND_BIT, _KEEP_BIT = 4, 6, 12
# A meter with a short buffer: what is longer comes in parts.
_MOST_PAYLOAD = 40
_FUNCTIONS_1997 = (dlt645.READ_1997, dlt645.READ_FOLLOW_1997, dlt645.WRITE_1997)


def is_asked_dlt645(meter: Simulated, request: Frame) -> bool:
    """Tell whether a request is for a meter; a broadcast is for all and answered by none."""
    is_question = not request.is_response and request.address != dlt645.BROADCAST
    if not is_question or not dlt645.addresses_match(request.address, meter.device.address):
        return False
    # A meter of one standard does not understand the questions of the other.
    return (request.function in _FUNCTIONS_1997) == _is_of_1997(meter)


def answer_dlt645(meter: Simulated, request: Frame, at_ms: int, wall: datetime) -> Answer | None:
    """Answer a read or a command; refuse what the meter does not have or whoever may not."""
    address = meter.device.address
    local = wall.astimezone(_BEIJING)
    if request.function == dlt645.READ_ADDRESS:
        return _sent(Frame(address, dlt645.READ_ADDRESS | 0x80, dlt645.encode_address(address)))
    if request.function in (dlt645.READ, dlt645.READ_FOLLOW):
        return _read(meter, request, _payload(meter, request.di, at_ms, local))
    if request.function in (dlt645.READ_1997, dlt645.READ_FOLLOW_1997):
        return _read(meter, request, _payload_1997(meter, request.di, at_ms, local))
    if _is_of_1997(meter):
        return Answer(dlt645.encode_error_response(address, request.function, NOT_AUTHORISED))
    answer = carry_out(meter, request, local)
    return None if answer is None else _sent(answer)


def _is_of_1997(meter: Simulated) -> bool:
    assert isinstance(meter.profile.link, Link)
    return meter.profile.link.variant == "1997"


def _sent(frame: Frame) -> Answer:
    return Answer(dlt645.encode_frame(frame))


def _read(meter: Simulated, request: Frame, payload: bytes) -> Answer | None:
    """Send what stands behind an identifier, in parts where it is long."""
    if request.di is None:
        return None
    address = meter.device.address
    is_first = request.function in (dlt645.READ, dlt645.READ_1997)
    if request.function == dlt645.READ_FOLLOW_1997:
        part = meter.memory.get("part", 0) + 1  # 1997 does not number them, so the meter remembers
    else:
        part = 0 if is_first else request.sequence or 0
    meter.memory["part"] = part
    rest = payload[part * _MOST_PAYLOAD :]
    if not rest:
        return Answer(dlt645.encode_error_response(address, request.function, _NO_SUCH_DATA))
    control = request.function | 0x80 | (0x20 if len(rest) > _MOST_PAYLOAD else 0)
    number = bytes((part,)) if request.function == dlt645.READ_FOLLOW else b""
    width = 2 if request.function in _FUNCTIONS_1997 else 4
    frame = Frame(address, control, request.data[:width] + rest[:_MOST_PAYLOAD] + number)
    return Answer(dlt645.encode_frame(frame), _served(meter, request, payload) if is_first else ())


def _payload(meter: Simulated, di: int | None, at_ms: int, local: datetime) -> bytes:
    if di is None:
        return b""
    if (written := meter.memory.get(di)) is not None:
        return bytes(written)
    if di == DATE:
        return bytes.fromhex(f"{local.isoweekday() % 7:02d}{local:%d%m%y}")
    if di == TIME:
        return bytes.fromhex(f"{local:%S%M%H}")
    if di == _STATUS_3:
        is_open = bool(meter.memory.get("relay", "closed") == "open")
        keeps = bool(meter.memory.get("keeps", False))
        return (is_open << _RELAY_BIT | is_open << _COMMAND_BIT | keeps << _KEEP_BIT).to_bytes(2, "little")
    return past_payload(meter.model, di, at_ms, local) or _items(dlt645.ITEMS.get(di, ()), meter.model.values(at_ms))


def _payload_1997(meter: Simulated, di: int | None, at_ms: int, local: datetime) -> bytes:
    if di == dlt645_1997.DATE:
        return bytes.fromhex(f"{local.isoweekday() % 7:02d}{local:%d%m%y}")
    if di == dlt645_1997.TIME:
        return bytes.fromhex(f"{local:%S%M%H}")
    if di == dlt645_1997.METER_NUMBER:
        return dlt645.encode_address(meter.device.address)
    return _items(dlt645_1997.ITEMS.get(di or 0, ()), meter.model.values(at_ms))


def _items(items: tuple[DataItem, ...], points: Mapping[str, Value]) -> bytes:
    """Write every number behind an identifier; nothing where the meter lacks one of them."""
    payload = b""
    for item in items:
        value = points.get(item.name)
        if not isinstance(value, Decimal):
            return b""
        payload += dlt645.encode_bcd_item(item, _in_unit(item, value))
    return payload


def _in_unit(item: DataItem, value: Decimal) -> Decimal:
    """Turn a canonical value into the item's unit and places; a register rolls over as its digits do."""
    factor = canonical(Quantity(Decimal(1), item.unit)).value or Decimal(1)
    places = Decimal(1).scaleb(-item.decimals)
    whole = (value / factor).quantize(places)
    return whole % Decimal(10).scaleb(2 * item.length - item.decimals) if not item.is_signed else whole


def _served(meter: Simulated, request: Frame, payload: bytes) -> tuple[Served, ...]:
    """Read back what the answer says, so that the journal holds the wire and not the wish."""
    registers = meter.model.registers
    di = request.di or 0
    is_of_1997 = request.function == dlt645.READ_1997
    if di not in (dlt645_1997.ITEMS if is_of_1997 else dlt645.ITEMS):
        return ()
    values = dlt645_1997.decode_values(di, payload) if is_of_1997 else dlt645.decode_values(di, payload)
    return tuple(
        Served(meter.device.id, value.name, value.quantity.value, value.quantity.unit)
        for value in values
        if value.name in registers and value.quantity.value is not None
    )
