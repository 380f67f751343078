"""Identifiers that are families: demands, freezes, settlements, events, status words bit by bit."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.dlt645 import decode_values
from protocols.dlt645_item import ITEMS
from protocols.dlt645_reader import freeze_di, freeze_instant_di, number_behind
from protocols.dlt645_status import status_flags
from protocols.errors import ProtocolError
from protocols.quantity import Quality, Quantity

KNOWN = [*sorted(ITEMS), 0x01010003, 0x0102FF00, 0x05060101, 0x05060001, 0x05010201, 0x04000501, 0x040005FF, 0x000100FF]


@pytest.mark.parametrize(
    ("di", "payload", "name", "value", "unit"),
    [
        (0x01010200, "341200" + "5914311226", "demandImportMaxTariff2", "0.1234", "kW"),
        (0x01030000, "341200" + "5914311226", "reactiveDemandCombined1Max", "0.1234", "kvar"),
        (0x00150000, "56341200", "energyImportL1", "1234.56", "kWh"),
        (0x003E0000, "56341200", "energyExportL3", "1234.56", "kWh"),
        (0x00090000, "56341200", "apparentImport", "1234.56", "kVAh"),
        (0x02080100, "2501", "voltageDistortionL1", "1.25", "%"),
        (0x020B0315, "2501", "currentHarmonicL3Order21", "1.25", "%"),
        (0x02800004, "123480", "demand", "-0.3412", "kW"),
        (0x03110000, "070000", "powerOutageCount", "7", ""),
    ],
)
def test_single_numbers_of_families(di: int, payload: str, name: str, value: str, unit: str) -> None:
    (got,) = decode_values(di, bytes.fromhex(payload))
    assert (got.name, str(got.quantity.value), got.quantity.unit) == (name, value, unit)


def test_demands_of_a_block_keep_their_own_instants() -> None:
    total, tariff = decode_values(0x0101FF01, bytes.fromhex("341200" + "5914311226" + "120000" + "0008010126"))
    assert (total.at, total.storage, total.di) == ("2026-12-31T14:59", 1, 0x01010001)
    assert (tariff.at, tariff.tariff, tariff.quantity.value) == ("2026-01-01T08:00", 1, Decimal("0.0012"))


def test_a_block_has_as_many_tariffs_as_the_meter_and_the_last_settlements_come_in_one() -> None:
    assert [value.name for value in decode_values(0x0001FF00, bytes(12))][1:] == [
        "energyImportTariff1",
        "energyImportTariff2",
    ]
    past = decode_values(0x000100FF, bytes(4 * 13))
    assert [value.storage for value in past] == list(range(13))


def test_voltage_losses_are_told_by_phase() -> None:
    values = decode_values(0x03010000, bytes.fromhex("010000020000" * 3))
    assert [(value.name, value.quantity.value, value.quantity.unit) for value in values[:2]] == [
        ("voltageLossL1Count", 1, ""),
        ("voltageLossL1Time", 2, "min"),
    ]


def test_status_words_name_their_bits() -> None:
    (word,) = decode_values(0x04000503, bytes.fromhex("5000"))
    assert (word.text, word.flags) == ("0050", ("relayOpen", "relayCommandOpen"))
    assert status_flags(1, 0x800C) == ("clockBatteryLow", "backupBatteryLow", "clockFault")
    assert status_flags(5, 0x0001) == ("voltageLossL2",)
    assert status_flags(7, 0x4000) == ("bit14",)


def test_a_daily_freeze_is_named_by_what_was_frozen() -> None:
    (instant,) = decode_values(freeze_instant_di(3), bytes.fromhex("0000231126"))
    assert (instant.name, instant.text, instant.storage) == ("dailyFreezeTime", "2026-11-23T00:00", 3)
    (none,) = decode_values(freeze_instant_di(62), b"\xff" * 5)
    assert none.quantity.quality is Quality.NOT_AVAILABLE
    total, tariff = decode_values(freeze_di(2, 1), bytes.fromhex("5634120001000000"))
    assert (total.name, total.quantity) == ("energyExportTotalDailyFreeze", Quantity(Decimal("1234.56"), "kWh"))
    assert (tariff.name, tariff.tariff) == ("energyExportTariff1DailyFreeze", 1)


def test_one_number_stands_behind_a_demand_and_none_behind_a_block() -> None:
    demand = number_behind(0x01010000)
    assert demand is not None
    assert (demand.length, demand.decimals, demand.unit) == (3, 4, "kW")
    assert number_behind(0x0101FF00) is None
    assert number_behind(0x04000501) is None
    assert number_behind(0xFFFFFFFF) is None


@given(st.sampled_from(KNOWN) | st.integers(0, 0xFFFFFFFF), st.binary(max_size=60))
def test_any_payload_is_values_or_unsupported(di: int, payload: bytes) -> None:
    try:
        values = decode_values(di, payload)
    except ProtocolError:
        return
    assert values
    for value in values:
        assert value.quantity.value is None or value.quantity.quality is Quality.GOOD
