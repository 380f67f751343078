"""What a meter answers to a request for its data: header, records, and how the telegram ends.

A damaged record ends its telegram: what came before is kept, what comes behind cannot be found.

Source: EN 13757-3 as public implementations have it (rscada/libmbus, wmbusmeters).
"""

from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from protocols.errors import ApplicationError, MalformedFrame, ProtocolError, SecurityError, Unsupported
from protocols.mbus import frame as link
from protocols.mbus.address import encode_secondary
from protocols.mbus.fixed import read_fixed
from protocols.mbus.frame import Frame
from protocols.mbus.header import LONG_HEADER, SHORT_HEADER, Header, decode_header
from protocols.mbus.record import Reader, Record, read_record

_MAKERS_DATA, _MAKERS_DATA_AND_MORE, _FILLER, _GLOBAL_READOUT = 0x0F, 0x1F, 0x2F, 0x7F
_SPECIAL = 0x0F
_AES_CBC = 5
_BLOCK = 16
_PROOF = b"\x2f\x2f"  # a deciphered content begins with two fillers

APPLICATION_ERRORS = (
    "it does not say why",
    "it does not know this control information",
    "its buffer is too short",
    "the telegram has too many records",
    "the telegram ends early",
    "a record has more than 10 DIFEs",
    "a record has more than 10 VIFEs",
    "reserved reason",
    "it is busy",
    "there were too many readouts",
)


@dataclass(frozen=True, slots=True)
class Telegram:
    """One decoded answer.

    Shape: ``error`` says why it ends before its bytes do, None for a whole one; ``has_more`` where
    the meter has another telegram for the next request; ``makers_data`` is what only the maker knows.
    """

    header: Header | None
    records: tuple[Record, ...]
    has_more: bool = False
    makers_data: bytes = b""
    error: ProtocolError | None = None


def decode_telegram(frame: Frame, key: bytes | None = None) -> Telegram:
    """Read the data that a meter has sent.

    Raises: ApplicationError for the meter's refusal; Unsupported for content that is encrypted and no key
    given or for an unknown control information; SecurityError for a key that does not fit; other ProtocolErrors.
    """
    if not frame.is_user_data:
        raise MalformedFrame("the frame holds no data of a meter")
    if frame.ci == link.CI_ERROR:
        raise refusal(frame)
    if frame.ci in (link.CI_FIXED, link.CI_FIXED_MSB):
        header, records = read_fixed(frame.data, is_msb_first=frame.ci == link.CI_FIXED_MSB)
        return Telegram(header, records)
    if frame.ci == link.CI_NO_HEADER:
        return _variable(None, frame.data)
    if frame.ci not in (link.CI_VARIABLE, link.CI_VARIABLE_MSB, link.CI_SHORT_HEADER):
        raise Unsupported(f"control information {frame.ci:02X}")
    is_msb_first = frame.ci == link.CI_VARIABLE_MSB
    is_short = frame.ci == link.CI_SHORT_HEADER
    header = decode_header(frame.data, is_short=is_short, is_msb_first=is_msb_first)
    content = frame.data[SHORT_HEADER if is_short else LONG_HEADER :]
    return _variable(header, _opened(header, content, key), is_msb_first=is_msb_first)


def refusal(frame: Frame) -> ApplicationError:
    """Make the error that an application error stands for."""
    code = frame.data[0] if frame.data else 0
    reason = APPLICATION_ERRORS[code] if code < len(APPLICATION_ERRORS) else f"reason {code:02X}"
    return ApplicationError(f"the meter refuses: {reason}", code)


def _variable(header: Header | None, data: bytes, *, is_msb_first: bool = False) -> Telegram:
    reader = Reader(data, is_msb_first=is_msb_first)
    records: list[Record] = []
    while reader:
        dif = data[reader.place]
        if dif in (_MAKERS_DATA, _MAKERS_DATA_AND_MORE):
            rest = bytes(data[reader.place + 1 :])
            return Telegram(header, tuple(records), dif == _MAKERS_DATA_AND_MORE, rest)
        if dif in (_FILLER, _GLOBAL_READOUT):
            reader.place += 1
            continue
        try:
            if dif & 0x0F == _SPECIAL:
                raise Unsupported(f"a record begins with {dif:02X}, which has no meaning")
            records.append(read_record(reader))
        except ProtocolError as error:
            return Telegram(header, tuple(records), error=error)
    return Telegram(header, tuple(records))


def _opened(header: Header, content: bytes, key: bytes | None) -> bytes:
    """Decipher what is enciphered.

    Source: EN 13757-3 mode 5, AES-128-CBC; the initial vector is the meter's address and eight
    times its access number (wmbusmeters).
    """
    if header.mode == 0:
        return content
    if header.mode != _AES_CBC:
        raise Unsupported(f"the content is encrypted by mode {header.mode}, which this codec does not read")
    if header.own is None:
        raise Unsupported("the content is encrypted and the frame does not name its meter")
    if key is None:
        raise Unsupported("the content is encrypted: give the meter's key")
    if len(key) != _BLOCK:
        raise SecurityError(f"the key has {len(key)} bytes, AES-128 takes {_BLOCK}")
    length = (header.configuration >> 4 & 0xF) * _BLOCK
    if length > len(content):
        raise MalformedFrame(f"{length} bytes should be encrypted and {len(content)} came")
    vector = encode_secondary(header.own)
    vector = vector[4:6] + vector[:4] + vector[6:] + bytes((header.access,)) * 8
    decryptor = Cipher(algorithms.AES(key), modes.CBC(vector)).decryptor()
    plain = decryptor.update(content[:length]) + decryptor.finalize()
    if length and not plain.startswith(_PROOF):
        raise SecurityError("the key does not open the content")
    return plain + content[length:]
