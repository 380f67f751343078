"""The uplink's requests and answers as MQTT messages; the bodies are those of HTTP, byte for byte.

    gatehouse/EDGE_ID/batches|live|status|rules|renew    from the gateway
    gatehouse/EDGE_ID/answers                            from the centre

A message has its request's number as correlation data, its few fields as user properties, and with
them a signature over all of it: a gateway's by the key that signs its batches, an answer's by the
centre's command key. So a broker can lose and delay, and cannot say anything in either's name.

Nor can it say a thing again: every answer tells the centre's time, and a request that would have an effect each
time it comes (``FRESH``) tells it back as it has gone on since. The centre takes it for ``FRESH_MS``, once; to
one that tells no time yet, or an old one, it answers 409 with the time, and the gateway asks anew.
Batches need none of it, they count once by their numbers.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from protocols.access import PATH_RULES
from protocols.config_offer import PATH_CONFIG
from protocols.enrolment import PATH_RENEW
from protocols.snapshot import PATH_LIVE
from protocols.sync import MAX_BATCH_BYTES, PATH_BATCHES, PATH_STATUS, is_edge_id

PREFIX = "gatehouse"
ANSWERS = "answers"
CENTRE = "_centre"  # its name at the broker; no gateway can have it
KINDS: Mapping[str, str] = {
    PATH_BATCHES: "batches",
    PATH_LIVE: "live",
    PATH_STATUS: "status",
    PATH_RULES: "rules",
    PATH_CONFIG: "config",
    PATH_RENEW: "renew",
}
# What a request and an answer say beside their body.
LANE, HAVE, STATUS, RETRY_AFTER, SIGNATURE = "lane", "have", "status", "retry-after", "signature"
AT = "at"  # the centre's clock, milliseconds UTC
FRESH = frozenset({"live", "status", "renew"})
FRESH_MS = 30_000
STALE, REPLAYED = "sync_stale", "sync_replayed"
MAX_REQUEST_BYTES = MAX_BATCH_BYTES + 16 * 1024

_MARK = b"gatehouse mqtt 1\n"
_SIGNATURE = re.compile(r"[0-9a-f]{128}")
_NUMBER_BYTES = 16


@dataclass(frozen=True, slots=True)
class Message:
    """One request, or the answer with the same ``number``."""

    topic: str
    number: bytes
    body: bytes
    fields: Mapping[str, str] = field(default_factory=dict)

    def signed(self) -> bytes:
        """Give what its signature is made over."""
        said = [self.topic, self.number.hex(), sorted(self.fields.items()), hashlib.sha256(self.body).hexdigest()]
        return _MARK + json.dumps(said, separators=(",", ":")).encode()

    def is_signed_by(self, public_key: str, signature: str) -> bool:
        """Tell whether a signature is that of a key, both as hex."""
        if len(self.number) != _NUMBER_BYTES or not _SIGNATURE.fullmatch(signature):
            return False
        try:
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(
                bytes.fromhex(signature), self.signed()
            )
        except (InvalidSignature, ValueError):
            return False
        return True


def topic_of(edge_id: str, kind: str) -> str:
    return f"{PREFIX}/{edge_id}/{kind}"


def read_topic(topic: str) -> tuple[str, str] | None:
    """Give the gateway and the kind of a request, None for any other topic."""
    parts = topic.split("/")
    if len(parts) != 3 or parts[0] != PREFIX or not is_edge_id(parts[1]) or parts[2] not in KINDS.values():
        return None
    return parts[1], parts[2]
