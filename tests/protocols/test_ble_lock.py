"""The order to a GATT lock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.ble_lock import AES_CMAC, HMAC_SHA256, ORDER_BYTES, LockOrder, decode_order, encode_order
from protocols.errors import ProtocolError, SecurityError

KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
NONCE = bytes(range(16))
ORDER = LockOrder(1, 50)


@pytest.mark.parametrize(
    ("mac", "wire"),
    [
        # Both from OpenSSL: openssl mac -cipher AES-128-CBC -macopt hexkey:2b7e... CMAC over "GHL1" 00..0f 01 3200,
        # and openssl dgst -sha256 -mac HMAC over the same.
        (AES_CMAC, "013200ea68d486c5bc3579a9b37e5a57cff742"),
        (HMAC_SHA256, "0132006f9ef9246a219cb0905833bf78f945f0"),
    ],
)
def test_an_order_is_what_openssl_makes_of_it_and_fits_the_smallest_mtu(mac: str, wire: str) -> None:
    made = encode_order(ORDER, NONCE, KEY, mac)
    assert made.hex() == wire
    assert len(made) == ORDER_BYTES <= 20
    assert decode_order(made, NONCE, KEY, mac) == ORDER


@given(
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=16, max_size=16),
    st.integers(0, 255),
    st.integers(0, 0xFFFF),
)
def test_a_recorded_order_answers_no_other_nonce(first: bytes, second: bytes, code: int, tenths: int) -> None:
    order = encode_order(LockOrder(code, tenths), first, KEY)
    assert decode_order(order, first, KEY) == (code, tenths)
    if first != second:
        with pytest.raises(SecurityError):
            decode_order(order, second, KEY)


@given(st.integers(0, ORDER_BYTES * 8 - 1))
def test_no_changed_bit_is_taken(bit: int) -> None:
    changed = bytearray(encode_order(ORDER, NONCE, KEY))
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SecurityError):
        decode_order(bytes(changed), NONCE, KEY)


@given(st.binary(max_size=40))
def test_whatever_arrives_is_refused_and_nothing_else_happens(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_order(data, NONCE, KEY)
