"""The secure channel, followed from outside: with the key of a device, its captured session can be read.

    CHLNG (block 11) -> CCRYPT (12) -> SCRYPT (13) -> RMAC_I (14)    session keys, both sides proven
    then 15/16 with a MAC, 17/18 with a MAC and encrypted data; a MAC starts from the other side's last one

Source: SIA OSDP v2.2 annex D as in the house's fact sheet; its examples of annex E, and
goToMain/libosdp src/osdp_sc.c.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from protocols.errors import SecurityError
from protocols.osdp import code
from protocols.osdp.frame import MAC_BYTES, Frame, covered

DEFAULT_KEY: Final = bytes(range(0x30, 0x40))  # SCBK-D, known to everybody
KEY_BYTES: Final = 16
_BLOCK = 16
_PADDING = 0x80


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """The keys of one session."""

    encryption: bytes
    mac1: bytes
    mac2: bytes


def derive_keys(base: bytes, random_a: bytes) -> SessionKeys:
    """Derive a session's keys from the device's own and the controller's random number."""

    def key(first: int, second: int) -> bytes:
        return _encrypt(base, bytes([first, second]) + random_a[:6] + bytes(8))

    return SessionKeys(key(0x01, 0x82), key(0x01, 0x01), key(0x01, 0x02))


def client_cryptogram(keys: SessionKeys, random_a: bytes, random_b: bytes) -> bytes:
    return _encrypt(keys.encryption, random_a + random_b)


def server_cryptogram(keys: SessionKeys, random_a: bytes, random_b: bytes) -> bytes:
    return _encrypt(keys.encryption, random_b + random_a)


def first_mac(keys: SessionKeys, server: bytes) -> bytes:
    """Give what the first command's MAC starts from."""
    return _encrypt(keys.mac2, _encrypt(keys.mac1, server))


def chained_mac(keys: SessionKeys, last: bytes, data: bytes) -> bytes:
    """Compute the whole MAC, of which four bytes are sent. Shape: ``last`` is the other side's."""
    if len(data) % _BLOCK:
        data += bytes([_PADDING]).ljust(-len(data) % _BLOCK, b"\0")
    head, tail = data[:-_BLOCK], data[-_BLOCK:]
    if head:
        last = _cbc(keys.mac1, last).encryptor().update(head)[-_BLOCK:]
    return _cbc(keys.mac2, last).encryptor().update(tail)


def decrypt_data(keys: SessionKeys, last: bytes, data: bytes) -> bytes:
    """Decrypt the data of a message whose MAC has been found right.

    Raises: SecurityError.
    """
    if len(data) % _BLOCK:
        raise SecurityError(f"{len(data)} bytes of encrypted data are no whole blocks")
    plain = _cbc(keys.encryption, bytes(~byte & 0xFF for byte in last)).decryptor().update(data)
    plain = plain.rstrip(b"\0")
    if not data:
        return b""  # one maker's empty reply in block 18
    if not plain.endswith(bytes([_PADDING])):
        raise SecurityError("the decrypted data have no padding")
    return plain[:-1]


class Channel:
    """Follow one device's sessions; ``follow`` takes its frames in the order of the line.

    Shape: a message that is repeated word for word gives again what it gave; one that fails
    changes nothing, for it was refused by whoever it was meant for.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        if any(len(key) != KEY_BYTES for key in keys):
            raise SecurityError(f"a key of OSDP has {KEY_BYTES} bytes")
        self._bases = list(keys)
        self._candidates: list[SessionKeys] = []
        self._random_a = b""
        self._random_b = b""
        self._keys: SessionKeys | None = None
        self._server = b""
        self._last: dict[bool, bytes] = {}  # the last MAC of commands (False) and of replies (True)
        self._said: dict[bool, tuple[Frame, Frame]] = {}
        self._new_base: bytes | None = None

    @property
    def is_open(self) -> bool:
        return bool(self._last)

    @property
    def is_readable(self) -> bool:
        """Whether there is a key that the present session may have been made with."""
        return bool(self._candidates)

    def follow(self, frame: Frame) -> Frame:
        """Give the frame with its data in clear.

        Raises: SecurityError where a proof fails or no session is known.
        """
        step = {0x11: self._challenged, 0x12: self._answered, 0x13: self._proven, 0x14: self._opened}.get(
            frame.block or 0
        )
        if step is not None:
            step(frame)
            return frame
        if frame.mac:
            return self._checked(frame)
        self._in_clear(frame)
        return frame

    def _in_clear(self, frame: Frame) -> None:
        """A session ends in clear, by a controller that starts again or a refusal; nothing else comes in clear."""
        if frame.is_reply and frame.code == code.BUSY:
            return
        if self.is_open and (frame.code != code.NAK if frame.is_reply else frame.sequence):
            raise SecurityError("a message in clear inside a secure channel")
        self._last = {}

    def _challenged(self, frame: Frame) -> None:
        self._keys, self._last, self._said = None, {}, {}
        self._random_a = frame.data
        is_default = frame.security[1:2] == b"\0"
        bases = [DEFAULT_KEY] if is_default else self._bases
        self._candidates = [derive_keys(base, frame.data) for base in bases] if len(frame.data) == 8 else []

    def _answered(self, frame: Frame) -> None:
        if not self._candidates:
            return
        self._random_b, found = frame.data[8:16], frame.data[16:]
        for keys in self._candidates:
            if len(self._random_b) == 8 and found == client_cryptogram(keys, self._random_a, self._random_b):
                self._keys = keys
                return
        raise SecurityError("the device proves another key than this one")

    def _proven(self, frame: Frame) -> None:
        if self._keys is None:
            return
        if frame.data != server_cryptogram(self._keys, self._random_a, self._random_b):
            raise SecurityError("the controller proves another key than the device")
        self._server = frame.data

    def _opened(self, frame: Frame) -> None:
        if self._keys is None or not self._server:
            return
        if frame.security[1:2] != b"\x01":
            raise SecurityError("the device refuses the secure channel")
        if frame.data != first_mac(self._keys, self._server):
            raise SecurityError("the device's first MAC does not follow from the key")
        self._last = {True: frame.data}

    def _checked(self, frame: Frame) -> Frame:
        if self._said.get(frame.is_reply, (None,))[0] == frame:
            return self._said[frame.is_reply][1]
        other = self._last.get(not frame.is_reply)
        if self._keys is None or other is None:
            raise SecurityError("the handshake of this secure channel is not in the capture, or its key is not known")
        mac = chained_mac(self._keys, other, covered(frame))
        if mac[:MAC_BYTES] != frame.mac:
            raise SecurityError(f"MAC {mac[:MAC_BYTES].hex()} expected, {frame.mac.hex()} found")
        plain = frame
        if frame.is_encrypted:
            plain = replace(frame, data=decrypt_data(self._keys, other, frame.data))
        self._last[frame.is_reply] = mac
        self._said[frame.is_reply] = (frame, plain)
        self._learn(plain)
        return plain

    def _learn(self, frame: Frame) -> None:
        """A key that was installed in the capture itself opens what comes after it."""
        if not frame.is_reply:
            is_key = frame.code == code.KEYSET and frame.data[:2] == bytes([1, KEY_BYTES])
            self._new_base = frame.data[2:] if is_key and len(frame.data) == 2 + KEY_BYTES else None
        elif frame.code == code.ACK and self._new_base is not None:
            self._bases.insert(0, self._new_base)


def _encrypt(key: bytes, block: bytes) -> bytes:
    # One block of a keyed derivation, as the standard has it; there is no chain to hide a pattern of.
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(block)  # noqa: S305


def _cbc(key: bytes, start: bytes) -> "Cipher[modes.CBC]":
    return Cipher(algorithms.AES(key), modes.CBC(start))
