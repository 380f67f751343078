"""Frames of the way down."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.down import read_message, write_message
from protocols.errors import MalformedFrame


@given(st.text())
def test_whatever_comes_is_a_message_or_is_refused(text: str) -> None:
    with contextlib.suppress(MalformedFrame):
        assert isinstance(read_message(text)["type"], str)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"type": 1}', "[" * 100_000, "NaN"])
def test_what_has_no_type_is_no_message(text: str) -> None:
    with pytest.raises(MalformedFrame):
        read_message(text)


def test_a_message_is_as_large_as_the_other_side_takes_it() -> None:
    message = {"type": "config", "text": "湖" * 10}
    text = write_message(message, len(write_message(message, 1_000).encode()))
    assert read_message(text) == message
    with pytest.raises(ValueError, match="'config' has more than 53 bytes"):
        write_message(message, 53)
    with pytest.raises(ValueError, match="not JSON"):
        write_message({"type": "x", "value": float("nan")}, 1_000)
