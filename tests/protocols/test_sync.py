"""A batch arrives as it was sent or not at all."""

from dataclasses import replace
from decimal import Decimal
from hashlib import sha256
from itertools import accumulate

import pytest
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import ProtocolError
from protocols.quantity import Quality, from_scaled
from protocols.sync import (
    Batch,
    ClockSpan,
    Dictionary,
    Event,
    Lane,
    Reading,
    Record,
    Series,
    batch_header,
    decode_batch,
    decode_columns,
    encode_batch,
)

ENERGY = Series("em-1", "energyImportTotal", "kWh")

names = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12
)
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
    st.one_of(st.just(""), st.from_regex(r"[0-9a-f]{64}", fullmatch=True)),
)
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
PUBLIC = KEY.public_key().public_bytes_raw().hex()
SIGNATURE = range(36, 100)
# ``minute_batch(3)``, as the version that wrote GHB2 has signed it.
GHB2 = bytes.fromhex(
    "47484232dde43db829536f3e6c1bacf813fa78cb077457867e7e4f72ee60df71fdfaf384552d246ade95771eb587aaa3589a7b78"
    "460e82f744b7dee8957dcd0406ddfb8b03eb42185fbafd551b269e9e74163031b23d111b935de118e3cbbcace403d20e40007b22"
    "65646765223a2267772d31222c2265706f6368223a372c226c616e65223a322c226669727374223a312c22636f756e74223a332c"
    "2270726576223a22227d28b52ffd20801d0300e404270000005b5b22656d2d31222c22656e65726779496d706f7274546f74616c"
    "222c226b5768222c2d325d5d0600186060a8eaeada00007600009b000001400303e203020000007b7d020000005b5d07002b4372"
    "05d834fa1900a0a8ae0451029401"
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


@given(batches, st.lists(st.integers(1, 2**30), min_size=30, max_size=30), st.data())
def test_records_keep_their_numbers_and_series_where_some_between_are_missing(
    batch: Batch, steps: list[int], data: st.DataObject
) -> None:
    seqs = tuple(accumulate(steps[: len(batch.records)], initial=batch.first_seq - 1))[1:]
    spans = tuple(ClockSpan(seq, "b" * 8, -seq, data.draw(st.one_of(st.none(), instants))) for seq in seqs[:2])
    sparse = replace(batch, seqs=seqs, clocks=spans)
    found = dict.fromkeys(record.series for record in batch.records if isinstance(record, Reading))
    numbers = {series: number for number, series in enumerate(found, 1)}
    known = data.draw(st.integers(0, len(numbers)))
    wire = encode_batch(sparse, KEY.sign, Dictionary(numbers, known))
    header = batch_header(wire)
    assert (header.last_seq, header.size, header.clocks) == (seqs[-1], len(batch.records), spans)
    assert (header.names_base, header.names) == (known, tuple(found)[known:])
    got = decode_batch(wire, {number: series for series, number in numbers.items() if number <= known})
    assert list(got.numbered()) == list(zip(seqs, batch.records, strict=True))
    if known:
        with pytest.raises(ProtocolError, match="named the series"):
            decode_batch(wire)


@given(batches)
def test_columns_hold_what_the_records_hold(batch: Batch) -> None:
    wire = encode_batch(batch)
    header, columns, told = decode_columns(wire)
    records = dict(decode_batch(wire).numbered())
    found: dict[int, Record] = dict(told)
    for column in columns:
        for seq, at, mantissa, quality in zip(column.seqs, column.at, column.mantissas, column.qualities, strict=True):
            value = None if quality & 0x80 else from_scaled(mantissa, column.exponent)
            record = records[seq]
            assert isinstance(record, Reading)
            found[seq] = Reading(column.series, at, value, Quality(quality & 0x7F), record.raw)
    assert (found, header.size) == (records, len(records))


def test_a_wrong_clock_is_put_right_from_the_record_on_where_it_went_wrong() -> None:
    batch = replace(minute_batch(4), clocks=(ClockSpan(2, "boot", 0, 5_000), ClockSpan(4, "boot", 0, None)))
    stamped = dict(batch.stamped())
    raw = batch.records
    assert stamped[1] == raw[0]
    assert stamped[2] == raw[1]._replace(taken_at=raw[1].taken_at + 5_000)
    assert stamped[4] == raw[3]._replace(quality=Quality.SUSPECT), "nobody knows when that was"


@given(batches, st.data())
def test_a_signed_batch_with_one_flipped_bit_is_refused(batch: Batch, data: st.DataObject) -> None:
    wire = bytearray(encode_batch(batch, KEY.sign))
    assert batch_header(bytes(wire)).is_signed_by(PUBLIC)
    bit = data.draw(st.integers(0, 8 * len(wire) - 1))
    wire[bit // 8] ^= 1 << bit % 8
    if SIGNATURE.start <= bit // 8 < SIGNATURE.stop:
        assert not batch_header(bytes(wire)).is_signed_by(PUBLIC)
    else:
        with pytest.raises(ProtocolError):
            decode_batch(bytes(wire))


def test_only_the_gateways_own_key_signs_and_only_batches() -> None:
    header = batch_header(encode_batch(minute_batch(), KEY.sign))
    other = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
    assert header.is_signed_by(PUBLIC)
    assert not header.is_signed_by(other.public_key().public_bytes_raw().hex())
    assert not header._replace(signature=KEY.sign(bytes.fromhex(header.digest))).is_signed_by(PUBLIC)
    unsigned = batch_header(encode_batch(minute_batch()))
    assert (unsigned.signature, unsigned.is_signed_by(PUBLIC), unsigned.digest) == (b"", False, header.digest)
    for key in ("", "ab", "zz" * 32):
        assert not header.is_signed_by(key)


def test_a_batch_of_the_versions_before_is_still_read() -> None:
    """The centre's log has them; the first layout had neither signature nor prev."""
    assert decode_batch(GHB2) == minute_batch(3)
    assert batch_header(GHB2).is_signed_by(PUBLIC)
    rest = GHB2[100:]
    first = batch_header(b"GHB1" + sha256(rest).digest() + rest)
    assert (first.last_seq, first.signature, first.is_signed_by(PUBLIC)) == (3, b"", False)


def test_a_batch_cut_at_any_byte_is_refused() -> None:
    wire = encode_batch(minute_batch(20))
    for length in range(len(wire)):
        with pytest.raises(ProtocolError):
            batch_header(wire[:length])


@given(st.binary(max_size=300))
def test_bytes_of_a_stranger_are_refused_by_the_header_and_by_the_columns(junk: bytes) -> None:
    for rest in (junk, encode_batch(minute_batch(1))[100:144] + junk):
        with pytest.raises(ProtocolError):
            decode_batch(b"GHB3" + sha256(rest).digest() + bytes(64) + rest)


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
    wire = encode_batch(minute_batch(1))
    length = int.from_bytes(wire[100:104], "little")
    rest = wire[100 : 104 + length] + zstandard.ZstdCompressor().compress(bytes(64 * 1024 * 1024))
    with pytest.raises(ProtocolError, match="unpack to"):
        decode_batch(b"GHB3" + sha256(rest).digest() + bytes(64) + rest)
