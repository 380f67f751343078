"""A compiled block tells the same of every answer as the generic reading of its points."""

import struct
from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import example, given
from hypothesis import strategies as st

from drivers.base import kept
from drivers.modbus_value import compile_values, quantity_of, source_of
from drivers.profile import parse_profile

NOON = datetime(2026, 11, 23, 4, tzinfo=UTC)
SCALES = ("1", "0.1", "0.01", "0.001", "10", "0.5", "2.5")
UNITS = ("V", "kW", "Wh", "MWh", "kWh", "L", "bar")
TYPES = {"u16": 1, "i16": 1, "u32": 2, "i32": 2, "u64": 4, "i64": 4, "f32": 2, "bcd32": 2}

points = st.lists(
    st.tuples(st.sampled_from(sorted(TYPES)), st.sampled_from(SCALES), st.sampled_from(UNITS), st.booleans()),
    min_size=1,
    max_size=6,
)
# Every bit pattern is an answer; among the floats those that meters send are rare, so they are helped.
floats = st.floats(-1e7, 1e7, width=32)


def profile(kinds: list[tuple[str, str, str, bool]]) -> str:
    text = 'title = "x"\nkind = "electricity"\nprotocol = "modbus"\nsources = ["x"]\n'
    address = 0
    for number, (type_, scale, unit, has_gap) in enumerate(kinds):
        address += has_gap
        text += (
            f'[[point]]\nname = "p{number}"\naddress = {address}\ntype = "{type_}"\nscale = {scale}\nunit = "{unit}"\n'
        )
        address += TYPES[type_]
    return text


@given(points, st.data())
def test_compiled_and_generic_agree_on_any_bytes(kinds: list[tuple[str, str, str, bool]], data: st.DataObject) -> None:
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
    (point,) = parse_profile(profile([("f32", "1", "V", False)]), "x/x", "x.toml").points
    raw = struct.pack(">f", number)
    (value,) = compile_values((point,), 0, 2)(raw, NOON)
    assert value.quantity.value is not None
    if abs(value.quantity.value) >= Decimal("0.001"):
        assert struct.pack(">f", float(value.quantity.value)) == raw
    assert str(value.quantity.value) == str(kept(quantity_of(point, raw)).value)
