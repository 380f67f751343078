"""Anything may arrive: every golden capture cut, glued and echoed, and bytes that nobody meant."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.decode import CAPTURE, PROTOCOLS
from scripts.hostile import check, corpus

GOLDEN = {protocol: corpus(protocol) for protocol in PROTOCOLS}
STREAMS = [protocol for protocol in PROTOCOLS if protocol not in CAPTURE]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol_has_a_golden_capture(protocol: str) -> None:
    assert GOLDEN[protocol]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_capture_cut_anywhere_tells_no_value_that_the_whole_one_does_not(protocol: str) -> None:
    for data in GOLDEN[protocol]:
        whole = [frame for frame in check(protocol, data)["frames"] if frame["ok"]]
        for end in range(0, len(data), 1 + len(data) // 80):
            for frame in check(protocol, data[:end])["frames"]:
                assert not frame["ok"] or protocol in CAPTURE or frame in whole


@pytest.mark.parametrize("protocol", STREAMS)
def test_a_capture_and_its_echo_are_told_twice(protocol: str) -> None:
    for data in GOLDEN[protocol]:
        once, twice = check(protocol, data)["frames"], check(protocol, data + data)["frames"]
        if all(frame["ok"] for frame in once) and sum(frame["length"] for frame in once) == len(data):
            assert [frame["header"].get("address") for frame in twice] == 2 * [
                frame["header"].get("address") for frame in once
            ]
            assert all(frame["ok"] for frame in twice)


@settings(max_examples=30)
@given(st.sampled_from(PROTOCOLS), st.binary(max_size=300))
def test_any_bytes_are_told_whole_and_raise_nothing(protocol: str, data: bytes) -> None:
    check(protocol, data)


@settings(max_examples=100)
@given(st.data(), st.sampled_from([protocol for protocol in PROTOCOLS if GOLDEN[protocol]]))
def test_a_damaged_capture_raises_nothing_and_gives_no_value_of_a_bad_frame(data: st.DataObject, protocol: str) -> None:
    good = data.draw(st.sampled_from(GOLDEN[protocol]))
    place = data.draw(st.integers(0, len(good)))
    check(protocol, good[:place] + data.draw(st.binary(max_size=6)) + good[place + data.draw(st.integers(0, 4)) :])
