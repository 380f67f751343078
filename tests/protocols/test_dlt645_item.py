"""Numbers behind data identifiers keep their digits, and a field that does not fit gives none."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.dlt645 import ITEMS, decode_values, encode_value, find_items
from protocols.errors import ProtocolError, Unsupported
from protocols.quantity import UNITS, Quality, Quantity


@pytest.mark.parametrize(
    ("di", "payload", "name", "value", "unit"),
    [
        (0x00010000, "56341200", "energyImportTotal", "1234.56", "kWh"),
        (0x00000000, "56341280", "energyCombinedTotal", "-1234.56", "kWh"),
        (0x00010000, "56341280", "energyImportTotal", "801234.56", "kWh"),
        (0x00023F00, "01000000", "energyExportTariff63", "0.01", "kWh"),
        (0x02010300, "0523", "voltageL3", "230.5", "V"),
        (0x02020100, "345680", "currentL1", "-5.634", "A"),
        (0x02030000, "123480", "powerTotal", "-0.3412", "kW"),
        (0x02060000, "0590", "pf", "-1.005", ""),
        (0x02800002, "9849", "freq", "49.98", "Hz"),
        (0x02800007, "5180", "temperature", "-5.1", "degC"),
        (0x00900200, "56980100", "balanceMoney", "198.56", "CNY"),
    ],
)
def test_single_numbers(di: int, payload: str, name: str, value: str, unit: str) -> None:
    (got,) = decode_values(di, bytes.fromhex(payload))
    assert (got.name, str(got.quantity.value), got.quantity.unit) == (name, value, unit)
    assert got.raw == bytes.fromhex(payload)


def test_a_past_settlement_has_its_number() -> None:
    total, *tariffs = decode_values(0x0001FF03, bytes.fromhex("01000000" * 5))
    assert (total.name, total.di, total.tariff, total.storage) == ("energyImportTotal", 0x00010003, 0, 3)
    assert [value.tariff for value in tariffs] == [1, 2, 3, 4]


def test_a_field_of_another_length_is_one_bad_value_and_shifts_nothing() -> None:
    (got,) = decode_values(0x0201FF00, bytes.fromhex("052300062300072300"))
    assert got.quantity == Quantity(None, "V", Quality.INVALID)
    assert got.raw.hex() == "052300062300072300"


def test_a_bad_digit_spoils_its_own_number_only() -> None:
    first, second, third = decode_values(0x0201FF00, bytes.fromhex("0523A623FFFF"))
    assert first.quantity == Quantity(Decimal("230.5"), "V")
    assert second.quantity == Quantity(None, "V", Quality.INVALID)
    assert third.quantity == Quantity(None, "V", Quality.NOT_AVAILABLE)


def test_a_demand_has_its_instant() -> None:
    (got,) = decode_values(0x01010000, bytes.fromhex("341200" + "5914311226"))
    assert (got.quantity, got.at) == (Quantity(Decimal("0.1234"), "kW"), "2026-12-31T14:59")
    (never,) = decode_values(0x01010000, bytes.fromhex("000000" + "0000000000"))
    assert never.at is None


def test_a_daily_freeze_holds_as_many_tariffs_as_the_meter_has() -> None:
    assert [value.tariff for value in decode_values(0x05060101, bytes(12))] == [0, 1, 2]
    (bad,) = decode_values(0x05060101, bytes(13))
    assert bad.quantity.quality is Quality.INVALID


def test_status_words_are_told_as_printed() -> None:
    assert [value.text for value in decode_values(0x04000503, bytes.fromhex("1000"))] == ["0010"]
    words = decode_values(0x040005FF, bytes(range(14)))
    assert [(value.name, value.di) for value in words][-1] == ("statusWord7", 0x04000507)
    assert words[-1].text == "0D0C"


def test_a_text_that_is_none_is_no_text() -> None:
    (filled,) = decode_values(0x04000402, b"\xff" * 6)
    (broken,) = decode_values(0x04000404, b"\x01\x02\x03\x04\x05\xf6")
    assert (filled.text, filled.quantity.quality) == (None, Quality.NOT_AVAILABLE)
    assert (broken.text, broken.quantity.quality) == (None, Quality.INVALID)


@pytest.mark.parametrize("di", [0x00470000, 0x00900102, 0x0001000D, 0x05060900, 0x020A0116, 0xFFFFFFFF])
def test_an_unknown_identifier_is_unsupported(di: int) -> None:
    with pytest.raises(Unsupported):
        decode_values(di, bytes(4))


def test_a_block_cannot_be_written_as_one_number() -> None:
    with pytest.raises(Unsupported):
        encode_value(0x0001FF00, Decimal(1))


def test_every_item_has_a_unit_of_the_house_and_every_block_its_parts() -> None:
    for di, items in ITEMS.items():
        assert all(item.unit in UNITS for item in items)
        assert (items[0].di == di) or all(ITEMS[item.di] == (item,) for item in items)


@given(st.sampled_from([di for di, items in ITEMS.items() if len(items) == 1]), st.data())
def test_what_is_written_is_read(di: int, data: st.DataObject) -> None:
    (item,) = find_items(di)
    top = (8 * 10 ** (2 * item.length - 1) if item.is_signed else 10 ** (2 * item.length)) - 1
    value = Decimal(data.draw(st.integers(-top if item.is_signed else 0, top))).scaleb(-item.decimals)
    (got,) = decode_values(di, encode_value(di, value))
    assert got.quantity == Quantity(value, item.unit)


@given(
    st.one_of(st.sampled_from([*ITEMS, 0x01010000, 0x04000101, 0x040005FF, 0x05060101]), st.integers(0, 2**32 - 1)),
    st.binary(max_size=64),
)
def test_any_payload_gives_values_or_a_protocol_error(di: int, payload: bytes) -> None:
    try:
        values = decode_values(di, payload)
    except ProtocolError:
        return
    assert values
    assert all(
        (v.quantity.quality is Quality.GOOD) == (v.quantity.value is not None or v.text is not None) for v in values
    )
