"""Payloads of CJ/T 188: a number only where its place, its digits and its unit are right."""

from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import cjt188, cjt188_data
from protocols.cjt188_data import Layout, Value
from protocols.errors import Unsupported
from protocols.quantity import Quality, Quantity

NEW_YEAR = datetime(2026, 1, 1)  # noqa: DTZ001 - meters name no zone
# An answer of a heat meter, index 23164577965 of the public code index; and one with its units first, 25826630114.
HEAT = bytes.fromhex(
    "11740200058827440505000000001700000000350856710 02C792600642600664707 11521703092520 0005".replace(" ", "")
)
UNIT_FIRST = bytes.fromhex(
    "0519285300 0519285300 1700000000 3500000000 2C42331800 031900 101900 612700 26572331031520 0301".replace(" ", "")
)

clocks = st.datetimes(NEW_YEAR.replace(year=1900), NEW_YEAR.replace(year=2099))
digits = st.integers(0, 99_999_999)


def told(values: list[Value]) -> dict[str, str]:
    return {value.name: f"{value.quantity.value} {value.quantity.unit}".strip() for value in values}


@given(digits, digits, clocks, st.sampled_from([0, 1, 2]), st.booleans())
def test_a_water_meter_is_read_as_it_was_written(
    total: int, settlement: int, clock: datetime, valve: int, is_low: bool
) -> None:
    volume, month = Decimal(total).scaleb(-2), Decimal(settlement).scaleb(-2)
    payload = cjt188_data.encode_water(volume, month, clock, valve=valve, is_battery_low=is_low)
    first, *rest = cjt188_data.decode_water(payload)
    assert (first.name, first.quantity) == ("volumeTotal", Quantity(volume, "m3"))
    assert first.at == clock.replace(microsecond=0).isoformat()
    assert [(value.name, value.quantity.value) for value in rest] == [
        ("settlementVolume", month),
        ("valveState", valve),
        ("batteryLow", is_low),
    ]


def test_a_heat_meter_tells_all_that_it_measures() -> None:
    values = cjt188_data.decode_heat(HEAT)
    assert values[0].at == "2025-09-03T17:52:11"
    assert told(values) == {
        "energyTotal": "54427.88 kWh",
        "settlementEnergy": "274.11 kWh",
        "powerTotal": "0.00 kW",
        "flowRate": "0.0000 m3/h",
        "volumeTotal": "7156.08 m3",
        "supplyTemperature": "26.79 degC",
        "returnTemperature": "26.64 degC",
        "operatingTime": "74766 h",
        "valveState": "0",
        "batteryLow": "0",
    }


def test_makers_differ_in_what_the_first_energy_is() -> None:
    cooling = told(cjt188_data.decode_heat(HEAT, Layout(first_energy="cooling")))
    assert (cooling["energyTotal"], cooling["energyCooling"]) == ("54427.88 kWh", "274.11 kWh")
    heat = told(cjt188_data.decode_heat(HEAT, Layout(first_energy="heat")))
    assert (heat["energyTotal"], heat["settlementEnergy"]) == ("274.11 kWh", "54427.88 kWh")


def test_makers_differ_in_where_the_unit_stands() -> None:
    right = told(cjt188_data.decode_heat(UNIT_FIRST, Layout(is_unit_first=True)))
    assert right["energyTotal"] == "5328.19 kWh"
    assert right["volumeTotal"] == "1833.42 m3"
    wrong = cjt188_data.decode_heat(UNIT_FIRST)
    assert {value.quantity.quality for value in wrong[:5]} == {Quality.INVALID}


def test_makers_differ_in_the_places_of_the_flow() -> None:
    flowing = HEAT[:15] + bytes.fromhex("3412000035") + HEAT[20:]
    assert told(cjt188_data.decode_heat(flowing))["flowRate"] == "0.1234 m3/h"
    assert told(cjt188_data.decode_heat(flowing, Layout(flow_decimals=2)))["flowRate"] == "12.34 m3/h"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (0x02, "12.34 Wh"),
        (0x05, "12.34 kWh"),
        (0x08, "12.34 MWh"),
        (0x0A, "1234 MWh"),
        (0x0E, "12.34 MJ"),
        (0x11, "12.34 GJ"),
        (0x13, "1234 GJ"),
        (0x2C, "None kWh"),
        (0x77, "None kWh"),
    ],
)
def test_an_energy_is_in_an_energy_unit_or_none(code: int, expected: str) -> None:
    payload = HEAT[:5] + bytes.fromhex("34120000") + bytes((code,)) + HEAT[10:]
    assert told(cjt188_data.decode_heat(payload))["energyTotal"] == expected


@given(st.integers(0, 255), st.integers(0, 0xFFFF), st.binary(max_size=60), st.booleans())
def test_any_payload_is_values_or_unsupported(meter_type: int, di: int, payload: bytes, is_unit_first: bool) -> None:
    try:
        values = cjt188_data.decode_item(meter_type, di, payload, Layout(is_unit_first=is_unit_first))
    except Unsupported:
        return
    for value in values:
        assert (value.quantity.value is None) == (value.quantity.quality is not Quality.GOOD)


@pytest.mark.parametrize(("meter_type", "length"), [(0x10, 18), (0x10, 20), (0x20, 42), (0x20, 19), (0x30, 0)])
def test_a_payload_of_another_length_is_one_bad_value(meter_type: int, length: int) -> None:
    (value,) = cjt188_data.decode_item(meter_type, cjt188.CURRENT_DATA, bytes(length))
    assert (value.quantity.quality, value.raw) == (Quality.INVALID, bytes(length))


def test_an_undefined_valve_state_is_invalid() -> None:
    payload = bytearray(cjt188_data.encode_water(Decimal(1), Decimal(1), NEW_YEAR))
    payload[17] = 0b10
    valve = cjt188_data.decode_water(bytes(payload))[2]
    assert (valve.name, valve.quantity.quality) == ("valveState", Quality.INVALID)


@pytest.mark.parametrize(
    ("meter_type", "di", "payload", "expected"),
    [
        (0x10, 0xD120, "132333432C", {"settlementVolume": "43332313 m3"}),
        (0x20, 0xD12B, "3412000005", {"settlementEnergy": "12.34 kWh"}),
        (0x10, 0x9020, "341200002C", {"settlementVolume": "12.34 m3"}),
        (0x10, 0x8103, "01", {"settlementDay": "1"}),
    ],
)
def test_what_a_meter_remembers_is_read(meter_type: int, di: int, payload: str, expected: dict[str, str]) -> None:
    values = cjt188_data.decode_item(meter_type, di, bytes.fromhex(payload))
    assert {name: text.replace(".", "") for name, text in told(values).items()} == {
        name: text.replace(".", "") for name, text in expected.items()
    }


@given(clocks, digits)
def test_a_freeze_is_read_as_it_was_written(clock: datetime, total: int) -> None:
    payload = cjt188_data.encode_freeze(clock, Decimal(total).scaleb(-2))
    volume, flow, temperature, pressure = cjt188_data.decode_item(0x10, 0xD300, payload)
    assert (volume.at, volume.quantity.value) == (clock.replace(microsecond=0).isoformat(), Decimal(total).scaleb(-2))
    assert flow.quantity == Quantity(Decimal("0.0000"), "m3/h")
    assert {temperature.quantity.quality, pressure.quantity.quality} == {Quality.NOT_AVAILABLE}


@pytest.mark.parametrize(
    "field", ["FFFFFFFFFFFFFF", "00000000000000", "20200528205824", "31012211132020", "310122110515", "31012A11052020"]
)
def test_a_clock_that_is_none_is_none(field: str) -> None:
    assert cjt188_data.decode_clock(bytes.fromhex(field)) is None
