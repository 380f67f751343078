"""A revision of a gateway's settings as the centre sends it: signed like a command, for one gateway.

    {"edge", "revision", "hash", "text", "actor", "issued_at", "signature"}

Numbers rise, and a gateway takes none a second time and no lower one, so that an old revision cannot be
sent again by anybody. What became of it goes up as ``Event(RESULT, "gateway:...", at, {"revision", "centre",
"state", "reason", "hash", "origin"})``; ``centre`` is the number here, None for a revision made on site.
"""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from protocols.errors import ChecksumMismatch, LengthMismatch, MalformedFrame, SecurityError
from protocols.sync import is_edge_id

PATH_CONFIG = "/api/v1/sync/config"
RESULT, REFUSED = "config", "config_refused"
MAX_TEXT_BYTES = 256 * 1024  # a message down has 1 MiB, and JSON may need four bytes for one
MAX_OFFER_BYTES = 4 * MAX_TEXT_BYTES
# How an offered revision may end at a gateway.
CONFIRMED, REVERTED, WITHDRAWN, REPLACED, REFUSED_STATE = "confirmed", "reverted", "withdrawn", "replaced", "refused"
ENDS = frozenset({CONFIRMED, REVERTED, WITHDRAWN, REPLACED, REFUSED_STATE})

_MARK = b"gatehouse config 1\n"
_SIGNATURE = re.compile(r"[0-9a-f]{128}")
_FIELDS = frozenset({"edge", "revision", "hash", "text", "actor", "issued_at", "signature"})
_LATEST = 2**53


@dataclass(frozen=True, slots=True)
class Offer:
    """A whole settings file for one gateway. Units: ``issued_at`` is milliseconds UTC."""

    edge_id: str
    revision: int
    text: str
    actor: str
    issued_at: int

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def signed_offer(offer: Offer, sign: Callable[[bytes], bytes]) -> dict[str, Any]:
    """Give an offer as it travels. Raises: ValueError for a text that is too long."""
    if len(offer.text.encode()) > MAX_TEXT_BYTES:
        raise ValueError(f"settings have at most {MAX_TEXT_BYTES} bytes")
    return {**_document(offer), "text": offer.text, "signature": sign(_signed(offer)).hex()}


def read_offer(told: Any, edge_id: str, key: str) -> Offer:
    """Believe an offer that the centre has signed for this gateway.

    Raises: MalformedFrame, LengthMismatch, ChecksumMismatch; SecurityError for another's signature, and for
    another gateway's settings.
    """
    if not isinstance(told, dict) or told.keys() != _FIELDS:
        raise MalformedFrame("it has not the fields of a revision")
    texts = [told[name] for name in ("edge", "hash", "text", "actor", "signature")]
    if not all(isinstance(value, str) for value in texts):
        raise MalformedFrame("a field of it is no text")
    numbers = (told["revision"], told["issued_at"])
    if not all(type(value) is int and 0 < value < _LATEST for value in numbers):
        raise MalformedFrame("its number or its instant is none")
    if not is_edge_id(told["edge"]) or not _SIGNATURE.fullmatch(told["signature"]) or len(told["actor"]) > 64:
        raise MalformedFrame("its gateway, its signature or its author is none")
    try:
        size = len(told["text"].encode())
        told["actor"].encode()
    except UnicodeEncodeError:
        raise MalformedFrame("it is no text that UTF-8 can carry") from None
    if size > MAX_TEXT_BYTES:
        raise LengthMismatch(f"it has more than {MAX_TEXT_BYTES} bytes")
    offer = Offer(told["edge"], told["revision"], told["text"], told["actor"], told["issued_at"])
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
        public.verify(bytes.fromhex(told["signature"]), _signed(offer))
    except (InvalidSignature, ValueError):
        raise SecurityError("it is not signed by the centre that this gateway knows") from None
    if offer.hash != told["hash"]:
        raise ChecksumMismatch("its SHA-256 does not fit it")
    if offer.edge_id != edge_id:
        raise SecurityError(f"it is for gateway '{offer.edge_id}'")
    return offer


def _document(offer: Offer) -> dict[str, Any]:
    return {
        "edge": offer.edge_id,
        "revision": offer.revision,
        "hash": offer.hash,
        "actor": offer.actor,
        "issued_at": offer.issued_at,
    }


def _signed(offer: Offer) -> bytes:
    """Write what is signed: the text by its hash."""
    return _MARK + json.dumps(_document(offer), ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
