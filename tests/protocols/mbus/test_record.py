"""One record: what it is, which one it is, and its number."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import LengthMismatch, ProtocolError, TruncatedFrame, Unsupported
from protocols.mbus.record import Reader, Record, encode_record, read_record
from protocols.mbus.vif import FB, FD, PRIMARY, QUANTITIES, units_of
from protocols.quantity import Quality


def record(wire: str) -> Record:
    reader = Reader(bytes.fromhex(wire.replace(" ", "")))
    found = read_record(reader)
    assert not reader, "bytes are left"
    return found


def told(wire: str) -> tuple[str, str, str]:
    found = record(wire)
    return found.quantity_word, str(found.quantity.value), found.quantity.unit


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        # Each line of the primary table, at its least and its most.
        ("04 00 01000000", ("energy", "0.000001", "kWh")),
        ("04 07 01000000", ("energy", "10", "kWh")),
        ("04 08 01000000", ("energy", "1E-9", "GJ")),
        ("04 0F 01000000", ("energy", "0.01", "GJ")),
        ("04 13 E8030000", ("volume", "1.000", "m3")),
        ("04 1F 02000000", ("mass", "20000", "kg")),
        ("02 23 0100", ("on-time", "86400", "s")),
        ("02 26 0A00", ("operating-time", "36000", "s")),
        ("02 2B FFFF", ("power", "-1", "W")),
        ("02 2F 0100", ("power", "10000", "W")),
        ("02 37 0100", ("power", "10000000", "J/h")),
        ("02 3E 0300", ("volume-flow", "3", "m3/h")),
        ("02 47 0100", ("volume-flow", "60", "m3/h")),
        ("02 4F 0100", ("volume-flow", "36.00", "m3/h")),
        ("02 53 0700", ("mass-flow", "7", "kg/h")),
        ("02 5A C701", ("flow-temperature", "45.5", "degC")),
        ("02 5D D204", ("return-temperature", "12.34", "degC")),
        ("02 63 0F00", ("temperature-difference", "15", "K")),
        ("02 67 FBFF", ("external-temperature", "-5", "degC")),
        ("02 69 6300", ("pressure", "0.99", "bar")),
        ("02 6E 0500", ("heat-cost-units", "5", "")),
        ("02 75 0200", ("actuality-time", "120", "s")),
        # FB and FD.
        ("02 FB 00 0500", ("energy", "500", "kWh")),
        ("02 FB 09 0500", ("energy", "5", "GJ")),
        ("02 FB 1A F401", ("relative-humidity", "50.0", "%")),
        ("02 FB 28 0100", ("power", "100000", "W")),
        ("02 FB 2D 8813", ("frequency", "50.00", "Hz")),
        ("02 FD 48 FC08", ("voltage", "230.0", "V")),
        ("02 FD 59 D204", ("current", "1.234", "A")),
        ("02 FD 17 FFFF", ("error-flags", "65535", "")),
        ("02 FD 3A 0100", ("dimensionless", "1", "")),
        # What extensions multiply.
        ("02 93 74 0200", ("volume", "0.00002", "m3")),
        ("02 93 7D 0200", ("volume", "2", "m3")),
        # A plain-text unit.
        ("02 7C 03 5948 25 0A00", ("plain-text", "10", "%HY")),
    ],
)
def test_a_number_has_its_word_its_place_and_its_unit(wire: str, expected: tuple[str, str, str]) -> None:
    assert told(wire) == expected


@pytest.mark.parametrize(
    ("wire", "value"),
    [
        ("01 13 FF", "-0.001"),
        ("03 13 0000FF", "-65.536"),
        ("06 13 010000000000", "0.001"),
        ("07 13 FFFFFFFFFFFFFF7F", "9223372036854775.807"),
        ("05 2B 0000C03F", "1.5"),
        ("09 13 99", "0.099"),
        ("0A 13 3412", "1.234"),
        ("0B 13 563412", "123.456"),
        ("0C 13 78563412", "12345.678"),
        ("0E 13 129078563412", "123456789.012"),
        ("0C 13 010000F0", "-0.001"),
        ("0D 13 C2 3412", "1.234"),
        ("0D 13 D2 3412", "-1.234"),
        ("0D 13 E3 000001", "65.536"),
        ("0D 13 E3 FFFFFF", "-0.001"),
    ],
)
def test_every_coding_of_a_number_is_read(wire: str, value: str) -> None:
    found = record(wire).quantity
    assert (str(found.value), found.quality) == (value, Quality.GOOD)


@pytest.mark.parametrize("wire", ["0C 13 FFFFFFFF", "04 13 00000080", "05 13 0000C07F", "00 13", "08 13", "02 6C FFFF"])
def test_what_a_meter_does_not_have_is_not_available(wire: str) -> None:
    found = record(wire).quantity
    assert (found.value, found.quality) == (None, Quality.NOT_AVAILABLE)


@pytest.mark.parametrize("wire", ["0C 13 0000A000", "05 13 0000807F", "02 6C 1F0F", "04 6D 3F3F 0101"])
def test_what_is_no_value_is_invalid(wire: str) -> None:
    found = record(wire).quantity
    assert (found.value, found.quality) == (None, Quality.INVALID)


@pytest.mark.parametrize(
    ("wire", "text"),
    [
        ("02 6C 5F1C", "2010-12-31"),
        ("02 6C E1F7", None),
        ("04 6D 1A2F6511", "2011-01-05T15:26"),
        ("04 6D 80000101", None),
        ("04 6D 0000C1B1", "1994-01-01T00:00"),
        ("06 6D 1E2D0C 4511 00", "2010-01-05T12:45:30"),
        ("06 6D 1EAD0C 4511 00", None),
        ("03 6D 1E2D0C", "12:45:30"),
        ("0C 78 17588506", "06855817"),
        ("0D FD 10 03 434241", "ABC"),
        ("0D FD 10 00", ""),
        ("0D 7C 02 5750 F0 000102030405060708090A0B0C0D0E0F", "000102030405060708090a0b0c0d0e0f"),
    ],
)
def test_dates_and_names_are_texts(wire: str, text: str | None) -> None:
    found = record(wire)
    assert found.quantity.value is None
    assert found.text == text or (text is None and found.quantity.quality is not Quality.GOOD)


@given(
    st.integers(0, 2**41 - 1), st.integers(0, 2**20 - 1), st.integers(0, 2**10 - 1), st.integers(0, 3), st.integers()
)
def test_storage_tariff_subunit_and_function_are_read_as_written(
    storage: int, tariff: int, subunit: int, function: int, number: int
) -> None:
    number %= 2**31
    wire = encode_record("13", number, storage=storage, tariff=tariff, subunit=subunit, function=function)
    found = record(wire.hex())
    assert (found.storage, found.tariff, found.subunit) == (storage, tariff, subunit)
    assert found.function == ("instantaneous", "maximum", "minimum", "error")[function]
    assert found.quantity.value == Decimal(number).scaleb(-3)


@pytest.mark.parametrize(
    ("wire", "word", "unit", "qualifiers"),
    [
        ("04 83 3B 88130000", "energy", "kWh", ("forward",)),
        ("04 83 3C 88130000", "energy", "kWh", ("backward",)),
        ("04 93 22 88130000", "volume", "m3", ("per-hour",)),
        ("04 AD 6F 32147A18", "power", "", ("end-of-last",)),
        ("02 93 4A 5F1C", "volume", "", ("begin-of-first-upper-limit-exceed",)),
        ("02 93 5A 0200", "volume", "s", ("duration-of-first-upper-limit-exceed",)),
        ("02 FD C8 FC 01 FC08", "voltage", "V", ("l1",)),
        ("02 EC 7E 3F0C", "date", "", ("future",)),
        ("02 AB FF 81 00 0100", "power", "W", ("manufacturer-01-00",)),
        ("02 FF 13 0100", "manufacturer-specific", "", ("manufacturer-13",)),
    ],
)
def test_extensions_say_what_else_a_value_is(wire: str, word: str, unit: str, qualifiers: tuple[str, ...]) -> None:
    found = record(wire)
    assert (found.quantity_word, found.quantity.unit, found.qualifiers) == (word, unit, qualifiers)


def test_a_duration_has_no_place_of_the_value_it_is_about() -> None:
    assert record("02 93 5A 0200").quantity.value == 7200


@pytest.mark.parametrize(
    ("wire", "quality", "word"),
    [
        ("02 93 15 0000", Quality.NOT_AVAILABLE, "no-data"),
        ("02 93 16 0000", Quality.INVALID, "overflow"),
        ("02 93 78 0000", Quality.SUSPECT, "plus-1e-3"),
    ],
)
def test_an_error_of_a_record_takes_its_value_away(wire: str, quality: Quality, word: str) -> None:
    found = record(wire)
    assert (found.quantity.quality, found.qualifiers) == (quality, (word,))
    assert (found.quantity.value is None) == (quality is not Quality.SUSPECT)


@pytest.mark.parametrize(
    ("wire", "error"),
    [
        ("04", TruncatedFrame),
        ("04 13 0000", TruncatedFrame),
        ("84", TruncatedFrame),
        ("0D 13 05 00", TruncatedFrame),
        ("0D 13 FB", Unsupported),
        ("7C", TruncatedFrame),
        ("02 7C 40 41", TruncatedFrame),
        ("02 7C 01 07 0000", Unsupported),
        ("84" + " 80" * 11, LengthMismatch),
        ("04 93" + " 80" * 11, LengthMismatch),
    ],
)
def test_a_damaged_record_says_how(wire: str, error: type[ProtocolError]) -> None:
    with pytest.raises(error):
        read_record(Reader(bytes.fromhex(wire.replace(" ", ""))))


@given(st.binary(max_size=40), st.booleans())
def test_any_bytes_are_a_record_or_a_protocol_error(data: bytes, is_msb_first: bool) -> None:
    reader = Reader(data, is_msb_first=is_msb_first)
    try:
        found = read_record(reader)
    except ProtocolError:
        return
    assert found.raw == data[: reader.place]
    assert found.quantity.value is None or found.quantity.value.is_finite()
    assert found.quantity_word in QUANTITIES


blocks = st.one_of(
    st.sampled_from(sorted(PRIMARY)).map(lambda code: bytes((code,))),
    st.sampled_from(sorted(FB)).map(lambda code: bytes((0xFB, code))),
    st.sampled_from(sorted(FD)).map(lambda code: bytes((0xFD, code))),
)
extensions = st.lists(st.integers(0, 0x7F), max_size=3)


@given(st.integers(0, 0xE), blocks, extensions, st.binary(min_size=16, max_size=16))
def test_any_number_in_any_unit_is_one_or_none(coding: int, block: bytes, more: list[int], data: bytes) -> None:
    for code in more:
        block = block[:-1] + bytes((block[-1] | 0x80, code))
    try:
        found = read_record(Reader(bytes((coding,)) + block + data))
    except ProtocolError:
        return
    value, _, quality = found.quantity
    assert value is None or quality in (Quality.GOOD, Quality.SUSPECT)
    assert value is None or len(format(value, "f")) < 150


@pytest.mark.parametrize("wire", ["05 47 0000006C", "0D 13 CF 998877665544332211998877665544"])
def test_a_number_beyond_all_that_is_counted_is_invalid(wire: str) -> None:
    found = record(wire).quantity
    assert (found.value, found.quality) == (None, Quality.INVALID)


def test_every_quantity_has_its_units() -> None:
    assert units_of("energy") == {"kWh", "GJ", "Mcal"}
    assert {vif.quantity for table in (PRIMARY, FB, FD) for vif in table.values()} <= QUANTITIES
