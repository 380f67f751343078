"""Only the centre's own words move anything."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.answer import (
    Acked,
    Broken,
    Busy,
    Disputed,
    Gap,
    Heard,
    Refused,
    TooLarge,
    Unreachable,
    read_batch_answer,
    read_status_answer,
)


def error(key: str, **fields: object) -> bytes:
    return json.dumps({"error": {"key": key, "message": "in words", "fields": fields}}).encode()


def test_an_ack_is_read() -> None:
    assert read_batch_answer(200, None, b'{"acked": 12}') == Acked(12)
    assert read_status_answer(200, None, b'{"server_time": 1767225600000}') == Heard(1767225600000)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><title>Sign in to Lobby-WiFi</title></html>",
        b"\xff\xfe\x00",
        b"null",
        b"[12]",
        b'{"ok": true}',
        b'{"acked": "12"}',
        b'{"acked": true}',
        b'{"acked": 12.0}',
        b'{"acked": -1}',
        b'{"acked": 12',
        b"[" * 100_000,
    ],
)
@pytest.mark.parametrize("status", [200, 204, 302, 404, 500, 502])
def test_a_page_that_is_not_ours_acknowledges_nothing(status: int, body: bytes) -> None:
    assert isinstance(read_batch_answer(status, None, body), Unreachable)


@given(st.integers(100, 599).filter(lambda status: status != 200), st.binary() | st.just(b'{"acked": 5}'))
def test_no_other_code_than_200_acknowledges(status: int, body: bytes) -> None:
    assert not isinstance(read_batch_answer(status, None, body), Acked | Heard)


def test_a_gap_names_what_the_centre_expects() -> None:
    assert read_batch_answer(409, None, error("sync_gap", expected=7)) == Gap(7)
    assert isinstance(read_batch_answer(409, None, error("sync_gap", expected="7")), Disputed)


def test_refusals_are_told_apart() -> None:
    assert read_batch_answer(401, None, error("sync_bad_secret")) == Refused("in words (sync_bad_secret)")
    assert isinstance(read_batch_answer(403, None, error("sync_wrong_gateway")), Refused)
    assert isinstance(read_batch_answer(400, None, error("sync_broken_batch")), Broken)
    assert read_batch_answer(413, None, b"") == TooLarge()


def test_a_sign_in_page_with_401_is_not_a_refusal_of_the_centre() -> None:
    assert isinstance(read_batch_answer(401, None, b"<html>sign in</html>"), Unreachable)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), (None, 0), ("", 0), ("-3", 0), ("999999", 600), ("٣", 0), ("Mon, 23 Nov 2026 01:00:00 GMT", 0)],
)
def test_a_pause_is_as_long_as_asked_for_but_not_for_ever(header: str | None, seconds: float) -> None:
    answer = read_batch_answer(503, header, b"<html>")
    assert isinstance(answer, Busy)
    assert answer.wait_s == seconds
