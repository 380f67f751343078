"""What a simulated DL/T 645-2007 meter does when it is told to: relay, writes, freeze, clearing."""

from datetime import datetime

from drivers.sim.simulated import Simulated
from protocols import dlt645
from protocols import dlt645_command as command
from protocols.dlt645 import Frame
from protocols.dlt645_command import Authority, decode_authority, decode_control
from protocols.dlt645_item import find_items
from protocols.errors import ProtocolError

OTHER, NOT_AUTHORISED, NO_BAUD_CHANGE = 0x01, 0x04, 0x08
_NO_SUCH_DATA = 0x02
FIRST_PASSWORD = (2, "000000")
_PARAMETERS = 0x04


def carry_out(meter: Simulated, request: Frame, local: datetime) -> Frame | None:
    """Do what a command asks and give its answer; None for silence."""
    match request.function:
        case command.CONTROL:
            error = _control(meter, request, local)
        case dlt645.WRITE:
            error = _write(meter, request)
        case command.CHANGE_PASSWORD:
            error = _change_password(meter, request)
        case command.CLEAR_DEMAND | command.CLEAR_EVENTS:
            error = 0 if _may(meter, request.data[:8]) else NOT_AUTHORISED
        case command.FREEZE:
            error = 0 if len(request.data) == 4 else OTHER
        case command.CHANGE_BAUD:
            error = NO_BAUD_CHANGE
        case _:
            error = NOT_AUTHORISED
    if error:
        return Frame(meter.device.address, request.function | 0xC0, bytes((error,)))
    told = request.data[8:12] if request.function == command.CHANGE_PASSWORD else b""
    return Frame(meter.device.address, request.function | 0x80, told)


def _may(meter: Simulated, data: bytes) -> bool:
    try:
        authority = decode_authority(data)
    except ProtocolError:
        return False
    return bool((authority.level, authority.password) == meter.memory.get("password", FIRST_PASSWORD))


def _control(meter: Simulated, request: Frame, local: datetime) -> int:
    if not _may(meter, request.data[:8]):
        return NOT_AUTHORISED
    try:
        order = decode_control(request)
    except ProtocolError:
        return OTHER
    if order.expires_at <= local.replace(tzinfo=None):
        return OTHER
    meter.memory["orders"] = meter.memory.get("orders", 0) + 1
    if order.action == command.TRIP:
        if meter.memory.get("keeps"):
            return OTHER  # whoever keeps the power on is not cut off
        meter.memory["relay"] = "open"
    elif order.action == command.CLOSE:
        meter.memory["relay"] = "closed"
    elif order.action in (command.KEEP_POWER, command.KEEP_POWER_OFF):
        meter.memory["keeps"] = order.action == command.KEEP_POWER
    return 0


def _write(meter: Simulated, request: Frame) -> int:
    """Keep one parameter that is a number."""
    if not _may(meter, request.data[4:12]):
        return NOT_AUTHORISED
    di = request.di or 0
    try:
        items = find_items(di)
    except ProtocolError:
        return _NO_SUCH_DATA
    if di >> 24 != _PARAMETERS or len(items) != 1 or len(request.data) != 12 + items[0].length:
        return _NO_SUCH_DATA
    meter.memory[di] = request.data[12:]
    return 0


def _change_password(meter: Simulated, request: Frame) -> int:
    if len(request.data) != 12 or not _may(meter, request.data[4:8] + bytes(4)):
        return NOT_AUTHORISED
    try:
        new: Authority = decode_authority(request.data[8:12] + bytes(4))
    except ProtocolError:
        return OTHER
    meter.memory["password"] = (new.level, new.password)
    return 0
