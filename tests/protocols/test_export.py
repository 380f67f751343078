"""A file of batches comes back as it was written, and a cut or changed one says so."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import ProtocolError
from protocols.export import read_export, write_export

FILE = b"".join(write_export([b"first", b"second batch"]))


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6))
def test_what_was_written_is_read(batches: list[bytes]) -> None:
    assert list(read_export(io.BytesIO(b"".join(write_export(batches))).read)) == batches


def test_a_file_cut_anywhere_or_with_any_bit_changed_is_found_out() -> None:
    for length in range(len(FILE)):
        with pytest.raises(ProtocolError):
            list(read_export(io.BytesIO(FILE[:length]).read))
    for bit in range(8 * len(FILE)):
        changed = bytearray(FILE)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ProtocolError):
            list(read_export(io.BytesIO(bytes(changed)).read))


def test_batches_before_a_cut_are_given_first() -> None:
    found = read_export(io.BytesIO(FILE[:-40]).read)
    assert next(found) == b"first"
    with pytest.raises(ProtocolError, match="cut"):
        list(found)
