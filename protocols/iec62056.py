"""IEC 62056-21 mode C, the readout of electricity meters through their optical head or a current loop.

    us     /?address! CR LF                       at 300 baud, seven bits and even parity
    meter  /XXXZ identification CR LF             Z says how fast it can speak
    us     06 0 Z 0 CR LF                         yes, read out; from here on at the rate of Z
    meter  02 data sets ! CR LF 03 BCC            BCC is the XOR of all behind 02, with 03

A programming command is 01, its two letters, 02, data, 03, BCC over all behind 01. Nothing here writes.

Source: the house's fact sheet, chapter 6, which names pwitab/iec62056-21; the standard was not read.
"""

import re
from dataclasses import dataclass
from functools import reduce
from operator import xor

from protocols import p1
from protocols.errors import (
    ApplicationError,
    ChecksumMismatch,
    LengthMismatch,
    MalformedFrame,
    ProtocolError,
    TruncatedFrame,
)
from protocols.obis import Reading, parse_lines, readings
from protocols.stream import Framing

SOH, STX, ETX, ACK, NAK, SLASH = 0x01, 0x02, 0x03, 0x06, 0x15, 0x2F
FIRST_BAUD = 300
BAUDS = {"0": 300, "1": 600, "2": 1200, "3": 2400, "4": 4800, "5": 9600, "6": 19200}
LONGEST = p1.LONGEST
_REQUEST = re.compile(rb"/\?([0-9A-Za-z ]{0,32})!\r\n")
_REQUEST_SO_FAR = re.compile(rb"/\?[0-9A-Za-z ]{0,32}(!(\r)?)?")
_IDENTIFICATION = re.compile(rb"/([A-Z][A-Z][A-Za-z])([0-9A-I])([\x20\x22-\x2e\x30-\x7e]{0,30})\r\n")
_IDENTIFICATION_SO_FAR = re.compile(rb"/([A-Z]{1,2}|[A-Z][A-Z][A-Za-z]([0-9A-I][\x20\x22-\x2e\x30-\x7e]{0,30}\r?)?)?")
_SELECTION = re.compile(rb"\x06([0-2])([0-9A-I])([0-9])\r\n")
_SELECTION_SO_FAR = re.compile(rb"\x06([0-2]([0-9A-I]([0-9]\r?)?)?)?")
_SELECTION_LENGTH = 6
# Text, with the inner 02 of a command and the blank end of a block.
_TEXT = re.compile(rb"[\x20-\x7e\r\n]*")
_COMMAND = re.compile(rb"\x01([A-Z][0-9])(?:\x02([\x20-\x7e\r\n]*))?\x03")
_COMMAND_SO_FAR = re.compile(rb"\x01([A-Z]([0-9](\x02[\x20-\x7e\r\n]*)?)?)?")
_REFUSAL = re.compile(r"\(?(ER[A-Z]?\w{0,8})\)?|\((ERROR\w{0,8})\)")


@dataclass(frozen=True, slots=True)
class Message:
    """One message of either side.

    Shape: ``kind`` is ``request``, ``identification``, ``selection``, ``command``, ``data``, ``refusal``
    or ``telegram`` (a P1 one in the same stream); ``text`` what it carries; ``manufacturer`` and ``baud``,
    the letter that stands for the rate, of an identification; ``command`` its two letters.
    """

    kind: str
    text: str = ""
    manufacturer: str = ""
    baud: str = ""
    command: str = ""
    has_check: bool = True

    @property
    def is_response(self) -> bool:
        return self.kind in ("identification", "data", "refusal", "telegram")

    @property
    def baudrate(self) -> int | None:
        """The rate that an identification offers; None for a meter of another mode."""
        return BAUDS.get(self.baud)


def bcc(data: bytes) -> int:
    """Give the XOR of bytes."""
    return reduce(xor, data, 0)


def encode_request(address: str = "") -> bytes:
    """Wake a meter; without an address whoever is there answers.

    Raises: ValueError for an address that is none.
    """
    wire = f"/?{address}!\r\n".encode("ascii", "replace")
    if not _REQUEST.fullmatch(wire):
        raise ValueError(f"'{address}' is not a meter's address: up to 32 digits, letters and spaces")
    return wire


def encode_identification(manufacturer: str, baud: str, identification: str) -> bytes:
    """Tell who one is; the simulator's side."""
    return f"/{manufacturer}{baud}{identification}\r\n".encode("ascii")


def encode_selection(baud: str, *, is_programming: bool = False) -> bytes:
    """Accept the offered rate, for a readout."""
    return bytes((ACK,)) + f"0{baud}{int(is_programming)}\r\n".encode("ascii")


def encode_data(text: str) -> bytes:
    """Send a block of data sets; the simulator's side."""
    body = text.encode("ascii") + bytes((ETX,))
    return bytes((STX,)) + body + bytes((bcc(body),))


def encode_read_command(obis: str) -> bytes:
    """Ask for one register in programming mode."""
    body = b"R1\x02" + f"{obis}()".encode("ascii") + bytes((ETX,))
    return bytes((SOH,)) + body + bytes((bcc(body),))


def decode_message(data: bytes) -> Message:
    """Read exactly one message.

    Raises: ProtocolError.
    """
    if not data:
        raise TruncatedFrame("there are no bytes")
    match data[0]:
        case 0x2F:
            return _decode_line(data)
        case 0x06:
            return _decode_selection(data)
        case 0x02:
            return _decode_block(data)
        case 0x01:
            return _decode_command(data)
        case 0x15:
            if len(data) == 1:
                return Message("refusal")
    raise MalformedFrame(f"no message begins with {data[:1].hex().upper()} and is {len(data)} bytes long")


def decode_readings(message: Message) -> list[Reading]:
    """Name the values of a data block or a telegram.

    Raises: MalformedFrame for text that is no data sets, ApplicationError for a meter's refusal.
    """
    if message.kind == "refusal":
        raise ApplicationError("the meter refuses (NAK): it has not understood")
    if (refused := _REFUSAL.fullmatch(message.text.strip())) is not None:
        raise ApplicationError(f"the meter refuses: {refused[1] or refused[2]}")
    return readings(parse_lines(message.text))


def _decode_line(data: bytes) -> Message:
    if (request := _REQUEST.fullmatch(data)) is not None:
        return Message("request", request[1].decode(), has_check=False)
    if (line := _IDENTIFICATION.fullmatch(data)) is not None:
        return Message("identification", line[3].decode(), line[1].decode(), line[2].decode(), "", False)
    if data.find(b"\r\n\r\n", 0, 40) > 0:
        telegram = p1.decode_telegram(data)
        return Message(
            "telegram", telegram.body, telegram.manufacturer, telegram.identification[:1], "", telegram.has_check
        )
    if _REQUEST_SO_FAR.fullmatch(data) or _IDENTIFICATION_SO_FAR.fullmatch(data):
        raise TruncatedFrame("the bytes end inside a line")
    raise MalformedFrame("a line that is neither a request nor an identification")


def _decode_selection(data: bytes) -> Message:
    if (match := _SELECTION.fullmatch(data)) is not None:
        return Message("selection", (match[1] + match[3]).decode(), baud=match[2].decode(), has_check=False)
    if len(data) < _SELECTION_LENGTH:
        raise TruncatedFrame("the bytes end inside an acknowledgement")
    raise MalformedFrame("an acknowledgement is 06, three characters and a line's end")


def _decode_block(data: bytes) -> Message:
    _check(data, data.find(ETX), 1)
    text = data[1:-2]
    if _TEXT.fullmatch(text) is None:
        raise MalformedFrame("the block holds bytes that are no text")
    return Message("data", text.decode())


def _decode_command(data: bytes) -> Message:
    _check(data, data.find(ETX), 1)
    match = _COMMAND.fullmatch(data[:-1])
    if match is None:
        raise MalformedFrame("a command is 01, a letter and a digit, 02, text, 03 and its BCC")
    return Message("command", (match[2] or b"").decode(), command=match[1].decode())


def _check(data: bytes, end: int, first: int) -> None:
    if end < 0 or end + 1 == len(data):
        raise TruncatedFrame("the bytes end inside a block")
    if end + 2 != len(data):
        raise LengthMismatch(f"{len(data) - end - 2} bytes stand behind the block's end")
    if (found := bcc(data[first : end + 1])) != data[-1]:
        raise ChecksumMismatch(f"the BCC is {data[-1]:02X}, the bytes give {found:02X}")


def _length(data: bytes) -> int:
    match data[0]:
        case 0x2F:
            return _line_length(data)
        case 0x06:
            if _SELECTION.match(data):
                return _SELECTION_LENGTH
            return 0 if _SELECTION_SO_FAR.fullmatch(data) else -1
        case 0x02:
            text = _TEXT.match(data, 1, LONGEST)
            assert text is not None
            return _block_length(data, text.end())
        case 0x01:
            head = _COMMAND_SO_FAR.match(data, 0, LONGEST)
            return -1 if head is None else _block_length(data, head.end())
        case 0x15:
            return 1
    return -1


def _block_length(data: bytes, end: int) -> int:
    """Tell where a block is complete whose text ends at a place."""
    if end < len(data):
        if data[end] != ETX:
            return -1
        return end + 2
    return 0 if len(data) < LONGEST else -1


def _line_length(data: bytes) -> int:
    if (match := _REQUEST.match(data)) is not None:
        return match.end()
    if (match := _IDENTIFICATION.match(data)) is not None and data[match.end() : match.end() + 2] != b"\r\n":
        return match.end()
    if match is not None or p1.telegram_length(data) > 0:
        return p1.telegram_length(data)
    is_open = _REQUEST_SO_FAR.fullmatch(data) or _IDENTIFICATION_SO_FAR.fullmatch(data)
    return 0 if is_open else -1


def _is_likely(data: bytes) -> bool:
    try:
        return _length(data) >= 0 and (data[0] in (STX, SOH) or len(data) > 5)
    except (ProtocolError, IndexError):
        return False


FRAMING = Framing(length=_length, decode=decode_message, is_likely=_is_likely, header=6, longest=LONGEST)
