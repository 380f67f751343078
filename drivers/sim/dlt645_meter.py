"""A DL/T 645-2007 meter: one request in, one answer out."""

from datetime import datetime, timedelta, timezone
from decimal import Decimal

from drivers.sim.answer import Answer
from drivers.sim.journal import Served
from drivers.sim.model import Value
from drivers.sim.simulated import Simulated
from protocols import dlt645
from protocols.dlt645 import DataItem, Frame
from protocols.quantity import Quantity, canonical

_NO_SUCH_DATA, _NOT_AUTHORISED = 0x02, 0x04
_DATE, _TIME = 0x04000101, 0x04000102
# The standard is a Chinese one and its meters keep Beijing time.
_BEIJING = timezone(timedelta(hours=8))


def is_asked_dlt645(meter: Simulated, request: Frame) -> bool:
    """Tell whether a request is for a meter; a broadcast is for all and answered by none."""
    is_question = not request.is_response and request.address != dlt645.BROADCAST
    return is_question and dlt645.addresses_match(request.address, meter.device.address)


def answer_dlt645(meter: Simulated, request: Frame, at_ms: int, wall: datetime) -> Answer | None:
    """Answer a read of data or of the address; refuse everything else."""
    address = meter.device.address
    if request.function == dlt645.READ_ADDRESS:
        control = dlt645.READ_ADDRESS | 0x80
        return Answer(dlt645.encode_frame(Frame(address, control, dlt645.encode_address(address))))
    if request.function != dlt645.READ:
        return Answer(dlt645.encode_error_response(address, request.function, _NOT_AUTHORISED))
    di = request.di
    if di is None:
        return None
    payload = _clock(di, wall.astimezone(_BEIJING)) or _items(di, meter.model.values(at_ms))
    if not payload:
        return Answer(dlt645.encode_error_response(address, dlt645.READ, _NO_SUCH_DATA))
    return Answer(dlt645.encode_read_response(address, di, payload), _served(meter, di, payload))


def _clock(di: int, wall: datetime) -> bytes:
    if di == _DATE:
        return bytes.fromhex(f"{wall.isoweekday() % 7:02d}{wall:%d%m%y}")
    return bytes.fromhex(f"{wall:%S%M%H}") if di == _TIME else b""


def _items(di: int, points: dict[str, Value]) -> bytes:
    """Write every number behind an identifier; nothing where the meter lacks one of them."""
    payload = b""
    for item in dlt645.ITEMS.get(di, ()):
        value = points.get(item.name)
        if not isinstance(value, Decimal):
            return b""
        payload += dlt645.encode_value(item.di, _in_unit(item, value))
    return payload


def _in_unit(item: DataItem, value: Decimal) -> Decimal:
    """Turn a canonical value into the item's unit and places; a register rolls over as its digits do."""
    factor = canonical(Quantity(Decimal(1), item.unit)).value or Decimal(1)
    places = Decimal(1).scaleb(-item.decimals)
    whole = (value / factor).quantize(places)
    return whole % Decimal(10).scaleb(2 * item.length - item.decimals) if not item.is_signed else whole


def _served(meter: Simulated, di: int, payload: bytes) -> tuple[Served, ...]:
    """Read back what the answer says, so that the journal holds the wire and not the wish."""
    registers = meter.model.registers
    return (
        tuple(
            Served(meter.device.id, value.name, value.quantity.value, value.quantity.unit)
            for value in dlt645.decode_values(di, payload)
            if value.name in registers and value.quantity.value is not None
        )
        if di in dlt645.ITEMS
        else ()
    )
