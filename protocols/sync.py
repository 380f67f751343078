"""What edge and centre say to each other: records, batches and the paths they travel.

A batch holds columns, not rows; readings of one point lie together, so that differences
are small and compress. Layout, integers little-endian:

    0    4  "GHB3"
    4   32  SHA-256 of everything from 100 on
    36  64  Ed25519 signature of that digest by the gateway's own key, zeros where nobody signed
    100  4  length H of the header
    104  H  header, JSON: edge, epoch, lane, first, last, count, prev, names, clock
    104+H   zstd frame of the columns, see ``protocols.columns``

A batch covers the numbers first to last, so that ranges join from batch to batch; of those inside
some may be missing, where a full disk made the gateway thin out its telemetry. ``prev`` is the
digest of the batch before in its lane, so that none can be taken out or put between later: "" for
the first, and where a gateway does not know it any more.

``names`` is the growing dictionary of series of one epoch, [base, [[device, point, unit], ...]]:
the entries base + 1 and on that the centre has not confirmed yet; columns then name a series by its
number. ``clock`` says how far the clock was to be believed, see ``ClockSpan``. Both may be absent.

Versions before: "GHB2" has a header of 2 bytes' length, without last, names and clock; "GHB1" has
neither signature nor prev either, its length stands at 36.
"""

import hashlib
import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate
from types import MappingProxyType
from typing import Any, NamedTuple, overload

import zstandard
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from protocols.columns import SeriesColumn, pack, unpack, unpack_columns
from protocols.errors import ChecksumMismatch, LengthMismatch, MalformedFrame, TruncatedFrame, Unsupported
from protocols.quantity import MANTISSA_LIMIT, Quality
from protocols.record import Event, Lane, Reading, Record, Series

__all__ = [
    "CONTENT_TYPE",
    "MAX_BATCH_BYTES",
    "MAX_BATCH_RECORDS",
    "PATH_BATCHES",
    "PATH_STATUS",
    "SIGN_KEY_HEADER",
    "Batch",
    "ClockSpan",
    "Dictionary",
    "Event",
    "Header",
    "Lane",
    "Reading",
    "Record",
    "Series",
    "SeriesColumn",
    "batch_columns",
    "batch_digest",
    "batch_header",
    "decode_batch",
    "decode_columns",
    "encode_batch",
    "is_edge_id",
]

CONTENT_TYPE = "application/vnd.gatehouse.batch"
PATH_BATCHES = "/api/v1/sync/batches"
PATH_STATUS = "/api/v1/sync/status"
# The raw Ed25519 public key with which a gateway signs, as hex; believed the first time only.
SIGN_KEY_HEADER = "Gatehouse-Sign-Key"

MAX_BATCH_BYTES = 4 * 1024 * 1024
MAX_BATCH_RECORDS = 20_000
_MAX_COLUMNS_BYTES = 32 * 1024 * 1024  # a small body must not unpack into all of memory

_MAGIC = b"GHB3"
_UNSIGNED_BYTES, _SIGNATURE_BYTES = 36, 64
# By version: where what is hashed begins, and of how many bytes the length of the header is.
_VERSIONS = {_MAGIC: (100, 4), b"GHB2": (100, 2), b"GHB1": (36, 2)}
_LEAST_BYTES = _UNSIGNED_BYTES + 2
_ZSTD_LEVEL = 17
_LONGEST_NAME = 200
_MOST_NAMES = 65_000  # a column of the order names a series by 16 bits
_DIGEST = re.compile(r"[0-9a-f]{64}")
_EDGE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


class ClockSpan(NamedTuple):
    """A stretch of one lane in which the gateway's clock ran evenly; it begins with number ``first_seq``.

    Shape: ``boot`` names the start of the machine; ``offset_ms`` is the wall clock minus the monotonic
    one; ``shift_ms`` is what has to be added to the stamps, None where that is not known.
    """

    first_seq: int
    boot: str
    offset_ms: int
    shift_ms: int | None


class Dictionary(NamedTuple):
    """The numbers of an epoch's series, 1 and on without a gap, and up to which one the centre knows them."""

    numbers: Mapping[Series, int]
    known: int


@dataclass(frozen=True, slots=True)
class Batch:
    """A run of one lane that covers the numbers ``first_seq`` to ``last_seq``.

    Shape: ``seqs`` is each record's number; left empty, they follow each other from ``first_seq``.
    """

    edge_id: str
    epoch: int
    lane: Lane
    first_seq: int
    records: tuple[Record, ...]
    prev: str = ""
    seqs: tuple[int, ...] = ()
    clocks: tuple[ClockSpan, ...] = ()

    @property
    def last_seq(self) -> int:
        return self.seqs[-1] if self.seqs else self.first_seq + len(self.records) - 1

    def numbered(self) -> Iterator[tuple[int, Record]]:
        """Give each record with its number."""
        return zip(self.seqs or range(self.first_seq, self.last_seq + 1), self.records, strict=True)

    def stamped(self) -> Iterator[tuple[int, Record]]:
        """Give each record with its number, its instant put right where the clock was wrong.

        Where nobody can tell how wrong it was, a reading is not believed.
        """
        for seq, record in self.numbered():
            yield seq, _shifted(record, _shift_at(self.clocks, seq))


@overload
def _shifted(record: Event, shift: int | None) -> Event: ...
@overload
def _shifted(record: Record, shift: int | None) -> Record: ...
def _shifted(record: Record, shift: int | None) -> Record:
    """Put a record's instant right; what a meter itself has kept carries the meter's."""
    if isinstance(record, Event):
        return record._replace(at=record.at + (shift or 0))
    if shift is None:
        return record._replace(quality=Quality.SUSPECT) if record.quality is Quality.GOOD else record
    return record if record.quality is Quality.FROZEN else record._replace(taken_at=record.taken_at + shift)


class Header(NamedTuple):
    """What can be known of a batch without unpacking it; ``signature`` is empty where nobody signed.

    Shape: ``names`` are the entries of the dictionary from number ``names_base`` + 1 on.
    """

    edge_id: str
    epoch: int
    lane: Lane
    first_seq: int
    last_seq: int
    digest: str
    prev: str = ""
    signature: bytes = b""
    size: int = 0
    names_base: int = 0
    names: tuple[Series, ...] = ()
    clocks: tuple[ClockSpan, ...] = ()

    def is_signed_by(self, key: str) -> bool:
        """Tell whether the batch is signed by the gateway whose raw public key, as hex, is known."""
        try:
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(self.signature, _signed(self.digest))
        except (InvalidSignature, ValueError):
            return False
        return True


def is_edge_id(text: str) -> bool:
    """Tell whether a text can name a gateway: small letters, digits and dashes, 32 at most."""
    return _EDGE_ID.fullmatch(text) is not None


def encode_batch(
    batch: Batch, sign: Callable[[bytes], bytes] | None = None, dictionary: Dictionary | None = None
) -> bytes:
    """Pack a batch; ``sign`` is the gateway's key at work. Without a dictionary series are named in full.

    Raises: ValueError for a batch that is empty or too long, or a value out of range; the
    store refuses such records before they are accepted, so here it is a fault of ours.
    """
    if not 1 <= len(batch.records) <= MAX_BATCH_RECORDS:
        raise ValueError(f"a batch holds 1 to {MAX_BATCH_RECORDS} records, not {len(batch.records)}")
    fields: dict[str, Any] = {
        "edge": batch.edge_id,
        "epoch": batch.epoch,
        "lane": int(batch.lane),
        "first": batch.first_seq,
        "last": batch.last_seq,
        "count": len(batch.records),
        "prev": batch.prev,
    }
    if batch.clocks:
        fields["clock"] = batch.clocks
    if dictionary is not None:
        fields["names"] = [dictionary.known, _unknown_names(batch, dictionary)]
    header = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
    numbers = None if dictionary is None else dictionary.numbers
    packed = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(pack(batch.records, _steps(batch), numbers))
    rest = len(header).to_bytes(4, "little") + header + packed
    digest = hashlib.sha256(rest)
    signature = bytes(_SIGNATURE_BYTES) if sign is None else sign(_signed(digest.hexdigest()))
    return _MAGIC + digest.digest() + signature + rest


def _steps(batch: Batch) -> list[int]:
    """Give the distance of each number from the one before, nothing where they follow each other."""
    if len(batch.records) == batch.last_seq - batch.first_seq + 1:
        return []
    return [seq - before for before, seq in zip((batch.first_seq, *batch.seqs), batch.seqs, strict=False)]


def _unknown_names(batch: Batch, dictionary: Dictionary) -> list[Series]:
    used = {record.series for record in batch.records if isinstance(record, Reading)}
    most = max((dictionary.numbers[series] for series in used), default=0)
    if most <= dictionary.known:
        return []
    by_number = {number: series for series, number in dictionary.numbers.items()}
    return [by_number[number] for number in range(dictionary.known + 1, most + 1)]


def _signed(digest: str) -> bytes:
    """Give what is signed: the digest, and that it is one of a batch, so that no other use of the key fits."""
    return b"gatehouse batch 2\0" + bytes.fromhex(digest)


def batch_digest(data: bytes) -> str:
    """Give the digest of a batch that this program has packed itself."""
    return data[4:_UNSIGNED_BYTES].hex()


def batch_header(data: bytes) -> Header:
    """Verify a batch's digest and read its header only; one that would unpack to more than a batch is none.

    Raises: ProtocolError.
    """
    header, packed = _split(data)
    with suppress(MalformedFrame):  # what does not unpack at all is evidence: it is kept, and set aside
        _unpacked_bytes(packed)
    return header


def decode_batch(data: bytes, names: Mapping[int, Series] = MappingProxyType({})) -> Batch:
    """Unpack a batch; ``names`` are the series that batches before it have numbered.

    Raises: ProtocolError, whatever the bytes are.
    """
    header, columns = batch_columns(data)
    records, steps = unpack(columns, header.size, _with_new(names, header))
    seqs = tuple(accumulate(steps, initial=header.first_seq))[1:]
    if seqs and seqs[-1] != header.last_seq:
        raise LengthMismatch(f"the header promises records up to {header.last_seq}, the columns go to {seqs[-1]}")
    return Batch(
        header.edge_id,
        header.epoch,
        header.lane,
        header.first_seq,
        tuple(records),
        header.prev,
        seqs,
        header.clocks,
    )


def decode_columns(
    data: bytes, names: Mapping[int, Series] = MappingProxyType({})
) -> tuple[Header, list[SeriesColumn], list[tuple[int, Event]]]:
    """Unpack a batch into the columns of its series, and its events with their numbers, stamped as by ``stamped``.

    Raises: ProtocolError, whatever the bytes are.
    """
    header, body = batch_columns(data)
    columns, events = unpack_columns(body, header.first_seq, header.size, _with_new(names, header))
    if all(span.shift_ms == 0 for span in header.clocks):
        return header, columns, events
    stamped = [(seq, _shifted(event, _shift_at(header.clocks, seq))) for seq, event in events]
    return header, [_stamped(column, header.clocks) for column in columns], stamped


def _stamped(column: SeriesColumn, clocks: Sequence[ClockSpan]) -> SeriesColumn:
    at, qualities = list(column.at), bytearray(column.qualities)
    for place, seq in enumerate(column.seqs):
        shift = _shift_at(clocks, seq)
        if shift is None and qualities[place] == Quality.GOOD:
            qualities[place] = Quality.SUSPECT
        elif shift and qualities[place] & 0x7F != Quality.FROZEN:
            at[place] += shift
    return column._replace(at=at, qualities=bytes(qualities))


def _shift_at(clocks: Sequence[ClockSpan], seq: int) -> int | None:
    place = bisect_right(clocks, seq, key=lambda span: span.first_seq)
    return clocks[place - 1].shift_ms if place else 0


def _with_new(names: Mapping[int, Series], header: Header) -> Mapping[int, Series]:
    return {**names, **dict(enumerate(header.names, header.names_base + 1))} if header.names else names


def batch_columns(data: bytes) -> tuple[Header, bytes]:
    """Verify a batch's digest; give its header, and its columns for ``protocols.columns``.

    Raises: ProtocolError.
    """
    header, packed = _split(data)
    return header, _inflate(packed)


def _split(data: bytes) -> tuple[Header, bytes]:
    if len(data) < _LEAST_BYTES:
        raise TruncatedFrame(f"a batch has at least {_LEAST_BYTES} bytes, not {len(data)}")
    if len(data) > MAX_BATCH_BYTES:
        raise LengthMismatch(f"a batch has at most {MAX_BATCH_BYTES} bytes, not {len(data)}")
    if data[:4] not in _VERSIONS:
        raise Unsupported("the bytes do not start with GHB3: not a batch, or one of a newer format")
    start, width = _VERSIONS[data[:4]]
    digest = hashlib.sha256(memoryview(data)[start:])
    if digest.digest() != data[4:_UNSIGNED_BYTES]:
        raise ChecksumMismatch("the batch's SHA-256 does not fit its bytes: it was cut or changed on its way")
    signature = data[_UNSIGNED_BYTES:start]
    body = start + width + int.from_bytes(data[start : start + width], "little")
    header = _read_header(data[start + width : body], digest.hexdigest())
    return header._replace(signature=signature) if any(signature) else header, data[body:]


def _read_header(text: bytes, digest: str) -> Header:
    try:
        header = json.loads(text)
        prev = header.get("prev", "")
        edge_id, epoch, lane, first, count = (header[key] for key in ("edge", "epoch", "lane", "first", "count"))
        last = header.get("last", first + count - 1)
        base, names = header.get("names", (0, ()))
        series = tuple(Series(*map(_text, name)) for name in names)
        clocks = tuple(_clock_span(span) for span in header.get("clock", ()))
        lane = Lane(lane)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise MalformedFrame(f"the batch header is not readable: {error}") from None
    if not (isinstance(prev, str) and (not prev or _DIGEST.fullmatch(prev))):
        raise MalformedFrame("prev in the batch header is no digest")
    if not (isinstance(edge_id, str) and is_edge_id(edge_id)):
        raise MalformedFrame("the batch header names no gateway")
    if not all(type(number) is int for number in (epoch, first, last, count, base)):
        raise MalformedFrame("epoch, first, last, count and the base of names are whole numbers")
    if not (0 <= epoch < 2**64 and 1 <= first < MANTISSA_LIMIT and 1 <= count <= MAX_BATCH_RECORDS):
        raise MalformedFrame(f"epoch {epoch}, first {first} or count {count} is out of range")
    if not (first + count - 1 <= last < MANTISSA_LIMIT and 0 <= base <= _MOST_NAMES - len(series)):
        raise MalformedFrame(f"last {last} or the base {base} of the names is out of range")
    return Header(edge_id, epoch, lane, first, last, digest, prev, b"", count, base, series, clocks)


def _text(value: Any) -> str:
    """Take a name; whatever is none would be refused by a database only after the batch was believed."""
    if not isinstance(value, str) or len(value) > _LONGEST_NAME or "\0" in value:
        raise TypeError(f"a name is text of at most {_LONGEST_NAME} characters")
    value.encode()
    return value


def _clock_span(value: Any) -> ClockSpan:
    first, boot, offset, shift = value
    numbers = (first, offset, 0 if shift is None else shift)
    if not all(type(number) is int and -MANTISSA_LIMIT < number < MANTISSA_LIMIT for number in numbers):
        raise ValueError("a span of the clock is out of range")
    return ClockSpan(first, _text(boot), offset, shift)


def _unpacked_bytes(packed: bytes) -> int:
    """Say what the columns unpack to, by their own word. Raises: LengthMismatch, MalformedFrame."""
    try:
        size = zstandard.frame_content_size(packed)
    except zstandard.ZstdError as error:
        raise MalformedFrame(f"the batch does not unpack: {error}") from None
    if not 0 <= size <= _MAX_COLUMNS_BYTES:
        raise LengthMismatch(f"the batch would unpack to {size} bytes; {_MAX_COLUMNS_BYTES} is the most")
    return size


def _inflate(packed: bytes) -> bytes:
    _unpacked_bytes(packed)
    try:
        return zstandard.ZstdDecompressor().decompress(packed)
    except zstandard.ZstdError as error:
        raise MalformedFrame(f"the batch does not unpack: {error}") from None
