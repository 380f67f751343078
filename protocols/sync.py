"""What edge and centre say to each other: records, batches and the paths they travel.

A batch holds columns, not rows; readings of one point lie together, so that differences
are small and compress. Layout, integers little-endian:

    0    4  "GHB2"
    4   32  SHA-256 of everything from 100 on
    36  64  Ed25519 signature of that digest by the gateway's own key, zeros where nobody signed
    100  2  length H of the header
    102  H  header, JSON: edge, epoch, lane, first, count, prev
    102+H   zstd frame of the columns, see ``protocols.columns``

``prev`` is the digest of the batch before in its lane, so that none can be taken out or put
between later: "" for the first, and where a gateway does not know it any more. "GHB1", of the
versions before, has neither signature nor prev: its length stands at 36.
"""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import zstandard
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

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
    "SIGN_KEY_HEADER",
    "Batch",
    "Event",
    "Header",
    "Lane",
    "Reading",
    "Record",
    "Series",
    "batch_digest",
    "batch_header",
    "decode_batch",
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

_MAGIC, _MAGIC_BEFORE = b"GHB2", b"GHB1"
_UNSIGNED_BYTES, _SIGNATURE_BYTES = 36, 64
_LEAST_BYTES = _UNSIGNED_BYTES + 2
_ZSTD_LEVEL = 3
_DIGEST = re.compile(r"[0-9a-f]{64}")
_EDGE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


@dataclass(frozen=True, slots=True)
class Batch:
    """A run of records of one lane; the first has sequence number ``first_seq``, and so on."""

    edge_id: str
    epoch: int
    lane: Lane
    first_seq: int
    records: tuple[Record, ...]
    prev: str = ""

    @property
    def last_seq(self) -> int:
        return self.first_seq + len(self.records) - 1


class Header(NamedTuple):
    """What can be known of a batch without unpacking it; ``signature`` is empty where nobody signed."""

    edge_id: str
    epoch: int
    lane: Lane
    first_seq: int
    last_seq: int
    digest: str
    prev: str = ""
    signature: bytes = b""

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


def encode_batch(batch: Batch, sign: Callable[[bytes], bytes] | None = None) -> bytes:
    """Pack a batch; ``sign`` is the gateway's key at work.

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
            "prev": batch.prev,
        },
        separators=(",", ":"),
    ).encode()
    packed = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(pack(batch.records))
    rest = len(header).to_bytes(2, "little") + header + packed
    digest = hashlib.sha256(rest)
    signature = bytes(_SIGNATURE_BYTES) if sign is None else sign(_signed(digest.hexdigest()))
    return _MAGIC + digest.digest() + signature + rest


def _signed(digest: str) -> bytes:
    """Give what is signed: the digest, and that it is one of a batch, so that no other use of the key fits."""
    return b"gatehouse batch 2\0" + bytes.fromhex(digest)


def batch_digest(data: bytes) -> str:
    """Give the digest of a batch that this program has packed itself."""
    return data[4:_UNSIGNED_BYTES].hex()


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
    return Batch(header.edge_id, header.epoch, header.lane, header.first_seq, tuple(records), header.prev)


def _split(data: bytes) -> tuple[Header, bytes]:
    if len(data) < _LEAST_BYTES:
        raise TruncatedFrame(f"a batch has at least {_LEAST_BYTES} bytes, not {len(data)}")
    if len(data) > MAX_BATCH_BYTES:
        raise LengthMismatch(f"a batch has at most {MAX_BATCH_BYTES} bytes, not {len(data)}")
    if data[:4] not in (_MAGIC, _MAGIC_BEFORE):
        raise Unsupported("the bytes do not start with GHB2: not a batch, or one of a newer format")
    start = _UNSIGNED_BYTES + (_SIGNATURE_BYTES if data[:4] == _MAGIC else 0)
    digest = hashlib.sha256(memoryview(data)[start:])
    if digest.digest() != data[4:_UNSIGNED_BYTES]:
        raise ChecksumMismatch("the batch's SHA-256 does not fit its bytes: it was cut or changed on its way")
    length = int.from_bytes(data[start : start + 2], "little")
    start += 2
    try:
        header = json.loads(data[start : start + length])
        prev = header.get("prev", "")
        edge_id, epoch, lane, first, count = (header[key] for key in ("edge", "epoch", "lane", "first", "count"))
        lane = Lane(lane)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise MalformedFrame(f"the batch header is not readable: {error}") from None
    if not (isinstance(prev, str) and (not prev or _DIGEST.fullmatch(prev))):
        raise MalformedFrame("prev in the batch header is no digest")
    if not (isinstance(edge_id, str) and is_edge_id(edge_id)):
        raise MalformedFrame("the batch header names no gateway")
    if not all(type(number) is int for number in (epoch, first, count)):
        raise MalformedFrame("epoch, first and count in the batch header are whole numbers")
    if not (0 <= epoch < 2**64 and 1 <= first < MANTISSA_LIMIT and 1 <= count <= MAX_BATCH_RECORDS):
        raise MalformedFrame(f"epoch {epoch}, first {first} or count {count} is out of range")
    signature = data[_UNSIGNED_BYTES : start - 2]
    found = Header(edge_id, epoch, lane, first, first + count - 1, digest.hexdigest(), prev, signature)
    return found._replace(signature=b"") if not any(signature) else found, data[start + length :]


def _inflate(packed: bytes) -> bytes:
    try:
        size = zstandard.frame_content_size(packed)
        if not 0 <= size <= _MAX_COLUMNS_BYTES:
            raise LengthMismatch(f"the batch would unpack to {size} bytes; {_MAX_COLUMNS_BYTES} is the most")
        return zstandard.ZstdDecompressor().decompress(packed)
    except zstandard.ZstdError as error:
        raise MalformedFrame(f"the batch does not unpack: {error}") from None
