"""What the data of a message mean, field by field.

Shape: a name that several records of one message would share carries their number: ``output2``.
A key that a KEYSET carries is never among the fields.

Source: SIA OSDP v2.2 chapters 6 and 7 as implemented in goToMain/libosdp and
Z-bit-Systems-LLC/OSDP-Embedded.
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from protocols.errors import ApplicationError, LengthMismatch, MalformedFrame, ProtocolError, Unsupported
from protocols.osdp import code
from protocols.osdp.frame import Frame
from protocols.wiegand import MAX_BITS, decode_card


class Field(NamedTuple):
    """One field; a number is exact, anything else is text. Units: times are seconds."""

    name: str
    value: Decimal | str
    unit: str = ""


Fields = Iterator[Field]

_OUTPUT = ("nop", "off", "on", "off-timed-first", "on-timed-first", "on-for-a-time", "off-for-a-time")
_COLOURS = ("black", "red", "green", "amber", "blue", "magenta", "cyan", "white")
_TEMPORARY = ("nop", "cancel", "set")
_PERMANENT = ("nop", "set")
_TONES = ("none", "off", "default")
_TEXT = ("", "permanent", "permanent-wrapped", "for-a-time", "for-a-time-wrapped")
_TAMPER = ("ok", "tampered")
_POWER = ("ok", "failed")
_CONTACT = ("inactive", "active")
_READER = ("ok", "not-connected", "tampered")
_RAW_FORMATS = ("raw", "wiegand")


def decode_fields(frame: Frame) -> list[Field]:
    """Read the data of a message that is not encrypted, or has been decrypted.

    Raises: ApplicationError for a NAK; LengthMismatch, MalformedFrame; Unsupported for a code or a
    block that is not known here.
    """
    if frame.is_multipart:
        raise Unsupported("a part of a message sent in several frames")
    if frame.is_reply and frame.code == code.NAK:
        raise refusal(frame)
    read = (_REPLIES if frame.is_reply else _COMMANDS).get(frame.code)
    if read is None:
        kind = "reply" if frame.is_reply else "command"
        raise Unsupported(f"{kind} {frame.code:02X}" + (f" ({frame.name})" if frame.name else ""))
    return list(read(frame.data))


def refusal(frame: Frame) -> ProtocolError:
    """Say why a device did not do as it was told."""
    if not frame.data:
        return LengthMismatch("a refusal without its reason")
    number = frame.data[0]
    return ApplicationError(
        f"the device refuses: {code.NAK_REASONS.get(number, f'reason {number} is not known')}", number
    )


def _nothing(data: bytes) -> Fields:
    _exactly(data, 0)
    return iter(())


def _one(data: bytes) -> Fields:
    """ID and CAP carry one byte that asks for the standard answer."""
    _exactly(data, 1)
    yield _number("requestType", data[0])


def _output(data: bytes) -> Fields:
    for number, control, low, high in _records(data, 4):
        yield Field(f"output{number}", _word(_OUTPUT, control))
        yield _tenths(f"output{number}Time", low | high << 8)


def _led(data: bytes) -> Fields:
    for record in _records(data, 14):
        name = f"reader{record[0]}Led{record[1]}"
        yield Field(f"{name}Temporary", _word(_TEMPORARY, record[2]))
        if record[2]:  # else the bytes that follow mean nothing
            yield from _blink(f"{name}Temporary", record[3:7])
            yield _tenths(f"{name}TemporaryTime", record[7] | record[8] << 8)
        yield Field(f"{name}Permanent", _word(_PERMANENT, record[9]))
        if record[9]:
            yield from _blink(f"{name}Permanent", record[10:14])


def _blink(name: str, record: bytes) -> Fields:
    yield _tenths(f"{name}On", record[0])
    yield _tenths(f"{name}Off", record[1])
    yield Field(f"{name}OnColour", _word(_COLOURS, record[2]))
    yield Field(f"{name}OffColour", _word(_COLOURS, record[3]))


def _buzzer(data: bytes) -> Fields:
    for reader, tone, on, off, count in _records(data, 5):
        yield Field(f"reader{reader}Tone", _word(_TONES, tone))
        yield _tenths(f"reader{reader}On", on)
        yield _tenths(f"reader{reader}Off", off)
        yield _number(f"reader{reader}Count", count)


def _text(data: bytes) -> Fields:
    _at_least(data, 6)
    reader, command, seconds, row, column, length = data[:6]
    _exactly(data, 6 + length)
    yield _number("reader", reader)
    yield Field("textCommand", _word(_TEXT, command))
    yield _number("time", seconds, "s")
    yield _number("row", row)
    yield _number("column", column)
    yield Field("text", _printable(data[6:]))


def _line(data: bytes) -> Fields:
    _exactly(data, 5)
    yield _number("address", data[0])
    yield _number("baudrate", int.from_bytes(data[1:], "little"))


def _keyset(data: bytes) -> Fields:
    _at_least(data, 2)
    _exactly(data, 2 + data[1])
    yield _number("keyType", data[0])
    yield _number("keyBytes", data[1])


def _challenge(data: bytes) -> Fields:
    _exactly(data, 8)
    yield Field("randomA", data.hex())


def _cryptogram(data: bytes) -> Fields:
    _exactly(data, 16)
    yield Field("serverCryptogram", data.hex())


def _receive_size(data: bytes) -> Fields:
    _exactly(data, 2)
    yield _number("receiveBytes", int.from_bytes(data, "little"))


def _keep_active(data: bytes) -> Fields:
    _exactly(data, 2)
    yield Field("time", Decimal(int.from_bytes(data, "little")).scaleb(-3), "s")


def _biometry(data: bytes) -> Fields:
    _exactly(data, 4)
    for name, byte in zip(("reader", "bioType", "bioFormat", "bioQuality"), data, strict=True):
        yield _number(name, byte)


def _file(data: bytes) -> Fields:
    _at_least(data, 11)
    _exactly(data, 11 + int.from_bytes(data[9:11], "little"))
    yield _number("fileType", data[0])
    yield _number("fileBytes", int.from_bytes(data[1:5], "little"))
    yield _number("fileOffset", int.from_bytes(data[5:9], "little"))
    yield _number("fragmentBytes", len(data) - 11)


def _file_status(data: bytes) -> Fields:
    _exactly(data, 7)
    yield Field("fileAction", f"{data[0]:02X}")
    yield Field("delay", Decimal(int.from_bytes(data[1:3], "little")).scaleb(-3), "s")
    yield _number("fileStatus", int.from_bytes(data[3:5], "little", signed=True))
    yield _number("fragmentBytes", int.from_bytes(data[5:7], "little"))


def _maker(data: bytes) -> Fields:
    _at_least(data, 3)
    yield Field("vendor", data[:3].hex())
    yield Field("data", data[3:].hex())


def _identity(data: bytes) -> Fields:
    _exactly(data, 12)
    yield Field("vendor", data[:3].hex())
    yield _number("model", data[3])
    yield _number("version", data[4])
    yield Field("serial", f"{int.from_bytes(data[5:9], 'little'):08x}")
    yield Field("firmware", ".".join(map(str, data[9:12])))


def _capabilities(data: bytes) -> Fields:
    for function, compliance, count in _records(data, 3):
        name = code.CAPABILITIES.get(function, f"capability{function}")
        if function in (10, 11):  # one number in both bytes
            yield _number(name, compliance | count << 8)
        elif function == 9:
            yield _number(name, compliance)
            yield Field("defaultKey", "in-use" if count & 1 else "not-in-use")
        else:
            yield _number(name, compliance)
            yield _number(f"{name}Count", count)


def _local_status(data: bytes) -> Fields:
    _exactly(data, 2)
    yield Field("tamper", _word(_TAMPER, data[0]))
    yield Field("power", _word(_POWER, data[1]))


def _each(name: str, words: tuple[str, ...]) -> Callable[[bytes], Fields]:
    def read(data: bytes) -> Fields:
        _at_least(data, 1)
        for number, state in enumerate(data):
            yield Field(f"{name}{number}", _word(words, state))

    return read


def _raw(data: bytes) -> Fields:
    _at_least(data, 4)
    reader, form = data[:2]
    bits = int.from_bytes(data[2:4], "little")
    _exactly(data, 4 + (bits + 7) // 8)
    yield _number("reader", reader)
    yield Field("format", _word(_RAW_FORMATS, form))
    yield _number("bits", bits)
    number = int.from_bytes(data[4:], "big") >> -bits % 8
    yield Field("number", f"{number:x}")
    if 0 < bits <= MAX_BITS:
        yield from _printed(bits, number)


def _printed(bits: int, number: int) -> Fields:
    try:
        card = decode_card(bits, number)
    except ProtocolError:  # no parity of a usual format: then these bits are of another one
        return
    if card.facility is not None and card.card is not None:
        yield _number("facility", card.facility)
        yield _number("card", card.card)


def _formatted(data: bytes) -> Fields:
    _at_least(data, 3)
    _exactly(data, 3 + data[2])
    yield _number("reader", data[0])
    yield Field("direction", _word(("forward", "backward"), data[1]))
    yield Field("text", _printable(data[3:]))


def _keypad(data: bytes) -> Fields:
    _at_least(data, 2)
    _exactly(data, 2 + data[1])
    yield _number("reader", data[0])
    yield Field("keys", decode_keys(data[2:]))


def decode_keys(data: bytes) -> str:
    """Read keys as a keypad names them: 7F is the star and 0D the hash.

    Raises: MalformedFrame for a byte that is no key.
    """
    keys = "".join({0x7F: "*", 0x0D: "#"}.get(byte, chr(byte)) for byte in data)
    if not all(key in "0123456789*#ABCD" for key in keys):
        raise MalformedFrame(f"{data.hex()} are no keys of a keypad")
    return keys


def _client(data: bytes) -> Fields:
    _exactly(data, 32)
    yield Field("clientUid", data[:8].hex())
    yield Field("randomB", data[8:16].hex())
    yield Field("clientCryptogram", data[16:].hex())


def _first_mac(data: bytes) -> Fields:
    _exactly(data, 16)
    yield Field("initialMac", data.hex())


_COMMANDS: Mapping[int, Callable[[bytes], Fields]] = {
    code.POLL: _nothing,
    code.ID: _one,
    code.CAP: _one,
    0x64: _nothing,
    0x65: _nothing,
    0x66: _nothing,
    0x67: _nothing,
    code.OUT: _output,
    0x69: _led,
    0x6A: _buzzer,
    0x6B: _text,
    0x6E: _line,
    0x73: _biometry,
    code.KEYSET: _keyset,
    code.CHLNG: _challenge,
    code.SCRYPT: _cryptogram,
    0x7B: _receive_size,
    0x7C: _file,
    0x80: _maker,
    0xA2: _nothing,
    0xA7: _keep_active,
}
_REPLIES: Mapping[int, Callable[[bytes], Fields]] = {
    code.ACK: _nothing,
    code.PDID: _identity,
    code.PDCAP: _capabilities,
    0x48: _local_status,
    0x49: _each("input", _CONTACT),
    0x4A: _each("output", _CONTACT),
    0x4B: _each("reader", _READER),
    code.RAW: _raw,
    0x51: _formatted,
    0x53: _keypad,
    0x54: _line,
    code.CCRYPT: _client,
    code.RMAC_I: _first_mac,
    code.BUSY: _nothing,
    0x7A: _file_status,
    0x90: _maker,
}


def _number(name: str, value: int, unit: str = "") -> Field:
    return Field(name, Decimal(value), unit)


def _tenths(name: str, value: int) -> Field:
    return Field(name, Decimal(value).scaleb(-1), "s")


def _word(words: tuple[str, ...], number: int) -> str:
    if number >= len(words):
        raise MalformedFrame(f"{number} is none of {', '.join(filter(None, words))}")
    return words[number]


def _printable(data: bytes) -> str:
    """Show text; what is not printable, and could write over a terminal, as its hex."""
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}" for byte in data)


def _records(data: bytes, size: int) -> Iterator[bytes]:
    if not data or len(data) % size:
        raise LengthMismatch(f"{len(data)} bytes are not records of {size}")
    for start in range(0, len(data), size):
        yield data[start : start + size]


def _at_least(data: bytes, count: int) -> None:
    if len(data) < count:
        raise LengthMismatch(f"{len(data)} bytes of data, where there must be {count} at least")


def _exactly(data: bytes, count: int) -> None:
    if len(data) != count:
        raise LengthMismatch(f"{len(data)} bytes of data, where there must be {count}")
