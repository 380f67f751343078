"""The frame of OSDP: what is on the line, checked, and not yet understood.

    53 | address, bit 7 of a reply | length LSB MSB, 53 to check | control | [SCB] | code | data | [MAC 4] | check
    control: bits 0-1 sequence, 2 CRC instead of a checksum, 3 security block, 7 multipart
    SCB: its length with itself, its type 11..18, its data

The check is a CRC (polynomial 1021, start 1D0F, low byte first) or the two's complement of the
bytes' sum. One or more FF may stand before a frame; they belong to none.

Source: SIA OSDP v2.2 chapter 5 as implemented in goToMain/libosdp; CRC examples of its Annex E.
"""

from dataclasses import dataclass
from typing import Final

from protocols.errors import ChecksumMismatch, LengthMismatch, MalformedFrame, TruncatedFrame
from protocols.osdp.code import name_of
from protocols.stream import Framing

SOM: Final = 0x53
MARK: Final = b"\xff"
CONFIGURATION: Final = 0x7F  # every device listens to this address, whatever its own is
LONGEST: Final = 1440
_SHORTEST = 7  # header, code, checksum
_HEADER = 5
_CRC, _SCB, _RESERVED = 0x04, 0x08, 0x70
_MAC_TYPES = range(0x15, 0x19)
MAC_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class Frame:
    """One message as sent.

    Shape: ``security`` is the security block without its length, type first, empty where there is
    none; ``data`` is still encrypted in blocks 17 and 18; ``mac`` is empty outside blocks 15 to 18.
    """

    address: int
    code: int
    data: bytes = b""
    is_reply: bool = False
    control: int = _CRC
    security: bytes = b""
    mac: bytes = b""

    @property
    def sequence(self) -> int:
        return self.control & 0x03

    @property
    def has_crc(self) -> bool:
        return bool(self.control & _CRC)

    @property
    def is_multipart(self) -> bool:
        return bool(self.control & 0x80)

    @property
    def block(self) -> int | None:
        """The security block's type, None where there is no block."""
        return self.security[0] if self.security else None

    @property
    def is_encrypted(self) -> bool:
        return self.block in (0x17, 0x18)

    @property
    def name(self) -> str | None:
        return name_of(self.code, is_reply=self.is_reply)


def encode_command(address: int, code: int, data: bytes = b"", *, sequence: int = 0, has_crc: bool = True) -> bytes:
    """Write a plain command, with the mark before it that wakes a line's receivers."""
    return MARK + encode_frame(Frame(address, code, data, control=sequence | (_CRC if has_crc else 0)))


def encode_frame(frame: Frame) -> bytes:
    """Write a frame with its check, without a mark."""
    body = covered(frame) + frame.mac
    return body + (crc16(body).to_bytes(2, "little") if frame.has_crc else bytes([checksum(body)]))


def covered(frame: Frame) -> bytes:
    """Give what a MAC is made of: everything up to the end of the data."""
    block = bytes([len(frame.security) + 1]) + frame.security if frame.security else b""
    control = frame.control & ~_SCB | (_SCB if block else 0)
    length = _HEADER + len(block) + 1 + len(frame.data) + len(frame.mac) + (2 if frame.has_crc else 1)
    head = bytes([SOM, frame.address | frame.is_reply << 7]) + length.to_bytes(2, "little")
    return head + bytes([control]) + block + bytes([frame.code]) + frame.data


def decode_frame(data: bytes) -> Frame:
    """Read one whole frame.

    Raises: TruncatedFrame, LengthMismatch, MalformedFrame, ChecksumMismatch.
    """
    length = _length(data)
    if length < 0:
        raise MalformedFrame("no frame of OSDP begins here")
    if length == 0 or length > len(data):
        raise TruncatedFrame("the bytes end inside this frame")
    if length < len(data):
        raise LengthMismatch(f"the frame says {length} bytes and is {len(data)}")
    control = data[4]
    if control & _RESERVED:
        raise MalformedFrame(f"control {control:02X} has bits that no frame sets")
    body = _checked(data, control)
    at = _HEADER
    security = b""
    if control & _SCB:
        size = body[at] if len(body) > at else 0
        security = body[at + 1 : at + size]
        if not security or len(security) != size - 1:
            raise MalformedFrame("the security block does not fit the frame")
        at += size
    end = len(body) - MAC_BYTES if security and security[0] in _MAC_TYPES else len(body)
    if at >= end:
        raise MalformedFrame("the frame has no code")
    return Frame(data[1] & 0x7F, body[at], body[at + 1 : end], bool(data[1] & 0x80), control, security, body[end:])


def _checked(data: bytes, control: int) -> bytes:
    """Give a frame without its check, which fits."""
    crc_fits = crc16(_with_crc(data, control)) == int.from_bytes(data[-2:], "little")
    if control & _CRC:
        if not crc_fits:
            raise ChecksumMismatch(
                f"CRC {crc16(data[:-2]):04X} expected, {int.from_bytes(data[-2:], 'little'):04X} found"
            )
        return data[:-2]
    # A lost bit in the control byte must not trade sixteen bits of check for eight.
    if crc_fits:
        raise ChecksumMismatch("the control byte says checksum, but a CRC ends this frame")
    if data[-1] != checksum(data[:-1]):
        raise ChecksumMismatch(f"checksum {checksum(data[:-1]):02X} expected, {data[-1]:02X} found")
    return data[:-1]


def _with_crc(data: bytes, control: int) -> bytes:
    return data[:4] + bytes([control | _CRC]) + data[_HEADER:-2]


def checksum(data: bytes) -> int:
    """Give what makes the bytes add up to nothing."""
    return -sum(data) & 0xFF


def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
        table.append(crc)
    return tuple(table)


_CRC_TABLE = _table()


def crc16(data: bytes) -> int:
    """Compute the CRC of a frame; that of "123456789" is E5CC."""
    crc = 0x1D0F
    for byte in data:
        crc = crc << 8 & 0xFFFF ^ _CRC_TABLE[crc >> 8 ^ byte]
    return crc


def _length(data: bytes) -> int:
    if data and data[0] != SOM:
        return -1
    if len(data) < 4:
        return 0
    length = int.from_bytes(data[2:4], "little")
    return length if _SHORTEST <= length <= LONGEST else -1


def _is_likely(data: bytes) -> bool:
    return len(data) > _HEADER and _length(data) > 0 and not data[4] & _RESERVED


FRAMING: Final = Framing(_length, decode_frame, _is_likely, header=_HEADER + 1, start=bytes([SOM]), fill=MARK)
