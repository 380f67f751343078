"""Records as columns: differences of integers, byte plane by byte plane.

Eight sections, each a 4-byte length and its bytes, integers little-endian:

    series     JSON [[device, point, unit, exponent], ...], or [[number, exponent], ...]
    order      u16 a record in sequence: position in ``series``, FFFF for an event
    times      i64 a reading, series by series: differences (ms UTC); the first of a series from
               the first of the series before; the sign in the lowest bit
    mantissas  the same layout, but each series begins anew; value = mantissa * 10 ** exponent
    qualities  u8 a reading; bit 7 set: there is no value
    raw        JSON {position: hex} for readings that kept their bytes
    events     JSON [[kind, subject, at, body], ...] in sequence
    steps      i64 a record in sequence: its number minus the one before; empty where all are 1

Before GHB3 there were no steps, signs were two's complement, and the times of each series began
anew. The high planes of the 64-bit columns are nearly all zero, which is what compresses.
"""

import json
import sys
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from itertools import accumulate
from operator import sub
from typing import Any, NamedTuple

from protocols.errors import LengthMismatch, MalformedFrame, ProtocolError, TruncatedFrame
from protocols.quantity import MANTISSA_LIMIT, Quality, from_scaled, to_scaled
from protocols.record import Event, Reading, Record, Series

_EVENT = 0xFFFF
_NO_VALUE = 0x80
_SECTIONS, _SECTIONS_BEFORE = 8, 7


class SeriesColumn(NamedTuple):
    """The readings of one series at one exponent, in their order.

    Shape: value = mantissa * 10 ** exponent, none where bit 7 of the quality is set.
    Units: ``at`` is milliseconds since 1970 in UTC.
    """

    series: Series
    exponent: int
    seqs: Sequence[int]
    at: Sequence[int]
    mantissas: Sequence[int]
    qualities: bytes


def pack(records: Iterable[Record], steps: Sequence[int] = (), numbers: Mapping[Series, int] | None = None) -> bytes:
    """Lay records out as columns; series by their number where there are numbers, else by name.

    Raises: ValueError for a value out of range.
    """
    columns = _Columns()
    for record in records:
        columns.add(record)
    return columns.pack(steps, numbers)


def unpack(data: bytes, count: int, names: Mapping[int, Series]) -> tuple[list[Record], list[int]]:
    """Read ``count`` records and their steps from the columns.

    Raises: ProtocolError, whatever the bytes are.
    """
    with _told():
        found = _Found(_sections(data), count, names)
        return found.records(), found.steps


def unpack_columns(
    data: bytes, first_seq: int, count: int, names: Mapping[int, Series]
) -> tuple[list[SeriesColumn], list[tuple[int, Event]]]:
    """Read the columns of readings as they lie, and the events with their numbers.

    Raises: ProtocolError, whatever the bytes are.
    """
    with _told():
        found = _Found(_sections(data), count, names)
        seqs = list(accumulate(found.steps, initial=first_seq))[1:] or list(range(first_seq, first_seq + count))
        return found.columns(seqs), found.numbered_events(seqs)


@contextmanager
def _told() -> Iterator[None]:
    """Have whatever strange bytes cause told as what it is."""
    try:
        yield
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

    def pack(self, steps: Sequence[int], numbers: Mapping[Series, int] | None) -> bytes:
        times: list[int] = []
        mantissas: list[int] = []
        qualities = bytearray()
        raws: dict[str, str] = {}
        start = 0
        for column in self.columns:
            raws.update({str(len(times) + position): raw for position, raw in column.raws.items()})
            times += _differences(column.times, start)
            start = column.times[0]
            mantissas += _differences(column.mantissas)
            qualities += column.qualities
        sections = (
            _json([[*_name(column.series, numbers), column.exponent] for column in self.columns]),
            _little(self.order).tobytes(),
            _planes(_folded(times)),
            _planes(_folded(mantissas)),
            bytes(qualities),
            _json(raws),
            _json(self.events),
            _planes(steps),
        )
        return b"".join(len(section).to_bytes(4, "little") + section for section in sections)


def _name(series: Series, numbers: Mapping[Series, int] | None) -> Sequence[str | int]:
    return series if numbers is None else (numbers[series],)


def _differences(values: Sequence[int], start: int = 0) -> list[int]:
    return [values[0] - start, *map(sub, values[1:], values)]


def _folded(values: Sequence[int]) -> list[int]:
    """Put the sign into the lowest bit: a small number of either sign has empty high planes."""
    return [(value << 1) ^ (value >> 63) for value in values]


def _unfolded(values: "array[int]") -> "array[int]":
    return array("q", [(value >> 1) ^ -(value & 1) for value in array("Q", values.tobytes())])


def _planes(values: Sequence[int]) -> bytes:
    data = _little(array("Q", values)).tobytes()
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
    while offset < len(data):
        if offset + 4 > len(data):
            raise TruncatedFrame("the batch's columns end early")
        length = int.from_bytes(data[offset : offset + 4], "little")
        section = data[offset + 4 : offset + 4 + length]
        if len(section) != length:
            raise TruncatedFrame("a column of the batch ends early")
        sections.append(section)
        offset += 4 + length
    if len(sections) not in (_SECTIONS_BEFORE, _SECTIONS):
        raise LengthMismatch(f"the batch holds {len(sections)} columns, not {_SECTIONS}")
    return sections


class _Found:
    """The columns of a batch as they were read, checked against each other."""

    def __init__(self, sections: list[bytes], count: int, names: Mapping[int, Series]) -> None:
        series_json, order_bytes, times, mantissas, qualities, raw_json, events_json = sections[:_SECTIONS_BEFORE]
        order = array("H")
        order.frombytes(order_bytes)
        self.order = _little(order)
        if len(order) != count:
            raise LengthMismatch(f"the header promises {count} records, the columns hold {len(order)}")
        self.series = [_series(entry, names) for entry in json.loads(series_json)]
        self.events = [
            Event(str(kind), str(subject), _instant(at), _mapping(body))
            for kind, subject, at, body in json.loads(events_json)
        ]
        tally = Counter(order)
        readings = count - tally.pop(_EVENT, 0)
        if tally and max(tally) >= len(self.series):
            raise MalformedFrame("a reading of a series that is not there")
        self.lengths = [tally[position] for position in range(len(self.series))]
        if len(qualities) != readings or len(self.events) != count - readings:
            raise LengthMismatch("the columns of the batch differ in length")
        self.qualities = qualities
        self.raws = {int(position): bytes.fromhex(raw) for position, raw in json.loads(raw_json).items()}
        if any(not 0 <= position < readings for position in self.raws):
            raise MalformedFrame("raw bytes without a reading")
        self.instants, self.values = _unplanes(times, readings), _unplanes(mantissas, readings)
        if len(sections) == _SECTIONS:
            self.instants, self.values = _unfolded(self.instants), _unfolded(self.values)
            _join_starts(self.instants, self.lengths)
        self.steps = _steps(b"".join(sections[_SECTIONS_BEFORE:]), count)

    def records(self) -> list[Record]:
        columns = _read_series(self.series, self.lengths, self.instants, self.values, self.qualities, self.raws)
        rest = iter(self.events)
        return [next(rest) if position == _EVENT else next(columns[position]) for position in self.order]

    def columns(self, seqs: Sequence[int]) -> list[SeriesColumn]:
        own: list[list[int]] = [[] for _ in self.series]
        for seq, position in zip(seqs, self.order, strict=True):
            if position != _EVENT:
                own[position].append(seq)
        columns, start = [], 0
        for (series, exponent), length, mine in zip(self.series, self.lengths, own, strict=True):
            end = start + length
            at, mantissas = list(accumulate(self.instants[start:end])), list(accumulate(self.values[start:end]))
            qualities = self.qualities[start:end]
            if length:
                _check_column(at, mantissas, qualities, exponent)
            columns.append(SeriesColumn(series, exponent, mine, at, mantissas, qualities))
            start = end
        return columns

    def numbered_events(self, seqs: Sequence[int]) -> list[tuple[int, Event]]:
        numbers = (seq for seq, position in zip(seqs, self.order, strict=True) if position == _EVENT)
        return list(zip(numbers, self.events, strict=True))


def _check_column(at: Sequence[int], mantissas: Sequence[int], qualities: bytes, exponent: int) -> None:
    """Refuse what ``_read_series`` would refuse of a single reading."""
    for lowest, highest in ((min(at), max(at)), (min(mantissas), max(mantissas))):
        if not -MANTISSA_LIMIT < lowest <= highest < MANTISSA_LIMIT:
            raise MalformedFrame(f"a number between {lowest} and {highest} is out of range")
    for quality in set(qualities):
        Quality(quality & ~_NO_VALUE)
    from_scaled(mantissas[0], exponent)


def _series(entry: Any, names: Mapping[int, Series]) -> tuple[Series, int]:
    *name, exponent = entry
    if len(name) == 1:
        if name[0] not in names:
            raise MalformedFrame(f"no batch before has named the series {name[0]}")
        return names[name[0]], int(exponent)
    device, point, unit = name
    return Series(str(device), str(point), str(unit)), int(exponent)


def _steps(data: bytes, count: int) -> list[int]:
    if not data:
        return []
    steps = _unplanes(data, count).tolist()
    if steps[0] < 0 or any(step < 1 for step in steps[1:]):
        raise MalformedFrame("the numbers of the records do not grow")
    return steps


def _join_starts(instants: "array[int]", lengths: Sequence[int]) -> None:
    """Make the first instant of each series a whole one again."""
    start = position = 0
    for length in lengths:
        if length:
            instants[position] = start = start + instants[position]
        position += length


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
