"""How a gateway becomes known: the one-time code, and what the two sides say to each other.

A code is base32 of 16 secret bytes, the first 10 bytes of the SHA-256 of the centre's own
certificate (DER), and one byte that a mistyped code does not fit. So whoever has the code knows
the centre before the first word is said to it: nothing is trusted on first use.

    GET  PATH_AUTHORITY   -> PEM of the centre's own certificate; believed only where it fits the code
    POST PATH_ENROL       {"code", "request", "sign_key"} -> {"edge_id", "certificate", "authority", "command_key"}
    POST PATH_RENEW       {"request"}                     -> {"certificate"}   with the old certificate

``request`` is a PKCS #10 request (PEM), ``certificate`` and ``authority`` are PEM, ``sign_key`` is
the raw Ed25519 public key with which the gateway signs its batches, as hex; ``command_key`` the one
with which the centre signs its commands.
"""

import base64
import hashlib
import re
import secrets
from typing import NamedTuple

from protocols.errors import ChecksumMismatch, MalformedFrame

PATH_AUTHORITY = "/api/v1/sync/authority"
PATH_ENROL = "/api/v1/sync/enrol"
PATH_RENEW = "/api/v1/sync/renew"
# The name that a gateway's certificate carries, as a URI.
NAME = "urn:gatehouse:gateway:"

_SECRET_BYTES = 16
_PRINT_BYTES = 10
_GROUP = 4
_LENGTH = -(-8 * (_SECRET_BYTES + _PRINT_BYTES + 1) // 5)
_LETTERS = re.compile("[A-Z2-7]*")


class Code(NamedTuple):
    """A one-time code; ``fingerprint`` is the beginning of the hash of the centre's certificate."""

    secret: bytes
    fingerprint: bytes

    def fits(self, certificate_der: bytes) -> bool:
        """Tell whether a certificate is the one that the code was made for."""
        return secrets.compare_digest(self.fingerprint, _print(certificate_der))


def make_code(certificate_der: bytes) -> str:
    """Make a code of fresh random bytes, in groups that can be read out."""
    body = secrets.token_bytes(_SECRET_BYTES) + _print(certificate_der)
    text = base64.b32encode(body + _check(body)).decode().rstrip("=")
    return "-".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))


def read_code(text: str) -> Code:
    """Read a code; case, spaces and dashes do not count.

    Raises: MalformedFrame, ChecksumMismatch.
    """
    plain = "".join(text.split()).replace("-", "").upper()
    if not _LETTERS.fullmatch(plain):
        raise MalformedFrame("a code has the letters A to Z and the digits 2 to 7")
    if len(plain) != _LENGTH:
        raise MalformedFrame("a letter of the code is missing or too many")
    data = base64.b32decode(plain + "=" * (-_LENGTH % 8))
    body = data[: _SECRET_BYTES + _PRINT_BYTES]
    if data[len(body) :] != _check(body):
        raise ChecksumMismatch("a letter of the code is wrong")
    return Code(body[:_SECRET_BYTES], body[_SECRET_BYTES:])


def code_hash(secret: bytes) -> str:
    """Hash a code's secret for keeping; it is random, so a slow hash would add nothing."""
    return hashlib.sha256(b"gatehouse enrolment code" + secret).hexdigest()


def _print(certificate_der: bytes) -> bytes:
    return hashlib.sha256(certificate_der).digest()[:_PRINT_BYTES]


def _check(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()[:1]
