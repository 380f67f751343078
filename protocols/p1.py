r"""P1 telegrams of Dutch, Belgian and Luxembourg meters: sent unasked, every one or ten seconds.

    /ISk5\2MT382-1000 CR LF  CR LF  data sets, one a line  !E47C CR LF

Four hex digits behind the ! are the CRC of all from / to ! (polynomial A001, from 0). DSMR 2 and 3
have none; their telegrams name no version, and one that does is not believed without its CRC.

Source: the house's fact sheet, chapter 6, which names ndokter/dsmr_parser and lvzon/dsmr-p1-parser.
"""

import re
from dataclasses import dataclass

from protocols.checksum import crc16_arc
from protocols.errors import ChecksumMismatch, LengthMismatch, MalformedFrame, TruncatedFrame
from protocols.stream import Framing

LONGEST = 8192
_HEAD = re.compile(rb"/([A-Za-z]{3})([0-9])([\x20-\x2e\x30-\x7e]{0,24})\r\n\r\n")
# Of a head that has not come to its end yet.
_HEAD_SO_FAR = re.compile(rb"/[A-Za-z]{0,3}([0-9][\x20-\x2e\x30-\x7e]{0,24}(\r(\n(\r\n?)?)?)?)?")
_BODY = re.compile(rb"[\x20-\x2e\x30-\x7e\r\n]*")
_TAIL = re.compile(rb"\n!([0-9A-F]{4})?\r\n")
_TAIL_LENGTH = 8
_VERSION = b"1-3:0.2.8("


@dataclass(frozen=True, slots=True)
class Telegram:
    """One telegram whose check fits, or that has none: ``has_check`` tells."""

    manufacturer: str
    identification: str
    body: str
    has_check: bool


def encode_telegram(identification: str, body: str, *, has_check: bool = True) -> bytes:
    r"""Write a telegram; the simulator's side.

    Shape: ``identification`` as ``ISk5\2MT382-1000``; ``body`` lines with CR LF at each end.
    """
    data = f"/{identification}\r\n\r\n{body}!".encode("ascii")
    return data + (f"{crc16_arc(data):04X}".encode() if has_check else b"") + b"\r\n"


def decode_telegram(data: bytes) -> Telegram:
    """Read exactly one telegram.

    Raises: ProtocolError.
    """
    head = _HEAD.match(data)
    if head is None:
        if _HEAD_SO_FAR.fullmatch(data):
            raise TruncatedFrame("the bytes end inside a telegram's first line")
        raise MalformedFrame("a telegram begins with /, three letters, a digit and an empty line")
    tail = _TAIL.search(data, head.end() - 1)
    if tail is None:
        raise TruncatedFrame("the telegram has no end")
    if tail.end() != len(data):
        raise LengthMismatch("something stands behind the telegram's end")
    body = data[head.end() : tail.start() + 1]
    if _BODY.fullmatch(body) is None:
        raise MalformedFrame("the telegram holds bytes that are no text")
    if tail[1] is None and _VERSION in body:
        raise ChecksumMismatch("the telegram names its version and has no CRC")
    if tail[1] is not None and (found := crc16_arc(data[: tail.start() + 2])) != int(tail[1], 16):
        raise ChecksumMismatch(f"the CRC is {tail[1].decode()}, the bytes give {found:04X}")
    manufacturer, number, identification = (part.decode() for part in head.groups())
    return Telegram(manufacturer, number + identification, body.decode(), tail[1] is not None)


def telegram_length(data: bytes) -> int:
    """Tell how long the telegram is that these bytes begin with; 0 for not yet, -1 for none."""
    head = _HEAD.match(data)
    if head is None:
        return 0 if _HEAD_SO_FAR.fullmatch(data) else -1
    text = _BODY.match(data, head.end() - 1)
    assert text is not None
    tail = _TAIL.search(data, head.end() - 1, min(text.end(), LONGEST))
    if tail is not None:
        return tail.end()
    return 0 if text.end() == len(data) and len(data) < LONGEST else -1


FRAMING = Framing(
    length=telegram_length,
    decode=decode_telegram,
    is_likely=lambda data: _HEAD.match(data) is not None,
    header=8,
    start=b"/",
    end=b"\r\n",
    longest=LONGEST,
)
