"""BTHome: what sensors broadcast as service data.

    v1  181C  objects
    v1  181E  sealed objects | counter 4 | MIC 4        nonce: MAC 6, 1E 18, counter;               AAD 11
    v2  FCD2  info 1 | [MAC 6, reversed] | objects
              info 1 | [MAC 6, reversed] | sealed objects | counter 4 | MIC 4
                                                        nonce: MAC 6, D2 FC, info, counter;         no AAD
    info: bit 0 encrypted, bit 1 MAC included, bit 2 sends on a trigger only, bits 5-7 version

Sealed is AES-CCM with a key of 16 bytes; the MAC in the nonce is in the order people read it.

Source: bthome.io, BTHome v2 format, BTHome v1 and Encryption; chapter 5.1 of the house's fact sheet.
"""

from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from protocols.ble.advertisement import short_uuid
from protocols.ble.bthome_content import read_v1, read_v2
from protocols.ble.bthome_frame import BthomeFrame, Event, Measurement
from protocols.ble.bthome_guard import Repeated, Seen, admit
from protocols.errors import SecurityError, TruncatedFrame, Unsupported

V1_CLEAR, V1_SEALED, V2 = "181c", "181e", "fcd2"
__all__ = [
    "SERVICES",
    "BthomeFrame",
    "Envelope",
    "Event",
    "Measurement",
    "Repeated",
    "Seen",
    "admit",
    "decode",
    "encode_sealed",
    "open_envelope",
]

SERVICES = (V1_CLEAR, V1_SEALED, V2)
KEY_BYTES = 16
_MAC_BYTES, _COUNTER_BYTES, _MIC_BYTES = 6, 4, 4
_TAIL = _COUNTER_BYTES + _MIC_BYTES
_V1_AAD = b"\x11"


@dataclass(frozen=True, slots=True)
class Envelope:
    """A frame before its objects: what can be read without a key.

    Shape: ``salt`` is what stands between address and counter in the nonce.
    """

    version: int
    is_encrypted: bool
    is_trigger: bool
    body: bytes
    salt: bytes
    mac: bytes | None = None
    counter: int | None = None
    mic: bytes = b""


def open_envelope(service_uuid: str, data: bytes) -> Envelope:
    """Take a frame's envelope off.

    Raises: TruncatedFrame; Unsupported for another service or version.
    """
    uuid = short_uuid(service_uuid)
    if uuid not in SERVICES:
        raise Unsupported(f"service {uuid} is not BTHome, which has {', '.join(SERVICES)}")
    if uuid != V2:
        return _sealed(1, data, b"\x1e\x18") if uuid == V1_SEALED else Envelope(1, False, False, data, b"")
    if not data:
        raise TruncatedFrame("a frame without its first byte")
    info = data[0]
    if info >> 5 != 2:
        raise Unsupported(f"version {info >> 5} of BTHome; {V2} carries version 2")
    is_trigger, body, mac = bool(info & 4), data[1:], None
    if info & 2:
        if len(body) < _MAC_BYTES:
            raise TruncatedFrame("the frame ends inside its address")
        mac, body = body[:_MAC_BYTES][::-1], body[_MAC_BYTES:]
    if info & 1:
        return _sealed(2, body, bytes((0xD2, 0xFC, info)), mac, is_trigger=is_trigger)
    return Envelope(2, False, is_trigger, body, b"", mac)


def _sealed(version: int, body: bytes, salt: bytes, mac: bytes | None = None, *, is_trigger: bool = False) -> Envelope:
    if len(body) < _TAIL:
        raise TruncatedFrame(f"an encrypted frame has {_TAIL} bytes of counter and proof, not {len(body)}")
    counter = int.from_bytes(body[-_TAIL:-_MIC_BYTES], "little")
    return Envelope(version, True, is_trigger, body[:-_TAIL], salt, mac, counter, body[-_MIC_BYTES:])


def decode(service_uuid: str, data: bytes, *, mac: bytes | None = None, key: bytes | None = None) -> BthomeFrame:
    """Read one frame of service data; whether it may be believed is for ``admit`` to say.

    Shape: ``mac`` is the sender's address in the order people read it; an address inside the frame is used first.

    Raises: SecurityError for a proof that fails or a key that cannot be one; Unsupported for a frame that
    needs a key or an address nobody gave, for another service or version; TruncatedFrame, LengthMismatch,
    MalformedFrame.
    """
    envelope = open_envelope(service_uuid, data)
    clear = _unseal(envelope, mac, key) if envelope.is_encrypted else envelope.body
    content = read_v1(clear) if envelope.version == 1 else read_v2(clear)
    return BthomeFrame(
        envelope.version,
        envelope.is_encrypted,
        envelope.is_trigger,
        content,
        envelope.mac,
        envelope.counter,
        envelope.mic,
    )


def _unseal(envelope: Envelope, mac: bytes | None, key: bytes | None) -> bytes:
    if key is None:
        raise Unsupported("the frame is encrypted; its key is needed")
    if len(key) != KEY_BYTES:
        raise SecurityError(f"a BTHome key has {KEY_BYTES} bytes, not {len(key)}")
    sender = envelope.mac or mac
    if sender is None:
        raise Unsupported("the frame is encrypted with its sender's address, which is needed")
    if len(sender) != _MAC_BYTES:
        raise SecurityError(f"a Bluetooth address has {_MAC_BYTES} bytes, not {len(sender)}")
    nonce = sender + envelope.salt + (envelope.counter or 0).to_bytes(_COUNTER_BYTES, "little")
    cipher = AESCCM(key, tag_length=_MIC_BYTES)
    try:
        return cipher.decrypt(nonce, envelope.body + envelope.mic, _V1_AAD if envelope.version == 1 else None)
    except InvalidTag:
        raise SecurityError("its proof does not fit: another key, another sender, or changed on its way") from None


def encode_sealed(service_uuid: str, clear: bytes, *, mac: bytes, key: bytes, counter: int, info: int = 0x41) -> bytes:
    """Seal objects as a sensor does; for simulators and tests. Shape: ``info`` is v2's first byte."""
    tail = counter.to_bytes(_COUNTER_BYTES, "little")
    cipher = AESCCM(key, tag_length=_MIC_BYTES)
    if short_uuid(service_uuid) == V1_SEALED:
        head, sealed = b"", cipher.encrypt(mac + b"\x1e\x18" + tail, clear, _V1_AAD)
    else:
        head = bytes((info,)) + (mac[::-1] if info & 2 else b"")
        sealed = cipher.encrypt(mac + bytes((0xD2, 0xFC, info)) + tail, clear, None)
    return head + sealed[:-_MIC_BYTES] + tail + sealed[-_MIC_BYTES:]
