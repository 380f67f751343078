"""A captured secure session, read with its keys and not without them."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.decode import decode_capture
from protocols.decode.osdp import explain_capture
from protocols.decode.value import Keys
from protocols.osdp.channel import DEFAULT_KEY
from protocols.osdp.frame import crc16

LINES = (Path(__file__).parents[2] / "frames" / "osdp-session.txt").read_text().splitlines()
FRAMES = [bytes.fromhex(line) for line in LINES if not line.startswith("#")]
SESSION = b"".join(FRAMES)
INSTALLED = FRAMES.index(next(frame for frame in FRAMES if b"\x11\x01\x76" in frame))  # the handshake of the new key


NO_KEYS = Keys()


def told(data: bytes, keys: Keys = NO_KEYS) -> list[dict[str, Any]]:
    return list(explain_capture(data, keys)["frames"])


def values(frame: dict[str, Any]) -> dict[str, str]:
    return {value["name"]: value["value"] for value in frame["values"]}


def test_a_session_is_read_through_from_the_default_key_to_the_one_it_installs() -> None:
    frames = told(SESSION)
    assert all(frame["ok"] for frame in frames)
    by_name = {frame["header"]["name"]: frame for frame in frames}
    assert values(by_name["TEXT"])["text"].strip() == "Ready                4:45 AM"
    assert values(by_name["LSTATR"]) == {"tamper": "ok", "power": "failed"}
    assert values(by_name["PDCAP"])["receiveBuffer"] == "768"
    assert values(by_name["KEYSET"]) == {"keyType": "1", "keyBytes": "16"}
    assert by_name["POLL"]["header"]["scb"] == "15"
    assert len(by_name["POLL"]["header"]["mac"]) == 8


def test_without_the_key_a_sealed_frame_shows_its_header_and_no_value() -> None:
    frames = told(b"".join(FRAMES[INSTALLED:]))
    sealed = [frame for frame in frames if frame["header"]["mac"]]
    assert sealed
    assert all(frame["ok"] and not frame["values"] for frame in sealed)


def test_another_key_than_the_devices_is_told() -> None:
    frames = told(b"".join(FRAMES[INSTALLED:]), Keys(key=bytes(16)))
    errors = [frame["error"] for frame in frames if frame["error"]]
    assert errors[0] == {"kind": "security", "detail": "the device proves another key than this one"}
    assert all(error["kind"] == "security" for error in errors)
    assert not any(frame["values"] for frame in frames if frame["header"]["mac"])


def test_a_key_that_cannot_be_one_is_told() -> None:
    (frame,) = told(FRAMES[0], Keys(key=b"short"))
    assert "16 bytes" in frame["error"]["detail"]


def test_with_a_key_and_no_handshake_nothing_is_believed() -> None:
    (frame,) = told(FRAMES[-1], Keys(key=DEFAULT_KEY))
    assert frame["error"]["kind"] == "security"
    assert "handshake" in frame["error"]["detail"]


def test_a_frame_that_was_sent_again_is_read_again() -> None:
    first = told(SESSION)
    twice = told(b"".join(FRAMES[:7] + [FRAMES[6]] + FRAMES[7:8] * 2 + FRAMES[8:]))
    assert all(frame["ok"] for frame in twice)
    assert values(twice[-8]) == values(first[-8])


def with_check(frame: bytes) -> bytes:
    """Put the right CRC under a frame that was tampered with: only the MAC can tell."""

    return frame[:-2] + crc16(frame[:-2]).to_bytes(2, "little")


@given(st.integers(12, len(FRAMES) - 1), st.data())
def test_a_frame_that_fails_its_mac_gives_no_value_and_spoils_no_other(index: int, data: st.DataObject) -> None:
    frame = bytearray(FRAMES[index])
    place = data.draw(st.sampled_from([1, *range(7, len(frame) - 2)]))  # address, code, data, MAC
    frame[place] ^= 1 << data.draw(st.integers(0, 7))
    forged = with_check(bytes(frame))
    frames = told(b"".join([*FRAMES[:index], forged, *FRAMES[index:]]))
    assert not frames[index]["ok"] or not frames[index]["values"]
    assert not frames[index]["values"]
    if place != 1:
        assert frames[index]["error"]["kind"] == "security"
    truth = told(SESSION)
    assert [values(frame) for frame in frames[index + 1 :]] == [values(frame) for frame in truth[index:]]


def test_a_card_in_clear_inside_a_session_is_not_believed() -> None:
    card = bytes.fromhex("5380100006 50 0001 1a00 2d00a200")
    frame = told(SESSION + with_check(card + b"\0\0"))[-1]
    assert frame["header"]["name"] == "RAW"
    assert frame["error"] == {"kind": "security", "detail": "a message in clear inside a secure channel"}
    assert decode_capture("osdp", with_check(card + b"\0\0"))["frames"][0]["ok"]


@pytest.mark.parametrize("step", range(2, 6))
def test_a_handshake_that_lost_a_message_opens_nothing(step: int) -> None:
    frames = told(b"".join(FRAMES[:step] + FRAMES[step + 1 : 8]))
    assert not any(frame["values"] for frame in frames if frame["header"]["mac"])
