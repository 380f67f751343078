"""Modbus: frames of both transports, requests and answers; numbers in registers are in ``register``.

    TCP   | transaction 2 | protocol 0 2 | length 2 | unit 1 | function 1 | data ... |
    RTU                                             | unit 1 | function 1 | data ... | CRC 2, low first |

Source: Modbus Application Protocol as described in the house's fact sheet, chapter 7.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from protocols.checksum import crc16_modbus
from protocols.errors import (
    ApplicationError,
    ChecksumMismatch,
    LengthMismatch,
    MalformedFrame,
    TruncatedFrame,
    Unsupported,
)
from protocols.register import ORDERS as ORDERS
from protocols.register import TYPE_LENGTH as TYPE_LENGTH
from protocols.register import decode_registers as decode_registers
from protocols.register import encode_registers as encode_registers
from protocols.stream import Framing

READ_COILS, READ_DISCRETES, READ_HOLDING, READ_INPUT = 1, 2, 3, 4
WRITE_COIL, WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS = 5, 6, 15, 16
# What stands in it is ``modbus_identity``'s.
READ_DEVICE_IDENTIFICATION, MEI_TYPE = 0x2B, 0x0E
READS = (READ_COILS, READ_DISCRETES, READ_HOLDING, READ_INPUT)
WRITES = (WRITE_COIL, WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS)
FUNCTIONS = READS + WRITES
# Those of the public specification: well formed, though not all of them are known here.
PUBLIC_FUNCTIONS = frozenset((*range(1, 9), 11, 12, *range(15, 18), *range(20, 25), 43))
MAX_REGISTERS, MAX_BITS = 125, 2000
MAX_PDU = 253

EXCEPTIONS = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "server device failure",
    5: "acknowledge",
    6: "server device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target device failed to respond",
}


@dataclass(frozen=True, slots=True)
class Frame:
    """One message without its envelope; ``transaction`` is None on RTU, ``pdu`` starts with the function."""

    device_id: int
    pdu: bytes
    transaction: int | None = None

    @property
    def function(self) -> int:
        return self.pdu[0]


def encode_tcp(frame: Frame) -> bytes:
    """Wrap a message for TCP."""
    return struct.pack(">HHHB", frame.transaction or 0, 0, len(frame.pdu) + 1, frame.device_id) + frame.pdu


def decode_tcp(data: bytes) -> Frame:
    """Read exactly one TCP message.

    Raises: ProtocolError.
    """
    if len(data) < 8:
        raise TruncatedFrame(f"{len(data)} bytes are not a whole Modbus TCP message")
    transaction, protocol, length, device_id = struct.unpack_from(">HHHB", data)
    if protocol != 0:
        raise MalformedFrame(f"protocol identifier {protocol}, not 0")
    if not 2 <= length <= MAX_PDU + 1:
        raise LengthMismatch(f"a length of {length} is not possible")
    if len(data) < 6 + length:
        raise TruncatedFrame(f"{len(data)} of {6 + length} bytes")
    if len(data) > 6 + length:
        raise LengthMismatch(f"the length field says {6 + length}, the message has {len(data)} bytes")
    return Frame(device_id, data[7:], transaction)


def encode_rtu(frame: Frame) -> bytes:
    """Wrap a message for RTU."""
    body = bytes((frame.device_id,)) + frame.pdu
    return body + crc16_modbus(body).to_bytes(2, "little")


def decode_rtu(data: bytes) -> Frame:
    """Read exactly one RTU message.

    Raises: ProtocolError.
    """
    if len(data) < 4:
        raise TruncatedFrame(f"{len(data)} bytes are not a whole Modbus RTU message")
    if len(data) > MAX_PDU + 3:
        raise LengthMismatch(f"{len(data)} bytes are more than a Modbus RTU message has")
    got, want = int.from_bytes(data[-2:], "little"), crc16_modbus(data[:-2])
    if got != want:
        raise ChecksumMismatch(f"the CRC is {got:04X}, the bytes give {want:04X}")
    return Frame(data[0], bytes(data[1:-2]))


def has_crc(data: bytes) -> bool:
    """Tell whether bytes end with their own CRC."""
    return len(data) >= 4 and crc16_modbus(data[:-2]) == data[-2] | data[-1] << 8


def encode_read_request(function: int, address: int, count: int) -> bytes:
    """Ask for registers or bits; gives a PDU."""
    return struct.pack(">BHH", function, address, count)


def encode_write_request(function: int, address: int, value: int, count: int = 1) -> bytes:
    """Write one coil (0 or 1), one register, or several as one whole number; gives a PDU.

    Its answer repeats the first five bytes, which are all of it but for several registers.
    """
    if function == WRITE_REGISTERS:
        return struct.pack(">BHHB", function, address, count, 2 * count) + value.to_bytes(2 * count, "big")
    return struct.pack(">BHH", function, address, 0xFF00 * value if function == WRITE_COIL else value)


def encode_read_registers_response(function: int, words: Sequence[int]) -> bytes:
    """Answer with registers; gives a PDU, the simulator's side."""
    return struct.pack(f">BB{len(words)}H", function, 2 * len(words), *words)


def encode_read_bits_response(function: int, bits: Sequence[bool]) -> bytes:
    """Answer with coils or discrete inputs; gives a PDU, the simulator's side."""
    data = bytearray((len(bits) + 7) // 8)
    for position, bit in enumerate(bits):
        data[position // 8] |= bit << position % 8
    return bytes((function, len(data))) + bytes(data)


def encode_exception(function: int, code: int) -> bytes:
    """Refuse a request; gives a PDU, the simulator's side."""
    return bytes((function | 0x80, code))


@dataclass(frozen=True, slots=True)
class Request:
    """A decoded request; ``values`` are the words or bits of a write."""

    function: int
    address: int
    count: int
    values: tuple[int, ...] = ()


def decode_request(pdu: bytes) -> Request:
    """Read a request.

    Raises: ProtocolError.
    """
    if not pdu:
        raise TruncatedFrame("an empty message")
    function = pdu[0]
    if function not in READS + WRITES:
        raise Unsupported(f"function {function}")
    if len(pdu) < 5:
        raise TruncatedFrame(f"a request of function {function} has at least 5 bytes, not {len(pdu)}")
    address, second = struct.unpack_from(">HH", pdu, 1)
    if function in (WRITE_COIL, WRITE_REGISTER):
        _whole(pdu, 5)
        if function == WRITE_COIL and second not in (0x0000, 0xFF00):
            raise MalformedFrame(f"a coil is written with 0000 or FF00, not {second:04X}")
        return Request(function, address, 1, (int(second == 0xFF00) if function == WRITE_COIL else second,))
    limit = MAX_REGISTERS if function in (READ_HOLDING, READ_INPUT, WRITE_REGISTERS) else MAX_BITS
    if not 1 <= second <= limit or address + second > 0x10000:
        raise MalformedFrame(f"{second} items from address {address} cannot be asked for")
    if function in READS:
        _whole(pdu, 5)
        return Request(function, address, second)
    width = 2 * second if function == WRITE_REGISTERS else (second + 7) // 8
    _whole(pdu, 6 + width)
    if pdu[5] != width:
        raise LengthMismatch(f"the byte count says {pdu[5]}, {width} are needed")
    if function == WRITE_REGISTERS:
        return Request(function, address, second, struct.unpack_from(f">{second}H", pdu, 6))
    return Request(function, address, second, tuple(_bits(pdu[6:], second)))


def decode_registers_response(pdu: bytes, function: int, count: int) -> tuple[int, ...]:
    """Read the answer to a register read.

    Raises: ApplicationError for an exception, other ProtocolErrors for an answer to something else.
    """
    data = _answer(pdu, function)
    if len(data) != 2 * count:
        raise LengthMismatch(f"{len(data)} bytes answer a read of {count} registers")
    return struct.unpack(f">{count}H", data)


def decode_bits_response(pdu: bytes, function: int, count: int) -> tuple[int, ...]:
    """Read the answer to a read of coils or discrete inputs, as zeros and ones.

    Raises: as ``decode_registers_response``.
    """
    data = _answer(pdu, function)
    if len(data) != (count + 7) // 8:
        raise LengthMismatch(f"{len(data)} bytes answer a read of {count} bits")
    return tuple(_bits(data, count))


def check_pdu(pdu: bytes) -> None:
    """Make sure that a message has the shape of a request or of an answer.

    Raises: ProtocolError.
    """
    function = pdu[0] & 0x7F
    if function not in (*FUNCTIONS, READ_DEVICE_IDENTIFICATION):
        raise Unsupported(f"function {function}")
    if pdu[0] & 0x80:
        _whole(pdu, 2)
    elif function == READ_DEVICE_IDENTIFICATION:
        if pdu[1:2] != bytes((MEI_TYPE,)):
            raise Unsupported(f"function {function} of another type than 14")
    elif pdu[0] in READS and len(pdu) != 5 and not is_answer(pdu):
        raise LengthMismatch("neither a request of 5 bytes nor an answer with as many bytes as it says")
    elif not is_answer(pdu):
        decode_request(pdu)


def is_answer(pdu: bytes) -> bool:
    """Tell whether a message has the shape of an answer; that to a single write looks like the write."""
    if pdu[0] in (WRITE_COILS, WRITE_REGISTERS):
        return len(pdu) == 5
    if pdu[0] not in READS or len(pdu) < 3 or len(pdu) != 2 + pdu[1]:
        return False
    return pdu[0] in (READ_COILS, READ_DISCRETES) or pdu[1] % 2 == 0


def refusal(pdu: bytes) -> ApplicationError:
    """Make the error that an exception answer stands for."""
    return ApplicationError(f"exception {pdu[1]}: {EXCEPTIONS.get(pdu[1], 'not a known one')}", pdu[1])


def _answer(pdu: bytes, function: int) -> bytes:
    if len(pdu) < 2:
        raise TruncatedFrame(f"an answer has at least 2 bytes, not {len(pdu)}")
    if pdu[0] == function | 0x80:
        _whole(pdu, 2)
        raise refusal(pdu)
    if pdu[0] != function:
        raise MalformedFrame(f"function {pdu[0]} does not answer {function}")
    if len(pdu) != 2 + pdu[1]:
        raise LengthMismatch(f"the byte count says {pdu[1]}, {len(pdu) - 2} bytes follow")
    return pdu[2:]


def _whole(pdu: bytes, length: int) -> None:
    if len(pdu) != length:
        raise LengthMismatch(f"{len(pdu)} bytes where {length} are due")


def _bits(data: bytes, count: int) -> list[int]:
    return [data[position // 8] >> position % 8 & 1 for position in range(count)]


def _tcp_length(data: bytes) -> int:
    if any(data[2:4]):
        return -1
    if len(data) < 6:
        return 0
    length = data[4] << 8 | data[5]
    return 6 + length if 2 <= length <= MAX_PDU + 1 else -1


def _is_likely_tcp(data: bytes) -> bool:
    return all(function & 0x7F in PUBLIC_FUNCTIONS for function in data[7:8])


def _decode_tcp(data: bytes) -> Frame:
    """Demand more than the envelope, which checks nothing."""
    frame = decode_tcp(data)
    check_pdu(frame.pdu)
    return frame


def rtu_lengths(data: bytes) -> list[int]:
    """Give the lengths an RTU frame starting here can have; a request and an answer differ."""
    if len(data) < 2:
        return []
    function = data[1]
    if function & 0x80:
        return [5] if function & 0x7F in (*FUNCTIONS, READ_DEVICE_IDENTIFICATION) else []
    if function in READS:
        return [8, *([5 + data[2]] if len(data) > 2 and data[2] else [])]
    if function in (WRITE_COIL, WRITE_REGISTER):
        return [8]
    if function in (WRITE_COILS, WRITE_REGISTERS):
        return [8, *([9 + data[6]] if len(data) > 6 else [])]
    if function == READ_DEVICE_IDENTIFICATION and data[2:3] in (b"", bytes((MEI_TYPE,))):
        return [7, *_identity_lengths(data)]
    return []


def _identity_lengths(data: bytes) -> list[int]:
    """Give the length of an answer of texts, each with its own; while some are not there, a least one."""
    place = 8
    for _ in range(data[7] if len(data) > 7 else 0):
        if place + 1 >= len(data):
            return [place + 4]
        place += 2 + data[place + 1]
    return [place + 2] if 8 < place <= MAX_PDU + 1 else []


def _rtu_length(data: bytes) -> int:
    if len(data) < 3:
        return 0
    lengths = rtu_lengths(data)
    if not lengths:
        return -1
    # RTU has no start byte, so only a frame whose CRC fits is one; the longest that fits wins.
    for length in sorted(lengths, reverse=True):
        if len(data) >= length and has_crc(data[:length]):
            return length
    return 0 if len(data) < max(lengths) else -1


RTU_FRAMING = Framing(length=_rtu_length, decode=decode_rtu, is_likely=lambda _: False, header=0)
TCP_FRAMING = Framing(length=_tcp_length, decode=_decode_tcp, is_likely=_is_likely_tcp, header=8)
