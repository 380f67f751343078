"""A telegram keeps what was good in it and says how it ends."""

from decimal import Decimal

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import ApplicationError, LengthMismatch, MalformedFrame, ProtocolError, SecurityError, Unsupported
from protocols.mbus.address import encode_secondary, parse_secondary
from protocols.mbus.frame import RSP_UD, Frame
from protocols.mbus.header import Header, encode_header, medium_word, status_words
from protocols.mbus.telegram import Telegram, decode_telegram
from protocols.mbus.unit import METER_UNITS
from protocols.quantity import Quality

OWN = parse_secondary("068558172D2C0804")
VOLUME = bytes.fromhex("0413E8030000")
KEY = bytes(range(16))


def telegram(records: bytes, *, configuration: int = 0, key: bytes | None = None) -> Telegram:
    data = encode_header(Header(OWN, 7, 0, configuration)) + records
    return decode_telegram(Frame(RSP_UD, 5, 0x72, data), key)


def words(found: Telegram) -> list[str]:
    return [record.quantity_word for record in found.records]


def test_a_header_says_who_and_how() -> None:
    found = telegram(VOLUME)
    assert found.header == Header(OWN, 7, 0)
    assert medium_word(OWN.medium) == "heat (outlet)"
    assert medium_word(0xEE) == "reserved EE"
    assert status_words(0b1010_0110) == ["error", "power-low", "maker-5"]


def test_fillers_are_passed_over_and_makers_data_end_the_telegram() -> None:
    found = telegram(b"\x2f" + VOLUME + b"\x2f\x7f\x0f\x01\x02")
    assert (words(found), found.makers_data, found.has_more, found.error) == (["volume"], b"\x01\x02", False, None)


def test_more_records_follow() -> None:
    found = telegram(VOLUME + b"\x1f\x99")
    assert (found.has_more, found.makers_data) == (True, b"\x99")


@pytest.mark.parametrize("damage", ["04", "0413E8", "3F", "846F", "0D13FF", "0413E80300"])
def test_a_damaged_record_ends_the_telegram_and_keeps_what_came_before(damage: str) -> None:
    found = telegram(VOLUME + bytes.fromhex(damage))
    assert words(found) == ["volume"]
    assert found.records[0].quantity.value == Decimal("1.000")
    assert found.error is not None
    assert not found.has_more


def test_a_telegram_cut_anywhere_gives_only_values_of_the_whole_one() -> None:
    records = VOLUME + bytes.fromhex("0C0678563412 02FD48FC08 426C5F1C 0D7802AABB".replace(" ", ""))
    whole = [(record.raw, record.quantity, record.text) for record in telegram(records).records]
    for end in range(len(records)):
        found = telegram(records[:end])
        assert [(record.raw, record.quantity, record.text) for record in found.records] == whole[: len(found.records)]


@pytest.mark.parametrize(("code", "reason"), [(0, "why"), (2, "buffer"), (8, "busy"), (9, "readouts"), (77, "4D")])
def test_an_application_error_is_the_meters_refusal(code: int, reason: str) -> None:
    with pytest.raises(ApplicationError, match=reason) as refused:
        decode_telegram(Frame(RSP_UD, 5, 0x70, bytes((code,))))
    assert refused.value.code == code


def test_a_refusal_without_a_reason_is_one() -> None:
    with pytest.raises(ApplicationError):
        decode_telegram(Frame(RSP_UD, 5, 0x70))


@pytest.mark.parametrize("ci", [0x51, 0x71, 0x72 + 8, 0xA0])
def test_what_is_not_known_is_said(ci: int) -> None:
    with pytest.raises((Unsupported, ProtocolError)):
        decode_telegram(Frame(RSP_UD, 5, ci, b""))


def test_a_request_is_no_telegram() -> None:
    with pytest.raises(MalformedFrame):
        decode_telegram(Frame(0x7B, 5))


def test_headers_may_be_short_or_none() -> None:
    short = decode_telegram(Frame(RSP_UD, 5, 0x7A, bytes.fromhex("07040000") + VOLUME))
    assert (short.header, words(short)) == (Header(None, 7, 4), ["volume"])
    bare = decode_telegram(Frame(RSP_UD, 5, 0x78, VOLUME))
    assert (bare.header, words(bare)) == (None, ["volume"])


def test_a_telegram_may_be_written_high_byte_first() -> None:
    data = bytes.fromhex("06855817 2C2D 08 04 07 00 0000 0413000003E8".replace(" ", ""))
    found = decode_telegram(Frame(RSP_UD, 5, 0x76, data))
    assert found.header is not None
    assert found.header.own == OWN
    assert found.records[0].quantity.value == Decimal("1.000")


@pytest.mark.parametrize(
    ("status", "units", "expected"),
    [
        ("00", "E97E", [("volume", "0.001", 0, 0), ("volume", "0.135", 1, 0)]),
        ("01", "E97E", [("volume", "0.001", 0, 0), ("volume", "0.309", 1, 0)]),
        ("00", "4511", [("energy", "1", 0, 0), ("energy", "135", 0, 1)]),
        ("02", "4517", [("energy", "1", 1, 0), ("power", "135000", 1, 1)]),
        ("00", "3F39", [("dimensionless", "1", 0, 0), ("heat-cost-units", "135", 0, 1)]),
    ],
)
def test_a_fixed_structure_has_two_counters(status: str, units: str, expected: list[tuple[str, str, int, int]]) -> None:
    data = bytes.fromhex(f"78563412 0A {status} {units} 01000000 35010000".replace(" ", ""))
    found = decode_telegram(Frame(RSP_UD, 5, 0x73, data))
    told = [(it.quantity_word, format(it.quantity.value or 0, "f"), it.storage, it.subunit) for it in found.records]
    assert told == expected


def test_a_fixed_structure_may_be_high_byte_first_and_has_one_length() -> None:
    data = bytes.fromhex("123456780A00E97E0000000100000135")
    found = decode_telegram(Frame(RSP_UD, 5, 0x77, data))
    assert [str(record.quantity.value) for record in found.records] == ["0.001", "0.135"]
    with pytest.raises(LengthMismatch):
        decode_telegram(Frame(RSP_UD, 5, 0x73, data[:-1]))


def test_a_filled_counter_is_not_available() -> None:
    data = bytes.fromhex("783412560A00E97E01000000FFFFFFFF")
    found = decode_telegram(Frame(RSP_UD, 5, 0x73, data))
    assert found.records[1].quantity.quality is Quality.NOT_AVAILABLE


def test_the_units_of_the_list_are_decades() -> None:
    assert [METER_UNITS[code].exponent for code in (0x02, 0x05, 0x11, 0x2C, 0x35)] == [-3, 0, 0, 0, 0]
    assert METER_UNITS[0x13] == ("energy", "GJ", 2)


def enciphered(content: bytes, access: int = 7) -> bytes:
    wire = encode_secondary(OWN)
    vector = wire[4:6] + wire[:4] + wire[6:] + bytes((access,)) * 8
    encryptor = Cipher(algorithms.AES(KEY), modes.CBC(vector)).encryptor()
    return encryptor.update(content) + encryptor.finalize()


def test_enciphered_content_is_read_with_its_key_and_refused_without() -> None:
    content = enciphered((b"\x2f\x2f" + VOLUME).ljust(16, b"\x2f"))
    plain = bytes.fromhex("02FD170000")
    assert words(telegram(content + plain, configuration=0x0510, key=KEY)) == ["volume", "error-flags"]
    with pytest.raises(Unsupported, match="key"):
        telegram(content, configuration=0x0510)
    with pytest.raises(SecurityError):
        telegram(content, configuration=0x0510, key=KEY[::-1])
    with pytest.raises(SecurityError, match="bytes"):
        telegram(content, configuration=0x0510, key=b"short")
    with pytest.raises(MalformedFrame):
        telegram(content, configuration=0x0520, key=KEY)
    with pytest.raises(Unsupported, match="mode 7"):
        telegram(content, configuration=0x0710, key=KEY)


@given(st.sampled_from([0x70, 0x72, 0x73, 0x76, 0x77, 0x78, 0x7A]), st.binary(max_size=120))
def test_any_content_is_a_telegram_or_a_protocol_error(ci: int, data: bytes) -> None:
    try:
        found = decode_telegram(Frame(RSP_UD, 5, ci, data), KEY)
    except ProtocolError:
        return
    assert all(it.quantity.value is None or it.quantity.value.is_finite() for it in found.records)
