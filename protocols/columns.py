"""Records as columns: differences of integers, byte plane by byte plane.

Seven sections, each a 4-byte length and its bytes, integers little-endian:

    series     JSON [[device, point, unit, exponent], ...]
    order      u16 a record in sequence: position in ``series``, FFFF for an event
    times      i64 a reading, series by series: first value, then differences (ms UTC)
    mantissas  the same layout; value = mantissa * 10 ** exponent
    qualities  u8 a reading; bit 7 set: there is no value
    raw        JSON {position: hex} for readings that kept their bytes
    events     JSON [[kind, subject, at, body], ...] in sequence

The high planes of the 64-bit columns are nearly all zero, which is what compresses.
"""

import json
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import accumulate
from operator import sub
from typing import Any

from protocols.errors import LengthMismatch, MalformedFrame, ProtocolError, TruncatedFrame
from protocols.quantity import MANTISSA_LIMIT, Quality, from_scaled, to_scaled
from protocols.record import Event, Reading, Record, Series

_EVENT = 0xFFFF
_NO_VALUE = 0x80


def pack(records: Iterable[Record]) -> bytes:
    """Lay records out as columns.

    Raises: ValueError for a value out of range.
    """
    columns = _Columns()
    for record in records:
        columns.add(record)
    return columns.pack()


def unpack(data: bytes, count: int) -> list[Record]:
    """Read ``count`` records from their columns.

    Raises: ProtocolError, whatever the bytes are.
    """
    try:
        return _read_columns(_sections(data), count)
    except ProtocolError:
        raise
    except (ValueError, KeyError, TypeError, IndexError, StopIteration, OverflowError, RecursionError) as error:
        raise MalformedFrame(f"the batch's columns are not readable: {error}") from None


class _Column:
    """Readings of one series at one exponent, in their order."""

    __slots__ = ("exponent", "mantissas", "qualities", "raws", "series", "times")

    def __init__(self, series: Series, exponent: int) -> None:
        self.series = series
        self.exponent = exponent
        self.times: list[int] = []
        self.mantissas: list[int] = []
        self.qualities = bytearray()
        self.raws: dict[int, str] = {}


class _Columns:
    """The columns of a batch as it is written."""

    def __init__(self) -> None:
        self.order = array("H")
        self.columns: list[_Column] = []
        self.positions: dict[tuple[Series, int], int] = {}
        self.events: list[tuple[str, str, int, dict[str, Any]]] = []

    def add(self, record: Record) -> None:
        if isinstance(record, Event):
            self.order.append(_EVENT)
            self.events.append((record.kind, record.subject, record.at, record.body))
            return
        mantissa, exponent = (0, 0) if record.value is None else to_scaled(record.value)
        position = self.positions.get((record.series, exponent))
        if position is None:
            position = self.positions[record.series, exponent] = len(self.columns)
            self.columns.append(_Column(record.series, exponent))
        self.order.append(position)
        column = self.columns[position]
        if record.raw:
            column.raws[len(column.times)] = record.raw.hex()
        column.times.append(record.taken_at)
        column.mantissas.append(mantissa)
        column.qualities.append(record.quality | _NO_VALUE if record.value is None else record.quality)

    def pack(self) -> bytes:
        times: list[int] = []
        mantissas: list[int] = []
        qualities = bytearray()
        raws: dict[str, str] = {}
        for column in self.columns:
            raws.update({str(len(times) + position): raw for position, raw in column.raws.items()})
            times += _differences(column.times)
            mantissas += _differences(column.mantissas)
            qualities += column.qualities
        sections = (
            _json([[*column.series, column.exponent] for column in self.columns]),
            _little(self.order).tobytes(),
            _planes(times),
            _planes(mantissas),
            bytes(qualities),
            _json(raws),
            _json(self.events),
        )
        return b"".join(len(section).to_bytes(4, "little") + section for section in sections)


def _differences(values: Sequence[int]) -> list[int]:
    return [values[0], *map(sub, values[1:], values)]


def _planes(values: Sequence[int]) -> bytes:
    data = _little(array("q", values)).tobytes()
    return b"".join(data[plane::8] for plane in range(8))


def _unplanes(data: bytes, count: int) -> "array[int]":
    if len(data) != 8 * count:
        raise LengthMismatch(f"a column of {count} integers has {len(data)} bytes, not {8 * count}")
    joined = bytearray(len(data))
    for plane in range(8):
        joined[plane::8] = data[plane * count : (plane + 1) * count]
    values = array("q")
    values.frombytes(joined)
    return _little(values)


def _little(values: "array[int]") -> "array[int]":
    if sys.byteorder == "big":
        values.byteswap()
    return values


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _sections(data: bytes) -> list[bytes]:
    sections, offset = [], 0
    for _ in range(7):
        if offset + 4 > len(data):
            raise TruncatedFrame("the batch's columns end early")
        length = int.from_bytes(data[offset : offset + 4], "little")
        section = data[offset + 4 : offset + 4 + length]
        if len(section) != length:
            raise TruncatedFrame("a column of the batch ends early")
        sections.append(section)
        offset += 4 + length
    if offset != len(data):
        raise LengthMismatch("the batch holds more than its seven columns")
    return sections


def _read_columns(sections: list[bytes], count: int) -> list[Record]:
    names, order_bytes, times, mantissas, qualities, raw_json, events_json = sections
    order = array("H")
    order.frombytes(order_bytes)
    _little(order)
    if len(order) != count:
        raise LengthMismatch(f"the header promises {count} records, the columns hold {len(order)}")
    series = [
        (Series(str(device), str(point), str(unit)), int(exponent))
        for device, point, unit, exponent in json.loads(names)
    ]
    events = [
        Event(str(kind), str(subject), _instant(at), _mapping(body))
        for kind, subject, at, body in json.loads(events_json)
    ]
    lengths = [0] * len(series)
    for position in order:
        if position != _EVENT:
            lengths[position] += 1
    readings = sum(lengths)
    if len(qualities) != readings or len(events) != count - readings:
        raise LengthMismatch("the columns of the batch differ in length")
    raws = {int(position): bytes.fromhex(raw) for position, raw in json.loads(raw_json).items()}
    if any(not 0 <= position < readings for position in raws):
        raise MalformedFrame("raw bytes without a reading")
    columns = _read_series(series, lengths, _unplanes(times, readings), _unplanes(mantissas, readings), qualities, raws)
    rest = iter(events)
    return [next(rest) if position == _EVENT else next(columns[position]) for position in order]


def _read_series(
    series: list[tuple[Series, int]],
    lengths: list[int],
    times: "array[int]",
    mantissas: "array[int]",
    qualities: bytes,
    raws: dict[int, bytes],
) -> list[Iterator[Record]]:
    columns: list[Iterator[Record]] = []
    start = 0
    for (name, exponent), length in zip(series, lengths, strict=True):
        end = start + length
        readings = [
            Reading(
                name,
                _instant(at),
                None if quality & _NO_VALUE else _decimal(mantissa, exponent),
                Quality(quality & ~_NO_VALUE),
                raws.get(position, b"") if raws else b"",
            )
            for position, at, mantissa, quality in zip(
                range(start, end),
                accumulate(times[start:end]),
                accumulate(mantissas[start:end]),
                qualities[start:end],
                strict=True,
            )
        ]
        columns.append(iter(readings))
        start = end
    return columns


def _decimal(mantissa: int, exponent: int) -> Decimal:
    if not -MANTISSA_LIMIT < mantissa < MANTISSA_LIMIT:
        raise MalformedFrame(f"a mantissa of {mantissa} is out of range")
    return from_scaled(mantissa, exponent)


def _instant(value: Any) -> int:
    if type(value) is not int or not -MANTISSA_LIMIT < value < MANTISSA_LIMIT:
        raise MalformedFrame(f"{value!r} is not an instant in milliseconds")
    return value


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MalformedFrame("the body of an event is an object")
    return value
