"""BTHome as an engineer pastes it: in any form it is shown in, with a key and without."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.ble.bthome import encode_sealed
from protocols.decode import decode_capture
from protocols.decode.bthome import explain_capture
from protocols.decode.value import Keys

KEY, MAC = bytes.fromhex("231d39c1d7cc1ab1aee224cd096db932"), bytes.fromhex("5448E68F80A5")
SEALED = bytes.fromhex("41A47266C95F730011223378237214")
OWN = Keys(KEY, MAC)


def told(data: bytes, keys: Keys) -> dict[str, Any]:
    (frame,) = decode_capture("bthome", data, keys)["frames"]
    return dict(frame)


def in_advertisement(service: str, data: bytes) -> bytes:
    element = b"\x16" + bytes.fromhex(service)[::-1] + data
    return bytes.fromhex("020106") + bytes((len(element),)) + element


def test_a_state_has_its_word_and_a_dimmer_its_steps() -> None:
    leak, at, dimmer = told(bytes.fromhex("40 2001 3C0203 505D396164"), Keys())["values"][:3]
    assert (leak["value"], leak["state"]) == ("1", "wet")
    assert (at["value"], at["at"]) == ("1684093277", "2023-05-14T19:41:17Z")
    assert (dimmer["name"], dimmer["value"], dimmer["steps"]) == ("dimmer", "rotate-right", "3")


def test_no_flipped_bit_of_a_sealed_frame_gives_a_value() -> None:
    for data in (SEALED, in_advertisement("fcd2", SEALED)):
        assert told(data, OWN)["ok"]
        for bit in range(8 * (len(data) - len(SEALED)), 8 * len(data)):
            damaged = bytearray(data)
            damaged[bit // 8] ^= 1 << bit % 8
            frame = told(bytes(damaged), OWN)
            assert not frame["ok"]
            assert not frame["values"]


def test_a_frame_in_clear_is_refused_from_who_has_a_key_and_names_no_value() -> None:
    frame = told(bytes.fromhex("40 0161"), OWN)
    assert frame["error"]["kind"] == "security"
    assert frame["header"]["is_encrypted"] is False
    assert told(bytes.fromhex("40 0161"), Keys())["ok"]


@pytest.mark.parametrize("uuid", ["181c", "0x181C", "0000181c-0000-1000-8000-00805f9b34fb"])
def test_an_object_of_version_1_that_looks_like_an_advertisement_is_none(uuid: str) -> None:
    frame = told(bytes.fromhex("020106 020105"), Keys(uuid=uuid))
    assert [value["value"] for value in frame["values"]] == ["6", "5"]


def test_another_service_is_named_with_those_there_are() -> None:
    frame = told(bytes.fromhex("400161"), Keys(uuid="feaa"))
    assert frame["error"] == {"kind": "unsupported", "detail": "service feaa is not BTHome, which has 181c, 181e, fcd2"}


def test_a_cut_advertisement_is_told_as_one() -> None:
    whole = in_advertisement("fcd2", bytes.fromhex("40 02CA09"))
    assert told(whole[:-1], Keys())["error"]["kind"] == "truncated"
    assert "without BTHome" in told(bytes.fromhex("020106 020AF4"), Keys())["error"]["detail"]


def test_nothing_is_no_frame() -> None:
    assert explain_capture(b"", Keys()) == {"protocol": "bthome", "frames": [], "noise": []}


@given(st.binary(max_size=16), st.integers(0, 2**32 - 1), st.sampled_from(["fcd2", "181e"]))
def test_a_sealed_frame_says_the_same_in_every_form(clear: bytes, counter: int, uuid: str) -> None:
    sealed = encode_sealed(uuid, clear, mac=MAC, key=KEY, counter=counter)
    bare, whole = told(sealed, Keys(KEY, MAC, uuid)), told(in_advertisement(uuid, sealed), OWN)
    prefixed = told(bytes.fromhex(uuid)[::-1] + sealed, OWN)
    assert bare["values"] == whole["values"] == prefixed["values"]
    assert bare["error"] == whole["error"] == prefixed["error"]
    assert bare["header"]["counter"] == counter
