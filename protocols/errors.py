"""What can be wrong with bytes from a wire.

    ProtocolError
    +-- ChecksumMismatch   the frame's check does not fit its bytes
    +-- LengthMismatch     a length field contradicts the frame or the item
    +-- TruncatedFrame     the bytes end inside a frame
    +-- MalformedFrame     a fixed byte, a BCD digit or a field is not what the protocol allows
    +-- ApplicationError   the device answered, and its answer is an error
    +-- SecurityError      a signature, MAC or replay counter is refused
    +-- Unsupported        well formed, but nothing this codec knows

A codec raises nothing else, whatever bytes it is given.
"""

from typing import ClassVar


class ProtocolError(Exception):
    """Bytes that must not become a value; ``kind`` is the stable word used in JSON output."""

    kind: ClassVar[str] = "protocol"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class ChecksumMismatch(ProtocolError):
    kind = "checksum"


class LengthMismatch(ProtocolError):
    kind = "length"


class TruncatedFrame(ProtocolError):
    kind = "truncated"


class MalformedFrame(ProtocolError):
    kind = "format"


class ApplicationError(ProtocolError):
    """The device's own refusal.

    Shape: ``code`` is the device's error code as sent on the wire, None where it has none.
    """

    kind = "application"

    def __init__(self, detail: str, code: int | None = None) -> None:
        super().__init__(detail)
        self.code = code


class SecurityError(ProtocolError):
    kind = "security"


class Unsupported(ProtocolError):
    kind = "unsupported"
