"""What edge and centre say to each other: records, batches and the paths they travel.

A batch holds columns, not rows; readings of one point lie together, so that differences
are small and compress. Layout, integers little-endian:

    0   4  "GHB1"
    4  32  SHA-256 of everything after it
    36  2  length H of the header
    38  H  header, JSON: edge, epoch, lane, first, count
    38+H   zstd frame of seven sections, each a 4-byte length and its bytes:
           series     JSON [[device, point, unit, exponent], ...]
           order      u16 a record in sequence: position in ``series``, FFFF for an event
           times      i64 a reading, series by series: first value, then differences (ms UTC)
           mantissas  the same layout; value = mantissa * 10 ** exponent
           qualities  u8 a reading; bit 7 set: there is no value
           raw        JSON {position: hex} for readings that kept their bytes
           events     JSON [[kind, subject, at, body], ...] in sequence

The 64-bit columns are stored byte plane by byte plane: high planes are nearly all zero.
"""

import hashlib
import json
import re
import sys
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from itertools import accumulate
from operator import sub
from typing import Any, NamedTuple

import zstandard

from protocols.errors import (
    ChecksumMismatch,
    LengthMismatch,
    MalformedFrame,
    ProtocolError,
    TruncatedFrame,
    Unsupported,
)
from protocols.quantity import MANTISSA_LIMIT, Quality, from_scaled, to_scaled

CONTENT_TYPE = "application/vnd.gatehouse.batch"
PATH_BATCHES = "/api/v1/sync/batches"
PATH_STATUS = "/api/v1/sync/status"

MAX_BATCH_BYTES = 4 * 1024 * 1024
MAX_BATCH_RECORDS = 20_000
_MAX_COLUMNS_BYTES = 32 * 1024 * 1024  # a small body must not unpack into all of memory

_MAGIC = b"GHB1"
_EVENT = 0xFFFF
_NO_VALUE = 0x80
_ZSTD_LEVEL = 3
_EDGE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


class Lane(IntEnum):
    """Order of delivery and of shedding: the lower, the more precious."""

    SAFETY = 0
    CONTROL = 1
    BILLING = 2
    TELEMETRY = 3

    @property
    def word(self) -> str:
        return self.name.lower()


class Series(NamedTuple):
    """Identity of a column of readings; the unit is the canonical one."""

    device: str
    point: str
    unit: str


class Reading(NamedTuple):
    """One point at one time.

    Shape: ``raw`` holds the device's bytes where the quality is not GOOD, else nothing.
    Units: ``taken_at`` is milliseconds since 1970 in UTC.
    """

    series: Series
    taken_at: int
    value: Decimal | None
    quality: Quality = Quality.GOOD
    raw: bytes = b""


class Event(NamedTuple):
    """A fact; ``body`` is what JSON can carry. Units: ``at`` is milliseconds since 1970 in UTC."""

    kind: str
    subject: str
    at: int
    body: dict[str, Any]


Record = Reading | Event


@dataclass(frozen=True, slots=True)
class Batch:
    """A run of records of one lane; the first has sequence number ``first_seq``, and so on."""

    edge_id: str
    epoch: int
    lane: Lane
    first_seq: int
    records: tuple[Record, ...]

    @property
    def last_seq(self) -> int:
        return self.first_seq + len(self.records) - 1


class Header(NamedTuple):
    """What can be known of a batch without unpacking it."""

    edge_id: str
    epoch: int
    lane: Lane
    first_seq: int
    last_seq: int
    digest: str


def is_edge_id(text: str) -> bool:
    """Tell whether a text can name a gateway: small letters, digits and dashes, 32 at most."""
    return _EDGE_ID.fullmatch(text) is not None


def encode_batch(batch: Batch) -> bytes:
    """Pack a batch.

    Raises: ValueError for a batch that is empty or too long, or a value out of range; the
    store refuses such records before they are accepted, so here it is a fault of ours.
    """
    if not 1 <= len(batch.records) <= MAX_BATCH_RECORDS:
        raise ValueError(f"a batch holds 1 to {MAX_BATCH_RECORDS} records, not {len(batch.records)}")
    columns = _Columns()
    for record in batch.records:
        columns.add(record)
    header = _json(
        {
            "edge": batch.edge_id,
            "epoch": batch.epoch,
            "lane": int(batch.lane),
            "first": batch.first_seq,
            "count": len(batch.records),
        }
    )
    packed = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(columns.pack())
    rest = len(header).to_bytes(2, "little") + header + packed
    return _MAGIC + hashlib.sha256(rest).digest() + rest


def batch_header(data: bytes) -> Header:
    """Verify a batch's digest and read its header only.

    Raises: ProtocolError.
    """
    return _split(data)[0]


def decode_batch(data: bytes) -> Batch:
    """Unpack a batch.

    Raises: ProtocolError, whatever the bytes are.
    """
    header, packed = _split(data)
    count = header.last_seq - header.first_seq + 1
    records = tuple(_unpack(_inflate(packed), count))
    return Batch(header.edge_id, header.epoch, header.lane, header.first_seq, records)


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


def _split(data: bytes) -> tuple[Header, bytes]:
    if len(data) < 38:
        raise TruncatedFrame(f"a batch has at least 38 bytes, not {len(data)}")
    if len(data) > MAX_BATCH_BYTES:
        raise LengthMismatch(f"a batch has at most {MAX_BATCH_BYTES} bytes, not {len(data)}")
    if data[:4] != _MAGIC:
        raise Unsupported("the bytes do not start with GHB1: not a batch, or one of a newer format")
    digest = hashlib.sha256(memoryview(data)[36:])
    if digest.digest() != data[4:36]:
        raise ChecksumMismatch("the batch's SHA-256 does not fit its bytes: it was cut or changed on its way")
    length = int.from_bytes(data[36:38], "little")
    try:
        header = json.loads(data[38 : 38 + length])
        edge_id, epoch, lane, first, count = (header[key] for key in ("edge", "epoch", "lane", "first", "count"))
        lane = Lane(lane)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise MalformedFrame(f"the batch header is not readable: {error}") from None
    if not (isinstance(edge_id, str) and is_edge_id(edge_id)):
        raise MalformedFrame("the batch header names no gateway")
    if not all(type(number) is int for number in (epoch, first, count)):
        raise MalformedFrame("epoch, first and count in the batch header are whole numbers")
    if not (0 <= epoch < 2**64 and 1 <= first < MANTISSA_LIMIT and 1 <= count <= MAX_BATCH_RECORDS):
        raise MalformedFrame(f"epoch {epoch}, first {first} or count {count} is out of range")
    return Header(edge_id, epoch, lane, first, first + count - 1, digest.hexdigest()), data[38 + length :]


def _inflate(packed: bytes) -> bytes:
    try:
        size = zstandard.frame_content_size(packed)
        if not 0 <= size <= _MAX_COLUMNS_BYTES:
            raise LengthMismatch(f"the batch would unpack to {size} bytes; {_MAX_COLUMNS_BYTES} is the most")
        return zstandard.ZstdDecompressor().decompress(packed)
    except zstandard.ZstdError as error:
        raise MalformedFrame(f"the batch does not unpack: {error}") from None


def _unpack(data: bytes, count: int) -> Iterator[Record]:
    try:
        yield from _read_columns(_sections(data), count)
    except ProtocolError:
        raise
    except (ValueError, KeyError, TypeError, IndexError, StopIteration, OverflowError, RecursionError) as error:
        raise MalformedFrame(f"the batch's columns are not readable: {error}") from None


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
