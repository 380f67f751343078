"""The secure channel against the standard's own example."""

import pytest

from protocols.errors import SecurityError
from protocols.osdp.channel import (
    DEFAULT_KEY,
    Channel,
    client_cryptogram,
    decrypt_data,
    derive_keys,
    first_mac,
    server_cryptogram,
)

# SIA OSDP v2.2 Annex E, as in goToMain/libosdp tests/unit-tests/test-sc-sia-vectors.c
RANDOM_A, RANDOM_B = bytes(range(0xB0, 0xB8)), bytes(range(0xA0, 0xA8))


def test_the_keys_and_proofs_are_those_of_the_standards_example() -> None:
    keys = derive_keys(DEFAULT_KEY, RANDOM_A)
    assert keys.mac1.hex() == "5e86c676603bdee2d8beafe178637332"
    assert keys.mac2.hex() == "6fda86e857777e81132035758239172e"
    assert keys.encryption.hex() == "bf8dc2a8329acb8c67c6d0cd9a451682"
    server = server_cryptogram(keys, RANDOM_A, RANDOM_B)
    assert server.hex() == "26d3356e07762d262801fc8e6665a891"
    assert client_cryptogram(keys, RANDOM_A, RANDOM_B).hex() == "fde5d2f428ec16312471ea3c02bd7796"
    assert first_mac(keys, server).hex() == "b2a30057eb98ba2229ec1f875662b524"


def test_a_key_of_another_length_and_data_that_are_no_blocks_are_refused() -> None:
    with pytest.raises(SecurityError, match="16 bytes"):
        Channel([b"short"])
    keys = derive_keys(DEFAULT_KEY, RANDOM_A)
    with pytest.raises(SecurityError):
        decrypt_data(keys, bytes(16), b"abc")
    assert decrypt_data(keys, bytes(16), b"") == b""
