"""The one form in which a command is signed."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from protocols.command import (
    LIVES_MS,
    SKEW_MS,
    Command,
    canonical,
    command_id,
    read_command,
    signed,
    too_far,
    too_late,
)
from protocols.errors import ProtocolError, SecurityError

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw().hex()
_texts = st.text(st.characters(codec="utf-8"), max_size=16)
commands = st.builds(
    Command,
    id=st.builds(command_id, st.integers(0, 2**48 - 1), st.binary(min_size=8, max_size=8)),
    edge_id=st.just("gw-1"),
    device=_texts,
    action=_texts,
    actor=_texts,
    kind=st.sampled_from(sorted(LIVES_MS)),
    expires_at=st.integers(0, 2**53 - 1),
    args=st.dictionaries(_texts, _texts, max_size=4),
)
_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(commands, st.randoms())
def test_a_command_comes_through_json_in_any_order_of_its_keys(command: Command, random: Any) -> None:
    wire = list(signed(command, KEY.sign).items())
    random.shuffle(wire)
    assert read_command(json.loads(json.dumps(dict(wire))), "gw-1", PUBLIC) == command


@given(commands, commands)
def test_two_commands_are_signed_alike_only_where_they_are_the_same(one: Command, other: Command) -> None:
    assert (canonical(one) == canonical(other)) == (one == other)


@given(
    commands,
    st.sampled_from(["id", "edge", "device", "action", "args", "actor", "class", "expires_at", "signature"]),
    _anything,
)
def test_no_field_can_be_changed(command: Command, name: str, value: Any) -> None:
    wire = signed(command, KEY.sign)
    if wire[name] == value and type(wire[name]) is type(value):
        return
    with pytest.raises(ProtocolError):
        read_command({**wire, name: value}, "gw-1", PUBLIC)


@given(_anything)
def test_whatever_comes_is_refused_and_nothing_else(told: Any) -> None:
    with pytest.raises(ProtocolError):
        read_command(told, "gw-1", PUBLIC)


def test_another_key_and_another_gateway_are_refused() -> None:
    command = Command(command_id(1, bytes(8)), "gw-1", "door-1", "open", "lin", "door", 5)
    stranger = Ed25519PrivateKey.from_private_bytes(bytes(32))
    for wire, edge_id, key in (
        (signed(command, stranger.sign), "gw-1", PUBLIC),
        (signed(command, KEY.sign), "gw-2", PUBLIC),
        (signed(command, KEY.sign), "gw-1", "zz" * 32),
        (signed(command, lambda data: KEY.sign(data + b" ")), "gw-1", PUBLIC),
    ):
        with pytest.raises(SecurityError):
            read_command(wire, edge_id, key)


def test_a_command_lives_as_long_as_its_class_and_not_longer() -> None:
    def until(expires_at: int, kind: str = "door") -> Command:
        return Command(command_id(1, bytes(8)), "gw-1", "door-1", "open", "lin", kind, expires_at)

    assert too_late(until(1_000), 1_000)
    assert not too_late(until(1_001), 1_000)
    assert not too_far(until(10_000 + SKEW_MS), 0)
    assert too_far(until(10_001 + SKEW_MS), 0)
    assert not too_far(until(120_000, "valve"), 0)


def test_ids_rise_with_time() -> None:
    assert command_id(1, b"\xff" * 8) < command_id(2, bytes(8)) < command_id(2**40, bytes(8))
