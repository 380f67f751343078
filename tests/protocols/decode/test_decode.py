"""What ``edge decode`` says of captures, first of all of those other people have published."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import dlt645, modbus
from protocols.decode import PROTOCOLS, decode_capture
from protocols.decode.value import Keys

FRAMES = Path(__file__).parents[2] / "frames"
KINDS = {"checksum", "length", "truncated", "format", "application", "security", "unsupported"}

Json = dict[str, Any]


def captures() -> list[Any]:
    found = []
    for path in sorted(FRAMES.glob("*.toml")):
        for capture in tomllib.loads(path.read_text("utf-8")).get("capture", ()):
            capture.setdefault("protocol", path.stem)
            found.append(pytest.param(capture, id=f"{capture['protocol']}: {capture['name']}"))
    return found


def keys_of(capture: Json) -> Keys:
    key, mac = (bytes.fromhex(capture[name]) if name in capture else None for name in ("key", "mac"))
    return Keys(key, mac, capture.get("uuid"))


def values_of(frame: Json) -> list[list[str]]:
    return [[value["name"], value["value"] or "", value["unit"], value["quality"]] for value in frame["values"]]


@pytest.mark.parametrize("capture", captures())
def test_a_published_capture_is_understood(capture: Json) -> None:
    assert capture["source"]
    told = decode_capture(capture["protocol"], bytes.fromhex(capture["hex"]), keys_of(capture))
    assert told["protocol"] == capture["protocol"]
    assert told["noise"] == capture.get("noise", [])
    for frame, expected in zip(told["frames"], capture["frame"], strict=True):
        error = expected.get("error")
        assert frame["ok"] is (error is None)
        assert (frame["error"] or {"kind": None})["kind"] == error
        assert frame["offset"] == expected.get("offset", frame["offset"])
        assert frame["length"] == expected.get("length", frame["length"])
        for key, value in expected.get("header", {}).items():
            assert frame["header"][key] == (None if value == "" else value)
        if "bits" in expected:
            assert "".join(value["value"] for value in frame["values"]) == expected["bits"]
        else:
            assert values_of(frame) == expected.get("values", [])
    if "at" in capture:
        assert told["frames"][0]["values"][0]["at"] == capture["at"]


def is_checked(capture: Any) -> bool:
    """Tell whether a flipped bit can be noticed: a message without a check cannot know."""
    return capture.values[0]["protocol"] != "modbus-tcp" and not capture.values[0].get("unchecked")


@pytest.mark.parametrize("capture", list(filter(is_checked, captures())))
def test_no_flipped_bit_of_a_published_capture_changes_a_value(capture: Json) -> None:
    protocol, data = capture["protocol"], bytes.fromhex(capture["hex"])
    keys = keys_of(capture)
    truth = decode_capture(protocol, data, keys)["frames"]
    known = [(frame["header"], values_of(frame)) for frame in truth]
    # A check that is wrong already may be put right by a flip.
    for frame in [frame for frame in truth[:4] if (frame["error"] or {}).get("kind") != "checksum"]:
        for bit in range(8 * frame["offset"], 8 * (frame["offset"] + frame["length"])):
            damaged = bytearray(data)
            damaged[bit // 8] ^= 1 << bit % 8
            told = decode_capture(protocol, bytes(damaged), keys)["frames"]
            believed = [(got["header"], values_of(got)) for got in told if got["ok"]]
            if protocol == "modbus-rtu":  # an answer whose request is lost tells no addresses
                assert len(believed) < len(truth)
            else:
                assert all(got in known for got in believed)
            assert len(believed) <= sum(other["ok"] for other in truth if other is not frame)


@given(st.sampled_from(PROTOCOLS), st.binary(max_size=120))
def test_any_bytes_are_told_as_json_and_a_bad_frame_has_no_value(protocol: str, data: bytes) -> None:
    told = decode_capture(protocol, data)
    json.dumps(told, allow_nan=False)
    for frame in told["frames"]:
        assert set(frame) == {"offset", "length", "ok", "error", "header", "values"}
        assert frame["ok"] == (frame["error"] is None)
        assert frame["ok"] or (frame["values"] == [] and frame["error"]["kind"] in KINDS)
    assert sum(frame["length"] for frame in told["frames"]) + sum(len(n) // 2 for n in told["noise"]) == len(data)


@given(st.integers(0, 2**32 - 1), st.binary(max_size=40), st.integers(0, 255))
def test_any_content_of_a_right_frame_is_told(di: int, payload: bytes, control: int) -> None:
    frame = dlt645.Frame("123456789012", control, di.to_bytes(4, "little") + payload)
    (told,) = decode_capture("dlt645", dlt645.encode_frame(frame, 0))["frames"]
    assert told["header"]["address"] == "123456789012"


@given(st.binary(min_size=1, max_size=30), st.binary(min_size=1, max_size=30))
def test_any_two_modbus_messages_are_told(first: bytes, second: bytes) -> None:
    data = b"".join(modbus.encode_tcp(modbus.Frame(1, pdu, 1)) for pdu in (first, second))
    json.dumps(decode_capture("modbus-tcp", data))
    json.dumps(decode_capture("modbus-rtu", modbus.encode_rtu(modbus.Frame(1, first))))


def test_a_value_that_is_none_shows_its_bytes() -> None:
    wire = dlt645.encode_read_response("123456789012", 0x02010100, bytes.fromhex("052301"), 0)
    (frame,) = decode_capture("dlt645", wire)["frames"]
    assert frame["ok"]
    assert frame["values"] == [
        {"name": "voltageL1", "value": None, "unit": "V", "quality": "invalid", "register": "02010100", "raw": "052301"}
    ]


def test_a_modbus_answer_without_its_request_is_told_by_position() -> None:
    (frame,) = decode_capture("modbus-rtu", bytes.fromhex("01040443663334 1B38"))["frames"]
    assert values_of(frame) == [["register+0", "17254", "", "good"], ["register+1", "13108", "", "good"]]


def test_a_damaged_modbus_answer_behind_its_request_is_a_bad_frame() -> None:
    asked, answered = decode_capture("modbus-rtu", bytes.fromhex("01040000000271CB 01040443663335 1B38"))["frames"]
    assert (asked["ok"], answered["ok"], answered["error"]["kind"]) == (True, False, "checksum")


@pytest.mark.parametrize(
    ("protocol", "data", "kind"),
    [
        ("dlt645", "68129078563412689108333334338967", "truncated"),
        ("dlt645", "681290785634126891F03333343389674533", "length"),
        ("dlt645", "6812907856341268910833333433896745335417", "format"),
        ("cjt188", "681001000005080000810990", "truncated"),
        ("modbus-rtu", "0104", "truncated"),
        ("modbus-rtu", "010404436633341B39", "checksum"),
        ("modbus-tcp", "000100000006010300", "truncated"),
        ("modbus-tcp", "00010000000701030500010002", "length"),
        ("modbus-tcp", "0001000000020107", "unsupported"),
    ],
)
def test_each_fault_has_its_kind(protocol: str, data: str, kind: str) -> None:
    frames = decode_capture(protocol, bytes.fromhex(data))["frames"]
    assert [(frame["ok"], frame["error"]["kind"], frame["values"]) for frame in frames][:1] == [(False, kind, [])]


def test_a_serial_message_with_a_right_check_and_a_wrong_content_is_a_bad_frame() -> None:
    data = modbus.encode_rtu(modbus.Frame(1, modbus.encode_read_request(3, 0, 0)))
    (frame,) = decode_capture("modbus-rtu", data)["frames"]
    assert (frame["ok"], frame["error"]["kind"], frame["values"]) == (False, "format", [])


def test_nothing_is_nothing() -> None:
    assert decode_capture("dlt645", b"") == {"protocol": "dlt645", "frames": [], "noise": []}
