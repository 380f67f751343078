"""A profile that does not fit is told apart by what the device answers, and one that needs another order is named."""

import struct
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import PointValue, kept
from drivers.modbus_value import quantity_of
from drivers.profile import Profile, load_profile, parse_profile
from edge_agent.fit import FITS, MISFIT, PARTLY, SPANS, UNCLEAR, judge, telling_points
from protocols.quantity import Quality, Quantity

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
TEXT = """\
title = "A meter"
kind = "electricity"
protocol = "modbus"
sources = ["this test"]

[modbus]
function = 4
type = "f32"

[[point]]
name = "voltageL1"
address = 0
unit = "V"

[[point]]
name = "freq"
address = 70
unit = "Hz"

[[point]]
name = "energyImportTotal"
address = 72
unit = "kWh"
register = true
"""
PROFILE = parse_profile(TEXT, "electricity/mine", "mine.toml")


def told(point: str, raw: bytes, profile: Profile = PROFILE) -> PointValue:
    return PointValue(point, kept(quantity_of(profile.point(point), raw)), AT, raw)


def f32(value: float, order: str = "ABCD") -> bytes:
    wire = struct.pack(">f", value)
    return bytes(wire["ABCD".index(letter)] for letter in order)


def refused(point: str) -> PointValue:
    return PointValue(point, Quantity(None, PROFILE.point(point).canonical_unit, Quality.NOT_AVAILABLE), AT, b"")


def test_a_device_that_answers_what_its_profile_says_fits() -> None:
    fit = judge(PROFILE, [told("voltageL1", f32(229.9)), told("freq", f32(50)), told("energyImportTotal", f32(20417))])
    assert (fit.verdict, fit.reasons, fit.remedy) == (FITS, (), None)


def test_registers_that_are_swapped_are_told_with_the_order_that_makes_sense() -> None:
    values = [told("voltageL1", f32(229.9, "CDAB")), told("freq", f32(50, "CDAB"))]
    fit = judge(PROFILE, values)
    assert fit.verdict == MISFIT
    assert fit.reasons[0].startswith("'voltageL1' (input register 0) reads ")
    assert fit.remedy is not None
    assert "In the order CDAB 'voltageL1' would be 229.9 V" in fit.remedy


def test_a_number_too_small_to_be_kept_is_shown_as_it_stood_on_the_wire() -> None:
    fit = judge(PROFILE, [told("voltageL1", f32(1.2e-38))])
    assert (fit.verdict, fit.reasons) == (MISFIT, ("'voltageL1' (input register 0) reads 1.2e-38 V",))


def test_a_map_that_is_refused_does_not_fit() -> None:
    fit = judge(PROFILE, [], "unit 3 refuses (exception 2: illegal data address)")
    assert fit.verdict == MISFIT
    assert "'energyImportTotal' (input register 72): unit 3 refuses (exception 2" in fit.reasons[0]


def test_one_refused_register_among_good_ones_fits_in_part() -> None:
    fit = judge(PROFILE, [told("voltageL1", f32(229.9)), told("freq", f32(50)), refused("energyImportTotal")])
    assert (fit.verdict, fit.reasons) == (PARTLY, ("'energyImportTotal' (input register 72) is refused",))


def test_zeros_speak_neither_for_nor_against() -> None:
    assert judge(PROFILE, [told("voltageL1", f32(0)), told("energyImportTotal", f32(0))]).verdict == UNCLEAR


@given(st.binary(min_size=4, max_size=4))
def test_whatever_stands_in_the_registers_is_judged(raw: bytes) -> None:
    assert judge(PROFILE, [told("voltageL1", raw), told("freq", raw)]).verdict in (FITS, PARTLY, UNCLEAR, MISFIT)


@pytest.mark.parametrize("unit", SPANS)
def test_the_table_of_plausible_values_is_in_order(unit: str) -> None:
    span = SPANS[unit]
    assert span.low <= span.usual_low < span.usual_high <= span.high
    assert Decimal(0) < span.least <= max(span.usual_low, span.least)


def test_the_points_to_try_are_few_and_hold_the_register_and_one_of_each_kind() -> None:
    for name in ("electricity/eastron-sdm630", "electricity/dlt645-2007", "water/cjt188", "elevator/modbus-gateway"):
        profile = load_profile(name)
        chosen = telling_points(profile)
        assert profile.probe in chosen
        assert len(chosen) <= 8
        assert {profile.point(point).canonical_unit for point in chosen} & {*SPANS, ""}, Path(profile.file).name
