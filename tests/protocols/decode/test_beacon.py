"""Beacons as an engineer pastes them."""

from typing import Any

import pytest

from protocols.decode import decode_capture
from protocols.decode.beacon import explain_capture
from protocols.decode.value import Keys

IBEACON = "0215 41424344454647484940414243444546 0001 0002 F8"


def told(text: str) -> dict[str, Any]:
    (frame,) = decode_capture("beacon", bytes.fromhex(text))["frames"]
    return dict(frame)


@pytest.mark.parametrize("text", [IBEACON, f"4C00 {IBEACON}", f"1AFF 4C00 {IBEACON}", f"020106 1AFF 4C00 {IBEACON} 00"])
def test_an_ibeacon_is_known_in_every_form(text: str) -> None:
    frame = told(text)
    assert (frame["ok"], frame["offset"], frame["length"]) == (True, 0, len(bytes.fromhex(text)))
    assert frame["header"]["uuid"] == "41424344-4546-4748-4940-414243444546"
    assert (frame["header"]["major"], frame["header"]["minor"], frame["header"]["tx_power"]) == (1, 2, -8)


@pytest.mark.parametrize(
    "text", ["30E3 4549445F74657374", "AAFE 30E3 4549445F74657374", "0D16 AAFE 30E3 4549445F74657374"]
)
def test_an_eddystone_is_known_in_every_form(text: str) -> None:
    assert told(text)["header"]["eid"] == "4549445f74657374"


def test_what_a_beacon_does_not_measure_is_not_available() -> None:
    battery, temperature, *_ = told("20 00 0000 8000 00000001 00000002")["values"]
    assert battery == {"name": "battery", "value": None, "unit": "mV", "quality": "not-available", "raw": "0000"}
    assert (temperature["value"], temperature["raw"]) == (None, "8000")


def test_a_broken_beacon_inside_an_advertisement_has_its_fault_and_no_header() -> None:
    frame = told("0C16 AAFE 30E3 4549445F746573")
    assert (frame["ok"], frame["error"]["kind"], frame["header"]) == (False, "truncated", {})


def test_nothing_is_no_frame() -> None:
    assert explain_capture(b"", Keys())["frames"] == []
