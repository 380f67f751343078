"""Signed batches in a file, to be carried where there is no network.

    "GHX1" | u32 length | batch | u32 length | batch ... | u32 0 | SHA-256 of all before it

Integers are little-endian. The batches prove themselves; the end shows that none is missing.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator

from protocols.errors import ChecksumMismatch, LengthMismatch, TruncatedFrame, Unsupported
from protocols.sync import MAX_BATCH_BYTES

_MAGIC = b"GHX1"
_LENGTH_BYTES = 4


def write_export(batches: Iterable[bytes]) -> Iterator[bytes]:
    """Give the pieces of a file with these batches."""
    seen = hashlib.sha256(_MAGIC)
    yield _MAGIC
    for batch in batches:
        piece = len(batch).to_bytes(_LENGTH_BYTES, "little") + batch
        seen.update(piece)
        yield piece
    end = bytes(_LENGTH_BYTES)
    seen.update(end)
    yield end + seen.digest()


def read_export(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """Give the batches of a file as they are read; ``read`` gives as many bytes as it is asked for, fewer at the end.

    Raises: ProtocolError for a stranger's file at once, for one that was cut or changed when its end shows it.
    """
    seen = hashlib.sha256()

    def take(count: int) -> bytes:
        piece = read(count)
        if len(piece) < count:
            raise TruncatedFrame("the file ends early: it was cut")
        return piece

    magic = read(len(_MAGIC))
    if magic != _MAGIC:
        raise Unsupported("this is no export of a gateway's store")
    seen.update(magic)
    while True:
        prefix = take(_LENGTH_BYTES)
        seen.update(prefix)
        length = int.from_bytes(prefix, "little")
        if length == 0:
            break
        if length > MAX_BATCH_BYTES:
            raise LengthMismatch(f"a batch has at most {MAX_BATCH_BYTES} bytes, not {length}")
        batch = take(length)
        seen.update(batch)
        yield batch
    if take(seen.digest_size) != seen.digest():
        raise ChecksumMismatch("the file's end does not fit it: batches are missing or were changed")
