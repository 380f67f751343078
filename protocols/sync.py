"""What edge and centre say to each other: records, batches and the paths they travel.

A batch holds columns, not rows; readings of one point lie together, so that differences
are small and compress. Layout, integers little-endian:

    0   4  "GHB1"
    4  32  SHA-256 of everything after it
    36  2  length H of the header
    38  H  header, JSON: edge, epoch, lane, first, count
    38+H   zstd frame of the columns, see ``protocols.columns``
"""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import NamedTuple

import zstandard

from protocols.columns import pack, unpack
from protocols.errors import ChecksumMismatch, LengthMismatch, MalformedFrame, TruncatedFrame, Unsupported
from protocols.quantity import MANTISSA_LIMIT
from protocols.record import Event, Lane, Reading, Record, Series

__all__ = [
    "CONTENT_TYPE",
    "MAX_BATCH_BYTES",
    "MAX_BATCH_RECORDS",
    "PATH_BATCHES",
    "PATH_STATUS",
    "Batch",
    "Event",
    "Header",
    "Lane",
    "Reading",
    "Record",
    "Series",
    "batch_header",
    "decode_batch",
    "encode_batch",
    "is_edge_id",
]

CONTENT_TYPE = "application/vnd.gatehouse.batch"
PATH_BATCHES = "/api/v1/sync/batches"
PATH_STATUS = "/api/v1/sync/status"

MAX_BATCH_BYTES = 4 * 1024 * 1024
MAX_BATCH_RECORDS = 20_000
_MAX_COLUMNS_BYTES = 32 * 1024 * 1024  # a small body must not unpack into all of memory

_MAGIC = b"GHB1"
_ZSTD_LEVEL = 3
_EDGE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


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
    header = json.dumps(
        {
            "edge": batch.edge_id,
            "epoch": batch.epoch,
            "lane": int(batch.lane),
            "first": batch.first_seq,
            "count": len(batch.records),
        },
        separators=(",", ":"),
    ).encode()
    packed = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(pack(batch.records))
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
    records = unpack(_inflate(packed), count)
    return Batch(header.edge_id, header.epoch, header.lane, header.first_seq, tuple(records))


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
