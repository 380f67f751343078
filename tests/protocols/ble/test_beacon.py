"""Beacons as a scanner hands them over."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.ble.advertisement import Advertisement
from protocols.ble.beacon import (
    APPLE,
    EDDYSTONE,
    EddystoneTlm,
    EddystoneUrl,
    IBeacon,
    beacon,
    decode_eddystone,
    decode_ibeacon,
)
from protocols.errors import ProtocolError, TruncatedFrame, Unsupported
from protocols.quantity import Quality

IBEACON = bytes.fromhex("0215 41424344454647484940414243444546 0001 0002 F8")
UID = bytes.fromhex("00E3 12345678901234678901 000000000001 0000")
TLM = bytes.fromhex("20 00 0B18 1300 00001467 00002AC4")
ETLM = bytes.fromhex("20 01 414141414141414141414141 DEAD BEEF")
EID = bytes.fromhex("30E3 4549445F74657374")
ADDRESS = "A4:C1:38:11:22:33"


def test_a_beacon_is_found_by_company_or_service() -> None:
    found = beacon(Advertisement(ADDRESS, -70, manufacturer_data={APPLE: IBEACON}))
    assert found == IBeacon("41424344-4546-4748-4940-414243444546", 1, 2, -8)
    assert isinstance(beacon(Advertisement(ADDRESS, -70, service_data={EDDYSTONE: TLM})), EddystoneTlm)


def test_a_telephone_is_no_beacon() -> None:
    assert beacon(Advertisement(ADDRESS, -70, manufacturer_data={APPLE: bytes.fromhex("10050318000000")})) is None
    assert beacon(Advertisement(ADDRESS, -70)) is None
    with pytest.raises(Unsupported):
        decode_ibeacon(b"")


@pytest.mark.parametrize("wire", [UID, TLM, ETLM, EID])
def test_a_frame_of_another_length_is_refused(wire: bytes) -> None:
    for end in range(len(wire)):
        if wire is UID and end == 18:
            continue  # beacons of the first days leave the reserved bytes out
        with pytest.raises(TruncatedFrame):
            decode_eddystone(wire[:end])
    with pytest.raises(ProtocolError):
        decode_eddystone(wire + b"\0")


def test_an_ibeacon_cut_anywhere_is_refused() -> None:
    for end in range(len(IBEACON)):
        with pytest.raises((TruncatedFrame, Unsupported)):
            decode_ibeacon(IBEACON[:end])


def test_a_url_is_written_out() -> None:
    found = decode_eddystone(bytes.fromhex("10EE 00") + b"a" + bytes(range(14)))
    assert found == EddystoneUrl("http://www.a.com/.org/.edu/.net/.info/.biz/.gov/.com.org.edu.net.info.biz.gov", -18)


def test_telemetry_has_exact_numbers_and_says_what_it_does_not_measure() -> None:
    told = decode_eddystone(bytes.fromhex("20 00 0000 FFFF FFFFFFFF FFFFFFFF"))
    assert isinstance(told, EddystoneTlm)
    assert (told.battery.value, told.battery.quality) == (None, Quality.NOT_AVAILABLE)
    assert told.temperature.value == Decimal("-0.00390625")
    assert (told.adverts, told.uptime.value) == (4_294_967_295, Decimal("429496729.5"))
    assert told.uptime.unit == "s"


@given(st.binary(max_size=30), st.sampled_from([b"", b"\x00", b"\x10", b"\x20\x00", b"\x20\x01", b"\x30", b"\x02\x15"]))
def test_any_bytes_raise_only_protocol_errors(wire: bytes, head: bytes) -> None:
    for decode in (decode_eddystone, decode_ibeacon):
        try:
            decode(head + wire)
        except ProtocolError:
            continue
