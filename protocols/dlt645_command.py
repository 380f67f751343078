"""What a DL/T 645-2007 meter can be told: follow-ups, writes, clock, freeze, clearing, relay.

    write      DI0-3  PA P0 P1 P2  C0 C1 C2 C3  data
    clear      PA P0 P1 P2  C0 C1 C2 C3
    control    PA P0 P1 P2  C0 C1 C2 C3  N1 00 ss mm hh DD MM YY

PA is the password's level, P and C are BCD with the low byte first.

Source: the house's fact sheet, chapters 1.2 and 1.3, which names public implementations; the layout
of the password change and of the event clearing is general knowledge of the standard, which was not read.
"""

from dataclasses import dataclass
from datetime import datetime

from protocols.dlt645 import BROADCAST, READ_FOLLOW, WILDCARD, WRITE, Frame, decode_address, encode_address
from protocols.errors import MalformedFrame, ProtocolError

BROADCAST_TIME, WRITE_ADDRESS, FREEZE, CHANGE_BAUD, CHANGE_PASSWORD = 0x08, 0x15, 0x16, 0x17, 0x18
CLEAR_DEMAND, CLEAR_METER, CLEAR_EVENTS, CONTROL = 0x19, 0x1A, 0x1B, 0x1C

TRIP, CLOSE_PERMITTED, CLOSE, ALARM, ALARM_OFF, KEEP_POWER, KEEP_POWER_OFF = 0x1A, 0x1B, 0x1C, 0x2A, 0x2B, 0x3A, 0x3B
CONTROLS = {
    TRIP: "trip",
    CLOSE_PERMITTED: "close-permitted",
    CLOSE: "close",
    ALARM: "alarm",
    ALARM_OFF: "alarm-off",
    KEEP_POWER: "keep-power",
    KEEP_POWER_OFF: "keep-power-off",
}
# One bit a rate; other sources shift the bits by one, so a model may bring its own byte.
BAUD_BITS = {600: 0x02, 1200: 0x04, 2400: 0x08, 4800: 0x10, 9600: 0x20, 19200: 0x40}
ALL_EVENTS = 0xFFFFFFFF
_WILD = 0x99
_AUTHORITY_LENGTH, _CONTROL_LENGTH = 8, 16


@dataclass(frozen=True, slots=True)
class Authority:
    """Who may do it.

    Shape: ``level`` PA, a byte; ``password`` six digits; ``operator`` up to eight digits.
    """

    level: int
    password: str
    operator: str = "0"


@dataclass(frozen=True, slots=True)
class ControlOrder:
    """A relay command as a meter gets it.

    Units: ``expires_at`` the meter's own local time, without a zone; later than it, the meter refuses.
    """

    authority: Authority
    action: int
    expires_at: datetime


def encode_authority(authority: Authority) -> bytes:
    """Write password and operator.

    Raises: ValueError for a password of other than six digits or an operator of more than eight.
    """
    if len(authority.password) != 6 or not _is_digits(authority.password):
        raise ValueError("a meter's password is six digits")
    if not _is_digits(authority.operator) or len(authority.operator) > 8:
        raise ValueError(f"'{authority.operator}' is not an operator's number: up to eight digits")
    if not 0 <= authority.level <= 0xFF:
        raise ValueError(f"{authority.level} is not a password's level: a byte")
    password = bytes.fromhex(authority.password)[::-1]
    return bytes((authority.level,)) + password + bytes.fromhex(authority.operator.zfill(8))[::-1]


def follow_request(address: str, di: int, sequence: int) -> Frame:
    """Ask for the next part of an answer that said that more follows; the first is number 1."""
    return Frame(address, READ_FOLLOW, di.to_bytes(4, "little") + bytes((sequence,)))


def write_request(address: str, di: int, authority: Authority, data: bytes) -> Frame:
    """Write what stands behind an identifier."""
    return Frame(address, WRITE, di.to_bytes(4, "little") + encode_authority(authority) + data)


def write_address_request(address: str) -> Frame:
    """Give the only meter on a line its address."""
    return Frame(WILDCARD, WRITE_ADDRESS, encode_address(address))


def broadcast_time(at: datetime) -> Frame:
    """Tell every meter its local time; nobody answers."""
    return Frame(BROADCAST, BROADCAST_TIME, bytes.fromhex(f"{at:%S%M%H%d%m%y}"))


def freeze_request(
    address: str = BROADCAST,
    *,
    minute: int | None = None,
    hour: int | None = None,
    day: int | None = None,
    month: int | None = None,
) -> Frame:
    """Have a meter, or all that hear it, freeze its registers.

    Shape: what is left out is a wildcard: all four freeze at once, ``minute`` alone every hour.
    """
    parts = (minute, hour, day, month)
    data = bytes(_WILD if part is None else int(f"{part:02d}", 16) for part in parts)
    return Frame(address, FREEZE, data)


def change_baud_request(address: str, baudrate: int) -> Frame:
    """Have a meter speak at another rate, from the next frame on.

    Raises: ValueError for a rate that the protocol does not have.
    """
    if baudrate not in BAUD_BITS:
        raise ValueError(f"{baudrate} is no rate of DL/T 645; there are {', '.join(map(str, BAUD_BITS))}")
    return Frame(address, CHANGE_BAUD, bytes((BAUD_BITS[baudrate],)))


def change_password_request(address: str, di: int, old: Authority, new: Authority) -> Frame:
    """Give a level another password; ``di`` is where that password is kept."""
    passwords = encode_authority(old)[:4] + encode_authority(new)[:4]
    return Frame(address, CHANGE_PASSWORD, di.to_bytes(4, "little") + passwords)


def clear_request(address: str, function: int, authority: Authority, events: int | None = None) -> Frame:
    """Clear the maximum demands, the whole meter, or the events of an identifier.

    Raises: ValueError for a function that clears nothing.
    """
    if function not in (CLEAR_DEMAND, CLEAR_METER, CLEAR_EVENTS):
        raise ValueError(f"function {function:02X} clears nothing")
    wanted = (ALL_EVENTS if events is None else events).to_bytes(4, "little") if function == CLEAR_EVENTS else b""
    return Frame(address, function, encode_authority(authority) + wanted)


def control_request(address: str, order: ControlOrder) -> Frame:
    """Trip or close a relay, keep a customer's power on, or sound the alarm.

    Raises: ValueError for an action that the protocol does not have.
    """
    if order.action not in CONTROLS:
        raise ValueError(f"{order.action:02X} is no action of a relay")
    until = bytes.fromhex(f"{order.expires_at:%S%M%H%d%m%y}")
    return Frame(address, CONTROL, encode_authority(order.authority) + bytes((order.action, 0)) + until)


def decode_authority(data: bytes) -> Authority:
    """Read password and operator back.

    Raises: MalformedFrame.
    """
    password, operator = data[1:4][::-1].hex(), data[4:8][::-1].hex()
    if len(data) != _AUTHORITY_LENGTH or not _is_digits(password + operator):
        raise MalformedFrame("a password and an operator are eight bytes, seven of them BCD")
    return Authority(data[0], password, operator)


def decode_control(frame: Frame) -> ControlOrder:
    """Read a relay command; the meter's side.

    Raises: MalformedFrame.
    """
    data = frame.data
    if len(data) != _CONTROL_LENGTH:
        raise MalformedFrame(f"a relay command has {_CONTROL_LENGTH} bytes, not {len(data)}")
    if data[8] not in CONTROLS:
        raise MalformedFrame(f"{data[8]:02X} is no action of a relay")
    return ControlOrder(decode_authority(data[:8]), data[8], decode_clock(data[10:]))


def decode_clock(data: bytes) -> datetime:
    """Read ss mm hh DD MM YY, the meter's local time.

    Raises: MalformedFrame.
    """
    digits = data[::-1].hex()
    if len(data) != 6 or not _is_digits(digits):
        raise MalformedFrame("a clock is six BCD bytes")
    year, month, day, hour, minute, second = (int(digits[place : place + 2]) for place in range(0, 12, 2))
    try:
        return datetime(2000 + year, month, day, hour, minute, second)  # noqa: DTZ001 - a meter's clock has no zone
    except ValueError:
        raise MalformedFrame(f"{digits} is not an instant") from None


def describe(frame: Frame) -> list[tuple[str, str]]:
    """Say what a command holds, name and text, for whoever reads a capture; a password is never told."""
    try:
        return list(_told(frame))
    except ProtocolError as error:
        return [("damaged", error.detail)]


def _told(frame: Frame) -> list[tuple[str, str]]:
    if frame.is_error or (frame.is_response and frame.function != CHANGE_BAUD):
        return []
    match frame.function:
        case 0x08:
            return [("time", f"{decode_clock(frame.data):%Y-%m-%dT%H:%M:%S}")]
        case 0x15:
            return [("newAddress", decode_address(frame.data) if len(frame.data) == 6 else frame.data.hex())]
        case 0x16:
            return [("freezeAt", frame.data[::-1].hex())]
        case 0x17:
            rates = [str(rate) for rate, bit in BAUD_BITS.items() if frame.data == bytes((bit,))]
            return [("baudrate", rates[0] if rates else frame.data.hex())]
        case 0x1C:
            order = decode_control(frame)
            until = f"{order.expires_at:%Y-%m-%dT%H:%M:%S}"
            operator = order.authority.operator
            return [("action", CONTROLS[order.action]), ("operator", operator), ("expiresAt", until)]
        case 0x19 | 0x1A | 0x1B:
            return [("operator", decode_authority(frame.data[:8]).operator)]
    return []


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdecimal()
