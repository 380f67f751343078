"""Settings from the centre: believed as they were signed, by the gateway they are for, and else not at all."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.config_offer import MAX_TEXT_BYTES, Offer, read_offer, signed_offer
from protocols.errors import ChecksumMismatch, LengthMismatch, ProtocolError, SecurityError

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
PUBLIC = KEY.public_key().public_bytes_raw().hex()
OFFER = Offer("gw-1", 3, '[edge]\nid = "gw-1"\n# 表\n', "wang", 1_790_000_000_000)


def told() -> dict[str, Any]:
    return signed_offer(OFFER, KEY.sign)


def test_what_was_signed_is_believed() -> None:
    assert read_offer(told(), "gw-1", PUBLIC) == OFFER


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"text": '[edge]\nid = "gw-2"\n'}, SecurityError),
        ({"revision": 4}, SecurityError),
        ({"actor": "li"}, SecurityError),
        ({"hash": "0" * 64}, ChecksumMismatch),
        ({"signature": "0" * 128}, SecurityError),
        ({"revision": True}, ProtocolError),
        ({"more": 1}, ProtocolError),
        ({"text": "x" * (MAX_TEXT_BYTES + 1)}, LengthMismatch),
        ({"text": "\ud800"}, ProtocolError),
    ],
)
def test_what_was_changed_is_not(change: dict[str, Any], error: type[ProtocolError]) -> None:
    with pytest.raises(error):
        read_offer(told() | change, "gw-1", PUBLIC)


def test_another_gateways_settings_and_another_centres_are_refused() -> None:
    with pytest.raises(SecurityError, match="for gateway 'gw-1'"):
        read_offer(told(), "gw-2", PUBLIC)
    with pytest.raises(SecurityError, match="not signed by the centre"):
        read_offer(told(), "gw-1", Ed25519PrivateKey.generate().public_key().public_bytes_raw().hex())


VALUE = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda it: st.lists(it, max_size=2))


@settings(max_examples=50)
@given(VALUE | st.dictionaries(st.sampled_from([*told()]), VALUE))
def test_rubbish_is_refused_as_such(found: Any) -> None:
    with pytest.raises(ProtocolError):
        read_offer(told() | found if isinstance(found, dict) and found else found, "gw-1", PUBLIC)
