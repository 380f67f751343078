"""Requests and answers as MQTT messages: whose they are is in the signature, and in nothing else."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from protocols.mqtt import CENTRE, KINDS, Message, read_topic, topic_of
from protocols.sync import is_edge_id

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
PUBLIC = KEY.public_key().public_bytes_raw().hex()
MESSAGE = Message("gatehouse/gw-1/answers", b"n" * 16, b'{"acked":7}', {"status": "200", "retry-after": "3"})


@pytest.mark.parametrize(
    "changed",
    [
        replace(MESSAGE, topic="gatehouse/gw-2/answers"),
        replace(MESSAGE, number=b"m" * 16),
        replace(MESSAGE, body=b'{"acked":8}'),
        replace(MESSAGE, fields={"status": "200"}),
        replace(MESSAGE, fields={"status": "201", "retry-after": "3"}),
    ],
)
def test_whatever_is_changed_on_the_way_breaks_the_signature(changed: Message) -> None:
    signature = KEY.sign(MESSAGE.signed()).hex()
    assert MESSAGE.is_signed_by(PUBLIC, signature)
    assert not changed.is_signed_by(PUBLIC, signature)
    assert not MESSAGE.is_signed_by("ab" * 32, signature)


@given(st.text(max_size=130), st.text(max_size=70), st.binary(max_size=20))
def test_a_stranger_s_signature_and_key_are_wrong_and_no_fault(signature: str, key: str, number: bytes) -> None:
    assert not replace(MESSAGE, number=number).is_signed_by(key, signature)


@given(st.text(max_size=40))
def test_only_the_topics_of_requests_are_read(text: str) -> None:
    assert read_topic(text) is None
    assert read_topic(f"gatehouse/{text}/answers") is None
    assert read_topic(f"gatehouse/gw-1/{text}/x") is None


def test_each_request_has_its_topic_and_the_centre_s_name_is_no_gateway_s() -> None:
    for kind in KINDS.values():
        assert read_topic(topic_of("gw-1", kind)) == ("gw-1", kind)
    assert read_topic("gatehouse/GW 1/status") is None
    assert not is_edge_id(CENTRE)
