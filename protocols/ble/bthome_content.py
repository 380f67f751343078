"""The objects inside a BTHome frame, in clear.

    v1    type 3 bits, length 5 bits | id 1 | value, length - 1 bytes
    v2    id 1 | value, as many bytes as the id says

In v2 an id that is not known hides all that follows it, for nobody knows its length: that rest is not
told. In v1 it is passed over.

Source: bthome.io, BTHome v2 format; bthome.io, BTHome v1.
"""

import struct
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar

from protocols.ble.bthome_frame import Content, Event, Measurement
from protocols.ble.bthome_object import ACTIONS, OBJECTS, Kind, Object
from protocols.errors import LengthMismatch, MalformedFrame, ProtocolError, TruncatedFrame, Unsupported
from protocols.quantity import Quality, decimal_from_float32

_V1_SIGNED, _V1_FLOAT, _V1_STRING, _V1_MAC = 1, 2, 3, 4
_NUMBER_BYTES = 8
_HUNDRED = Decimal(100)
_NUMBERS = (Kind.UINT, Kind.INT)
_EVENTS = (Kind.BUTTON, Kind.DIMMER, Kind.COMMAND)

_Named = TypeVar("_Named", Measurement, Event)


@dataclass(slots=True)
class _Reading:
    """What has been read of a frame so far."""

    values: list[Measurement] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    packet_id: int | None = None
    device_type: int | None = None
    firmware: str | None = None
    partial: ProtocolError | None = None

    def add(self, number: int, known: Object, raw: bytes) -> None:
        match known.kind:
            case Kind.PACKET_ID:
                self.packet_id = int.from_bytes(raw, "little")
            case Kind.DEVICE_TYPE:
                self.device_type = int.from_bytes(raw, "little")
            case Kind.FIRMWARE:
                self.firmware = ".".join(map(str, reversed(raw)))
            case Kind.BUTTON | Kind.DIMMER | Kind.COMMAND:
                self.events.append(_event(number, known, raw))
            case _:
                self.values.append(_measurement(number, known, raw))

    def content(self) -> Content:
        return Content(
            _numbered(self.values),
            _numbered(self.events),
            self.packet_id,
            self.device_type,
            self.firmware,
            self.partial,
        )


def read_v2(data: bytes) -> Content:
    """Read the objects of version 2.

    Raises: TruncatedFrame for an object that the bytes end in.
    """
    reading = _Reading()
    at = 0
    while at < len(data):
        number = data[at]
        known = OBJECTS.get(number)
        if known is None:
            rest = len(data) - at - 1
            reading.partial = Unsupported(f"object {number:02X} is not known, nor are the {rest} bytes behind it")
            break
        start, size = _span(data, at + 1, known)
        raw = data[start : start + size]
        if len(raw) < size:
            raise TruncatedFrame(f"the frame ends inside its {known.name}")
        reading.add(number, known, raw)
        at = start + size
    return reading.content()


def _span(data: bytes, at: int, known: Object) -> tuple[int, int]:
    if known.size is not None:
        return at, known.size
    if at == len(data):
        raise TruncatedFrame(f"the frame ends inside its {known.name}")
    # A command's length leaves its first byte out and keeps three bits for later.
    return at + 1, 1 + (data[at] & 0x1F) if known.kind is Kind.COMMAND else data[at]


def read_v1(data: bytes) -> Content:
    """Read the objects of version 1.

    Raises: TruncatedFrame, LengthMismatch, MalformedFrame.
    """
    reading = _Reading()
    for form, number, raw in _objects_v1(data):
        known = OBJECTS.get(number)
        if known is None:
            reading.partial = Unsupported(f"object {number:02X} is not known")
        elif form in (_V1_STRING, _V1_MAC) and known.kind not in (Kind.TEXT, Kind.RAW):
            reading.partial = Unsupported(f"the {known.name} is no number")
        elif form == _V1_FLOAT and known.kind in _NUMBERS:
            reading.values.append(_float(number, known, raw))
        else:
            reading.add(number, _as_sent(form, known, raw), raw)
    return reading.content()


def _objects_v1(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    at = 0
    while at < len(data):
        form, size = data[at] >> 5, data[at] & 0x1F
        body = data[at + 1 : at + 1 + size]
        if len(body) < size:
            raise TruncatedFrame(f"an object of {size} bytes has {len(body)}")
        if size < 2:
            raise MalformedFrame("an object without a value")
        yield form, body[0], body[1:]
        at += 1 + size


def _as_sent(form: int, known: Object, raw: bytes) -> Object:
    """Adapt an object of the table to what version 1 says of it: there its sender chooses sign and length."""
    if known.kind in _NUMBERS:
        if len(raw) > _NUMBER_BYTES:
            raise LengthMismatch(f"a {known.name} of {len(raw)} bytes")
        return known._replace(kind=Kind.INT if form == _V1_SIGNED else Kind.UINT)
    if known.size is not None and len(raw) != known.size:
        raise LengthMismatch(f"a {known.name} of {len(raw)} bytes, not {known.size}")
    return known


def _measurement(number: int, known: Object, raw: bytes) -> Measurement:
    value: Decimal | None = None
    quality, text = Quality.GOOD, None
    match known.kind:
        case Kind.TEXT:
            text = _printable(raw)
            quality = Quality.INVALID if text is None else Quality.GOOD
        case Kind.RAW:
            text = raw.hex()
        case Kind.STATE:
            state = int.from_bytes(raw, "little")
            if state < len(known.states):
                value, text = Decimal(state), known.states[state]
            else:
                quality = Quality.INVALID
        case Kind.TIME:
            seconds = int.from_bytes(raw, "little")
            value = Decimal(seconds)
            text = datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
        case _:
            value = int.from_bytes(raw, "little", signed=known.kind is Kind.INT) * known.factor
            quality = _plausible(known, value)
    return Measurement(known.name, value, known.unit, number, raw, quality, text)


def _printable(raw: bytes) -> str | None:
    """Read a text; what would steer a terminal is none."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() else None


def _float(number: int, known: Object, raw: bytes) -> Measurement:
    """Read a number of version 1 that is sent as a float of 2, 4 or 8 bytes."""
    if len(raw) not in _FLOATS:
        raise LengthMismatch(f"a float of {len(raw)} bytes")
    form, decimal = _FLOATS[len(raw)]
    (sent,) = struct.unpack(form, raw)
    try:
        value = decimal(sent) * known.factor
    except ValueError:
        return Measurement(known.name, None, known.unit, number, raw, Quality.INVALID)
    return Measurement(known.name, value, known.unit, number, raw, _plausible(known, value))


def _decimal_from_float16(value: float) -> Decimal:
    if not abs(value) < float("inf"):
        raise ValueError(f"{value} is not a number")
    wire = struct.pack("<e", value)
    texts = (f"{value:.{digits}g}" for digits in range(1, 6))
    return Decimal(next(text for text in texts if struct.pack("<e", float(text)) == wire))


def _decimal_from_float64(value: float) -> Decimal:
    if not abs(value) < float("inf"):
        raise ValueError(f"{value} is not a number")
    return Decimal(repr(value))


_FLOATS: dict[int, tuple[str, Callable[[float], Decimal]]] = {
    2: ("<e", _decimal_from_float16),
    4: ("<f", decimal_from_float32),
    8: ("<d", _decimal_from_float64),
}


def _plausible(known: Object, value: Decimal) -> Quality:
    return Quality.SUSPECT if known.unit == "%" and not 0 <= value <= _HUNDRED else Quality.GOOD


def _event(number: int, known: Object, raw: bytes) -> Event:
    action = ACTIONS[known.kind].get(raw[0])
    steps = raw[1] if known.kind is Kind.DIMMER else None
    return Event(known.name, action, number, raw, steps, raw[1:] if known.kind is Kind.COMMAND else b"")


def _numbered(items: list[_Named]) -> tuple[_Named, ...]:
    """Number those of one name, where a frame has several."""
    counts = Counter(item.name for item in items)
    met: Counter[str] = Counter()
    told = []
    for item in items:
        met[item.name] += 1
        is_one_of_many = counts[item.name] > 1
        told.append(replace(item, number=met[item.name], is_one_of_many=True) if is_one_of_many else item)
    return tuple(told)
