"""What is wrong in a register map is told with file, line, key and remedy."""

from decimal import Decimal

import pytest

from drivers.base import Point
from drivers.errors import ProfileError
from drivers.modbus_value import source_of
from drivers.profile import parse_profile

HEAD = """\
title = "A meter"
kind = "electricity"
protocol = "modbus"
sources = ["its manual 4711"]
"""
POINT = """
[[point]]
name = "powerTotal"
address = 10
"""
# The line after "address = 10".
FIRST = 9


def only_fault(text: str) -> tuple[int, str, str]:
    with pytest.raises(ProfileError) as caught:
        parse_profile(text, "electricity/x", "x.toml")
    (fault,) = caught.value.faults
    assert fault.file == "x.toml"
    return fault.line, fault.key, f"{fault.message}. {fault.remedy}"


def points(text: str) -> tuple[Point, ...]:
    return parse_profile(text, "electricity/x", "x.toml").points


def second(lines: str) -> str:
    return f'\n[[point]]\nname = "other"\naddress = 10\n{lines}\n'


@pytest.mark.parametrize(
    ("lines", "key", "words"),
    [
        ("scale = 0", "scale", "makes every value 0"),
        ('type = "u32"\nlength = 4', "length", "a u32 has 2 registers, not 4. Correct the type or the length"),
        ('states = { 70000 = "on" }', "states", "the state 70000 cannot come: the register holds 65536 numbers"),
        ('type = "i16"\nstates = { 32768 = "on" }', "states", "from -32768 to 32767"),
        ('bit = 3\nstates = { 2 = "on" }', "states", "the state 2 cannot come: the register holds 2 numbers"),
        ("not_available = 65536", "not_available", "the number 65536 cannot come"),
        ('type = "i16"\nnot_available = [32768, -40000]', "not_available", "the number -40000 cannot come"),
        ('type = "bcd16"\nnot_available = 10000', "not_available", "from 0 to 9999"),
        ('order = "GHEFCDAB"', "order", "is one of four registers, and a u16 has 1. Write ABCD"),
        ('type = "f32"\norder = "CDABGHEF"', "order", "a f32 has 2"),
        ('type = "i16"\nbit = 3', "bit", "no part can be cut out of a i16. Use one of u16"),
        ('type = "f32"\nmask = 3', "mask", "no part can be cut out of a f32"),
        ("bit = 16", "bit", "a u16 has no such bits: it has 16, counted from 0"),
        ("mask = 0x10000", "mask", "a u16 has no such bits"),
        ("mask = 0x0505", "mask", "the bits of the mask 0x505 do not stand side by side"),
        ("bit = 3\nmask = 8", "mask", "either 'bit' or 'mask'"),
        ("bit = 3\nwrite = { min = 0, max = 1 }", "write", "its other bits would be overwritten"),
        ('type = "u16"\nrollover = 10', "", "only a register has 'max_per_hour' and 'rollover'"),
        ("max_per_hour = 10", "", "only a register has 'max_per_hour'"),
    ],
)
def test_a_number_that_its_register_cannot_hold_is_found(lines: str, key: str, words: str) -> None:
    _line, found, message = only_fault(HEAD + POINT + lines)
    assert found == ("point[1]." + key).rstrip(".")
    assert words in message


def test_a_fault_is_told_with_the_line_of_its_key() -> None:
    line, key, _ = only_fault(HEAD + POINT + "scale = 0\n")
    assert (line, key) == (FIRST, "point[1].scale")


@pytest.mark.parametrize("settings", ["max_registers = 1", "max_registers = 3"])
def test_a_number_longer_than_a_request_is_never_read(settings: str) -> None:
    _, key, message = only_fault(HEAD + f"[modbus]\n{settings}\n" + POINT + 'type = "u64"')
    assert key == "point[1].address"
    assert "a u64 has 4 registers and a request at most" in message


@pytest.mark.parametrize(
    ("point", "words"),
    [
        ("address = 9", "register 9 of function 3 cannot be reached. [[modbus.range]] has 10 to 19, 40 to 49"),
        ("address = 20", "register 20 of function 3"),
        ('address = 19\ntype = "u32"', "registers 19 to 20 of function 3"),
        ("address = 10\nfunction = 4", "has none for this function"),
    ],
)
def test_a_register_that_the_model_does_not_have_is_found(point: str, words: str) -> None:
    ranges = "".join(
        f"[[modbus.range]]\nfunction = 3\nfirst = {first}\nlast = {last}\n" for first, last in ((10, 19), (40, 49))
    )
    _, key, message = only_fault(HEAD + ranges + POINT.replace("address = 10", point))
    assert key == "point[1].address"
    assert words in message


def test_a_range_that_ends_before_it_begins_is_found() -> None:
    text = HEAD + "[[modbus.range]]\nfunction = 3\nfirst = 0\nlast = 99\n"
    line, key, message = only_fault(text + "[[modbus.range]]\nfunction = 3\nfirst = 20\nlast = 10\n" + POINT)
    assert (line, key) == (11, "modbus.range[2].first")
    assert "Write the lower address first" in message


def test_points_share_a_register_by_its_bits() -> None:
    low, high, flag = points(
        HEAD
        + POINT
        + "mask = 0x00FF"
        + second("mask = 0x7F00")
        + '\n[[point]]\nname = "third"\naddress = 10\nbit = 15\nstates = { 0 = "off", 1 = "on" }\n'
    )
    assert [(source_of(it).mask, source_of(it).shift) for it in (low, high, flag)] == [
        (0xFF, 0),
        (0x7F00, 8),
        (0x8000, 15),
    ]


def test_the_halves_of_a_register_are_two_points() -> None:
    high, low = points(HEAD + POINT + 'type = "u8hi"' + second('type = "u8lo"'))
    assert (source_of(high).mask, source_of(low).mask, source_of(low).type) == (0xFF00, 0x00FF, "u16")


@pytest.mark.parametrize(
    ("mine", "theirs", "words"),
    [
        ("mask = 0x00FF", "mask = 0x0180", "the bits 0x80 of register 10 are already part of 'powerTotal'"),
        ("bit = 3", "bit = 3", "the bits 0x8 of register 10"),
        ("bit = 3", "", "register 10 is already part of 'powerTotal'"),
        ('bit = 3\ntype = "u32"', 'bit = 4\ntype = "u16"', "register 10 is already part of 'powerTotal'"),
        ('bit = 3\norder = "BADC"', "bit = 4", "register 10 is already part of 'powerTotal'"),
    ],
)
def test_bits_that_two_points_claim_are_found(mine: str, theirs: str, words: str) -> None:
    _, key, message = only_fault(HEAD + POINT + mine + second(theirs))
    assert key == "point[2].address"
    assert words in message


def test_a_pattern_of_bits_stands_for_the_negative_number_that_it_is() -> None:
    (point,) = points(HEAD + POINT + 'type = "i16"\nnot_available = [0x8000, 0x7FFF]')
    assert source_of(point).not_available == {-32768, 32767}


@pytest.mark.parametrize("order", ["ABCDEFGH", "GHEFCDAB", "BADCFEHG", "HGFEDCBA", "EFGHABCD"])
def test_four_registers_have_orders_of_their_own(order: str) -> None:
    (point,) = points(HEAD + POINT + f'type = "u64"\norder = "{order}"\nscale = 0.01')
    assert (source_of(point).order, source_of(point).scale) == (order, Decimal("0.01"))


def test_only_a_door_is_opened() -> None:
    line, key, message = only_fault(HEAD + "[relay]\ncoil = 0\npulse_register = 1\n" + POINT)
    assert (line, key) == (5, "relay")
    assert "a device of kind 'electricity' has no [relay]" in message
