"""Numbers in registers are the meter's numbers, in every order of bytes."""

import math
import struct
from decimal import Decimal
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.client.mixin import ModbusClientMixin

from protocols.errors import LengthMismatch, MalformedFrame, Unsupported
from protocols.modbus import decode_registers, encode_registers
from protocols.register import LONG_ORDERS, ORDERS, TYPE_LENGTH, largest, wire_positions

WHOLE = {name: length for name, length in TYPE_LENGTH.items() if name[0] in "ui"}


@pytest.mark.parametrize(
    ("words", "type_", "order", "expected"),
    [
        ([0x4366, 0x3334], "f32", "ABCD", "230.20001"),  # one step above 230.2, which a manual calls it
        ([0x43E6, 0x3333], "f32", "ABCD", "460.4"),
        ([0x3333, 0x43E6], "f32", "CDAB", "460.4"),
        ([0xE643, 0x3333], "f32", "BADC", "460.4"),
        ([0x3333, 0xE643], "f32", "DCBA", "460.4"),
        ([0x4049, 0x0FDB], "f32", "ABCD", "3.1415927"),
        ([0x0FDB, 0x4049], "f32", "CDAB", "3.1415927"),
        ([0x4940, 0xDB0F], "f32", "BADC", "3.1415927"),
        ([0xDB0F, 0x4940], "f32", "DCBA", "3.1415927"),
        ([0x0102], "u16", "BADC", "513"),
        ([0xFFFE], "i16", "ABCD", "-2"),
        ([0x0001, 0x0002], "u32", "ABCD", "65538"),
        ([0x0002, 0x0001], "u32", "CDAB", "65538"),
        ([4, 3, 2, 1], "u64", "CDAB", str(1 << 48 | 2 << 32 | 3 << 16 | 4)),
        ([0xFFFF] * 4, "i64", "ABCD", "-1"),
        ([0x1234], "bcd16", "ABCD", "1234"),
        ([0x0012, 0x3456], "bcd32", "ABCD", "123456"),
        ([0x0012, 0x3456, 0x7890], "bcd48", "ABCD", "1234567890"),
        ([0x7890, 0x3456, 0x0012, 0x0000], "bcd64", "CDAB", "1234567890"),
        ([0x0001, 0x0002, 0x0003], "u48", "ABCD", str(1 << 32 | 2 << 16 | 3)),
        ([0x0003, 0x0002, 0x0001], "u48", "CDAB", str(1 << 32 | 2 << 16 | 3)),
        ([0xFFFF, 0xFFFF, 0xFFFE], "i48", "ABCD", "-2"),
        ([12, 3456], "mod10k2", "ABCD", "123456"),
        ([1, 2, 3], "mod10k3", "ABCD", "100020003"),
        ([4, 3, 2, 1], "mod10k4", "CDAB", "1000200030004"),
    ],
)
def test_known_numbers(words: list[int], type_: str, order: str, expected: str) -> None:
    assert str(decode_registers(words, type_, order)) == expected
    assert encode_registers(Decimal(expected), type_, order) == words


@pytest.mark.parametrize("order", LONG_ORDERS)
def test_an_order_of_eight_letters_is_the_order_of_the_wire(order: str) -> None:
    wire = bytes(0x11 * (1 + "ABCDEFGH".index(letter)) for letter in order)
    words = [wire[at] << 8 | wire[at + 1] for at in range(0, 8, 2)]
    assert decode_registers(words, "u64", order) == 0x1122334455667788
    assert encode_registers(Decimal(0x1122334455667788), "u64", order) == words
    assert bytes(wire[position] for position in wire_positions(4, order)).hex() == "1122334455667788"


@pytest.mark.parametrize(("short", "long"), list(zip(ORDERS, LONG_ORDERS, strict=False)))
def test_an_order_of_four_letters_is_one_of_eight(short: str, long: str) -> None:
    assert decode_registers([1, 2, 3, 4], "u64", short) == decode_registers([1, 2, 3, 4], "u64", long)


@pytest.mark.parametrize("type_", [name for name, length in TYPE_LENGTH.items() if length != 4])
def test_an_order_of_eight_letters_needs_four_registers(type_: str) -> None:
    with pytest.raises(Unsupported):
        decode_registers([0] * TYPE_LENGTH[type_], type_, "GHEFCDAB")


@pytest.mark.parametrize("type_", [name for name in TYPE_LENGTH if name[0] != "f"])
def test_the_largest_number_of_a_type_fits_and_one_more_does_not(type_: str) -> None:
    most = largest(type_)
    assert decode_registers(encode_registers(Decimal(most), type_), type_) == most
    least = -most - 1 if type_[0] == "i" else 0
    assert decode_registers(encode_registers(Decimal(least), type_), type_) == least
    for beyond in (most + 1, least - 1):
        with pytest.raises(ValueError, match="fit"):
            encode_registers(Decimal(beyond), type_)


def test_a_float_has_no_largest_whole_number() -> None:
    with pytest.raises(Unsupported):
        largest("f32")


@pytest.mark.parametrize("order", ORDERS)
@given(data=st.data())
def test_whole_numbers_survive_every_order(order: str, data: st.DataObject) -> None:
    type_ = data.draw(st.sampled_from(sorted(WHOLE)))
    bits = 16 * WHOLE[type_]
    low, high = (0, 2**bits - 1) if type_[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    value = Decimal(data.draw(st.integers(low, high)))
    assert decode_registers(encode_registers(value, type_, order), type_, order) == value


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.sampled_from(ORDERS))
def test_a_float32_is_the_shortest_number_with_its_bytes(value: float, order: str) -> None:
    words = encode_registers(Decimal(repr(value)), "f32", order)
    got = decode_registers(words, "f32", order)
    assert isinstance(got, Decimal)
    assert struct.pack(">f", float(got)) == struct.pack(">f", value)


@given(st.lists(st.integers(0, 65535), min_size=2, max_size=2), st.sampled_from(["ABCD", "CDAB"]))
def test_pymodbus_reads_the_same_numbers(words: list[int], order: str) -> None:
    word_order: Literal["big", "little"] = "big" if order == "ABCD" else "little"
    for type_, theirs in (("u32", "UINT32"), ("i32", "INT32"), ("f32", "FLOAT32")):
        data_type = ModbusClientMixin.DATATYPE[theirs]
        expected = ModbusClientMixin.convert_from_registers(words, data_type, word_order=word_order)
        got = decode_registers(words, type_, order)
        assert isinstance(expected, int | float)
        if got is None:
            assert not math.isfinite(expected)
        else:
            assert isinstance(got, Decimal)
            assert struct.pack(">d", float(got)) == struct.pack(">d", float(expected)) or type_ == "f32"
            assert math.isclose(float(got), expected, rel_tol=1e-6, abs_tol=1e-45)


@pytest.mark.parametrize("words", [[0x7FC0, 0], [0xFFFF, 0xFFFF], [0x7F80, 0], [0xFF80, 0]])
def test_a_float_that_is_no_number_has_no_value(words: list[int]) -> None:
    assert decode_registers(words, "f32") is None
    assert decode_registers([0x7FF8, 0, 0, 0], "f64") is None


def test_a_text_ends_at_its_first_nul() -> None:
    assert decode_registers([0x5344, 0x4D20, 0x0041], "str") == "SDM"
    assert decode_registers([0x4453, 0x204D], "str", "BADC") == "SDM"


def test_a_bad_digit_is_refused() -> None:
    with pytest.raises(MalformedFrame):
        decode_registers([0x12A4], "bcd16")
    with pytest.raises(MalformedFrame, match="at most 9999, not 10000"):
        decode_registers([10_000, 0], "mod10k2")


@pytest.mark.parametrize("words", [[], [1], [1, 2, 3]])
def test_too_few_or_too_many_registers_are_refused(words: list[int]) -> None:
    with pytest.raises(LengthMismatch):
        decode_registers(words, "u32")


@pytest.mark.parametrize(("type_", "order"), [("u8", "ABCD"), ("u16", "abcd"), ("str", "X")])
def test_an_unknown_type_or_order_is_refused(type_: str, order: str) -> None:
    with pytest.raises(Unsupported):
        decode_registers([1], type_, order)


@pytest.mark.parametrize(
    ("value", "type_"),
    [("65536", "u16"), ("-1", "u32"), ("1.5", "i16"), ("10000", "bcd16"), ("-1", "bcd32"), ("1e39", "f32")],
)
def test_what_does_not_fit_is_refused(value: str, type_: str) -> None:
    with pytest.raises(ValueError, match=r"fit|whole"):
        encode_registers(Decimal(value), type_)
