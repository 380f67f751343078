"""A compiled block tells the same of every answer as the generic reading of its points."""

import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from hypothesis import example, given
from hypothesis import strategies as st

from drivers.base import kept
from drivers.modbus_value import compile_values, quantity_of, source_of
from drivers.profile import parse_profile
from protocols.quantity import Quality, Quantity
from protocols.register import LONG_ORDERS, ORDERS

NOON = datetime(2026, 11, 23, 4, tzinfo=UTC)
SCALES = ("1", "0.1", "0.01", "0.001", "10", "0.5", "2.5")
UNITS = ("V", "kW", "Wh", "MWh", "kWh", "L", "bar")
TYPES = {
    "u16": 1, "i16": 1, "u32": 2, "i32": 2, "u64": 4, "i64": 4, "f32": 2, "bcd32": 2, "u48": 3, "f64": 4, "mod10k2": 2,
}  # fmt: skip
EXTRAS = ("", "", "not_available = [0, 1, 255]", "bit = 3", "mask = 0xFF00")


class Kind(NamedTuple):
    type: str
    scale: str
    unit: str
    has_gap: bool
    order: str
    extra: str


@st.composite
def kinds(draw: st.DrawFn) -> Kind:
    type_ = draw(st.sampled_from(sorted(TYPES)))
    # Most meters send numbers as they stand.
    order = draw(st.sampled_from(("ABCD",) * 4 + (LONG_ORDERS if TYPES[type_] == 4 else ORDERS)))
    extra = draw(st.sampled_from(EXTRAS))
    if type_[0] != "u" and ("bit" in extra or "mask" in extra):
        extra = ""
    return Kind(type_, draw(st.sampled_from(SCALES)), draw(st.sampled_from(UNITS)), draw(st.booleans()), order, extra)


points = st.lists(kinds(), min_size=1, max_size=6)
# Every bit pattern is an answer; among the floats those that meters send are rare, so they are helped.
floats = st.floats(-1e7, 1e7, width=32)


def profile(kinds: Sequence[Kind]) -> str:
    text = 'title = "x"\nkind = "electricity"\nprotocol = "modbus"\nsources = ["x"]\n'
    address = 0
    for number, it in enumerate(kinds):
        address += it.has_gap
        text += (
            f'[[point]]\nname = "p{number}"\naddress = {address}\ntype = "{it.type}"\norder = "{it.order}"\n'
            f'scale = {it.scale}\nunit = "{it.unit}"\n{it.extra}\n'
        )
        address += TYPES[it.type]
    return text


@given(points, st.data())
def test_compiled_and_generic_agree_on_any_bytes(kinds: Sequence[Kind], data: st.DataObject) -> None:
    found = parse_profile(profile(kinds), "x/x", "x.toml").points
    last = source_of(found[-1])
    payload = data.draw(st.binary(min_size=2 * (last.address + last.count), max_size=2 * (last.address + last.count)))
    values = compile_values(found, 0, 2)(payload, NOON)
    for point, value in zip(found, values, strict=True):
        source = source_of(point)
        raw = payload[2 * source.address : 2 * (source.address + source.count)]
        expected = kept(quantity_of(point, raw))
        assert (value.point, value.raw, value.taken_at) == (point.name, raw, NOON)
        assert value.quantity == expected
        assert str(value.quantity.value) == str(expected.value), "the places are the same as well"


@given(floats)
@example(0.1)
@example(219.13)
@example(999999.94)
@example(16777216.0)
def test_a_float_is_the_shortest_decimal_that_means_it(number: float) -> None:
    (point,) = parse_profile(profile([Kind("f32", "1", "V", False, "ABCD", "")]), "x/x", "x.toml").points
    raw = struct.pack(">f", number)
    (value,) = compile_values((point,), 0, 2)(raw, NOON)
    assert value.quantity.value is not None
    if abs(value.quantity.value) >= Decimal("0.001"):
        assert struct.pack(">f", float(value.quantity.value)) == raw
    assert str(value.quantity.value) == str(kept(quantity_of(point, raw)).value)


def read(lines: str, wire: str) -> list[Quantity]:
    head = 'title = "x"\nkind = "electricity"\nprotocol = "modbus"\nsources = ["x"]\n'
    found = parse_profile(head + lines, "x/x", "x.toml").points
    return [value.quantity for value in compile_values(found, 0, 2)(bytes.fromhex(wire), NOON)]


def test_points_of_one_register_each_take_their_bits() -> None:
    lines = "".join(
        f'[[point]]\nname = "p{number}"\naddress = 0\n{part}\n'
        for number, part in enumerate(('type = "u8hi"\nunit = "V"', "mask = 0x00F0", "bit = 0", "bit = 1"))
    )
    assert [quantity.value for quantity in read(lines, "E1A2")] == [225, 10, 0, 1]


def test_a_register_of_ones_is_no_value_where_the_profile_says_so() -> None:
    lines = """\
[[point]]
name = "a"
address = 0
type = "i32"
order = "CDAB"
scale = 0.01
unit = "W"
not_available = [0x80000000, 0x7FFFFFFF]
[[point]]
name = "b"
address = 2
type = "u64"
unit = "Wh"
not_available = 0xFFFFFFFFFFFFFFFF
"""
    none = Quality.NOT_AVAILABLE
    assert read(lines, "0000 8000" + "FF" * 8) == [Quantity(None, "W", none), Quantity(None, "kWh", none)]
    assert read(lines, "FFFF 7FFF" + "FF" * 7 + "FE")[0] == Quantity(None, "W", none)
    assert read(lines, "FFFE FFFF" + "00" * 6 + "03E8") == [
        Quantity(Decimal("-0.02"), "W"),
        Quantity(Decimal("1.000"), "kWh"),
    ]
