"""A batch arrives as it was sent or not at all."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import ProtocolError
from protocols.quantity import Quality
from protocols.sync import Batch, Event, Lane, Reading, Record, Series, batch_header, decode_batch, encode_batch

ENERGY = Series("em-1", "energyImportTotal", "kWh")

names = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=12)
instants = st.integers(-(2**53), 2**53)
values = st.one_of(
    st.none(),
    st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**9), max_value=10**9),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-1000, max_value=1000, places=5),
    st.integers(-(2**61), 2**61).map(Decimal),
)
readings = st.builds(
    Reading, st.builds(Series, names, names, names), instants, values, st.sampled_from(Quality), st.binary(max_size=6)
)
events = st.builds(
    Event,
    names,
    names,
    instants,
    st.dictionaries(names, st.one_of(names, st.integers(-(2**40), 2**40), st.none()), max_size=3),
)
batches = st.builds(
    Batch,
    st.from_regex(r"[a-z0-9][a-z0-9-]{0,31}", fullmatch=True),
    st.integers(0, 2**64 - 1),
    st.sampled_from(Lane),
    st.integers(1, 2**40),
    st.lists(st.one_of(readings, events), min_size=1, max_size=30).map(tuple),
)


def minute_batch(count: int = 600) -> Batch:
    records: list[Record] = [
        Reading(ENERGY, 1_767_225_600_000 + 60_000 * i, Decimal("1234.56") + Decimal("0.03") * i) for i in range(count)
    ]
    return Batch("gw-1", 7, Lane.BILLING, 1, tuple(records))


@given(batches)
def test_every_record_arrives_exactly_as_it_was_sent(batch: Batch) -> None:
    got = decode_batch(encode_batch(batch))
    assert got == batch
    kept = [(r.value.as_tuple() if r.value is not None else None) for r in got.records if isinstance(r, Reading)]
    sent = [(r.value.as_tuple() if r.value is not None else None) for r in batch.records if isinstance(r, Reading)]
    assert kept == sent, "a value keeps its number of places"


@given(batches, st.data())
def test_a_batch_with_one_flipped_bit_is_refused(batch: Batch, data: st.DataObject) -> None:
    wire = bytearray(encode_batch(batch))
    bit = data.draw(st.integers(0, 8 * len(wire) - 1))
    wire[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ProtocolError):
        decode_batch(bytes(wire))


def test_a_batch_cut_at_any_byte_is_refused() -> None:
    wire = encode_batch(minute_batch(20))
    for length in range(len(wire)):
        with pytest.raises(ProtocolError):
            batch_header(wire[:length])


@given(st.binary(max_size=300))
def test_bytes_of_a_stranger_are_refused_by_the_header_and_by_the_columns(junk: bytes) -> None:
    from hashlib import sha256

    for rest in (junk, encode_batch(minute_batch(1))[36:80] + junk):
        with pytest.raises(ProtocolError):
            decode_batch(b"GHB1" + sha256(rest).digest() + rest)


def test_the_header_names_the_batch_without_unpacking_it() -> None:
    header = batch_header(encode_batch(minute_batch()))
    assert (header.edge_id, header.epoch, header.lane, header.first_seq, header.last_seq) == (
        "gw-1",
        7,
        Lane.BILLING,
        1,
        600,
    )
    assert len(header.digest) == 64


def test_a_register_read_each_minute_travels_in_under_a_byte_a_reading() -> None:
    assert len(encode_batch(minute_batch())) / 600 < 1.0


def test_a_small_body_that_unpacks_into_gigabytes_is_refused() -> None:
    from hashlib import sha256

    import zstandard

    wire = encode_batch(minute_batch(1))
    length = int.from_bytes(wire[36:38], "little")
    rest = wire[36 : 38 + length] + zstandard.ZstdCompressor().compress(bytes(64 * 1024 * 1024))
    with pytest.raises(ProtocolError, match="unpack to"):
        decode_batch(b"GHB1" + sha256(rest).digest() + rest)
