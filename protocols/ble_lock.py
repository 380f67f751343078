"""How a GATT lock is told to open so that a listener gains nothing: it gives a nonce, the order answers it.

Order: code (1 byte) ‖ duration (2 bytes, low byte first, tenths of a second) ‖ proof (16 bytes);
19 bytes, so that it fits the 20 of the smallest ATT MTU. The proof is AES-CMAC, or the first 16
bytes of HMAC-SHA-256, of "GHL1" ‖ nonce ‖ code ‖ duration under the lock's own key.
Source: this house's own template, no maker's lock; AES-CMAC is RFC 4493, HMAC RFC 2104, both from `cryptography`.
"""

import hmac
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from protocols.errors import LengthMismatch, SecurityError

AES_CMAC, HMAC_SHA256 = "aes-cmac", "hmac-sha256"
PROOF_BYTES: Final = 16
ORDER_BYTES: Final = 3 + PROOF_BYTES
LONGEST_TENTHS: Final = 0xFFFF
_CONTEXT = b"GHL1"


class LockOrder(NamedTuple):
    """What a lock is told. Units: ``tenths`` of a second for which it stays open."""

    code: int
    tenths: int


def encode_order(order: LockOrder, nonce: bytes, key: bytes, mac: str = AES_CMAC) -> bytes:
    """Answer a lock's nonce with an order."""
    body = bytes([order.code]) + order.tenths.to_bytes(2, "little")
    return body + _proof(nonce, body, key, mac)


def decode_order(data: bytes, nonce: bytes, key: bytes, mac: str = AES_CMAC) -> LockOrder:
    """Take an order as the lock does.

    Raises: LengthMismatch; SecurityError where its proof does not answer this nonce under this key.
    """
    if len(data) != ORDER_BYTES:
        raise LengthMismatch(f"an order has {ORDER_BYTES} bytes, not {len(data)}")
    body, proof = data[:3], data[3:]
    if not hmac.compare_digest(_proof(nonce, body, key, mac), proof):
        raise SecurityError("the proof does not answer the nonce")
    return LockOrder(body[0], int.from_bytes(body[1:], "little"))


def _proof(nonce: bytes, body: bytes, key: bytes, mac: str) -> bytes:
    message = _CONTEXT + nonce + body
    if mac == HMAC_SHA256:
        return hmac.digest(key, message, "sha256")[:PROOF_BYTES]
    made = CMAC(AES(key))
    made.update(message)
    return made.finalize()
