"""Modbus on a serial line, RTU or ASCII, by the house's own codec."""

from collections.abc import Callable
from functools import partial

from drivers.bus.exchange import (
    Exchange,
    FrameExchange,
    GattExchange,
    ModbusIdentity,
    ModbusRead,
    ModbusWrite,
    OsdpCommand,
)
from drivers.bus.refusal import refusal
from protocols import modbus, modbus_ascii
from protocols.errors import ApplicationError, MalformedFrame
from protocols.modbus_identity import decode_identity_response, encode_identity_request

# The silence of 3.5 characters that ends a frame, never less than above 19,200 baud.
_IDLE_CHARACTERS = 4
_ECHOED = 5  # bytes of a write that its answer repeats: function, address, and value or count
_IDLE_S = 0.002


def party_of(exchange: Exchange) -> str:
    """Name who is asked."""
    if isinstance(exchange, FrameExchange):
        return exchange.party
    if isinstance(exchange, GattExchange):
        return exchange.address
    return f"unit {exchange.address if isinstance(exchange, OsdpCommand) else exchange.device_id}"


def line_exchange(
    exchange: ModbusRead | ModbusWrite | ModbusIdentity, byte_s: float, *, is_ascii: bool = False
) -> FrameExchange:
    """Put a read or a write in a frame."""
    accept: Callable[[modbus.Frame], bytes]
    if isinstance(exchange, ModbusWrite):
        pdu = modbus.encode_write_request(exchange.function, exchange.address, exchange.value, exchange.count)
        accept = partial(_accept_echo, exchange.device_id, pdu)
    elif isinstance(exchange, ModbusIdentity):
        pdu = encode_identity_request(exchange.level, exchange.first_object)
        accept = partial(_accept_identity, exchange.device_id)
    else:
        pdu = modbus.encode_read_request(exchange.function, exchange.address, exchange.count)
        accept = partial(_accept, exchange)
    encode = modbus_ascii.encode_ascii if is_ascii else modbus.encode_rtu
    return FrameExchange(
        framing="modbus-ascii" if is_ascii else "modbus-rtu",
        party=party_of(exchange),
        request=encode(modbus.Frame(exchange.device_id, pdu)),
        accept=accept,
        timeout_s=exchange.timeout_s,
        idle_s=max(_IDLE_S, _IDLE_CHARACTERS * byte_s),
        is_mirrored=isinstance(exchange, ModbusWrite) and exchange.function != modbus.WRITE_REGISTERS,
    )


def _accept_echo(device_id: int, pdu: bytes, frame: modbus.Frame) -> bytes:
    """Take the answer to a write, which repeats its beginning."""
    if frame.device_id != device_id:
        raise MalformedFrame(f"unit {frame.device_id} answered instead of {device_id}")
    if frame.pdu[0] == pdu[0] | 0x80 and len(frame.pdu) == 2:
        raise refusal(device_id, frame.pdu[1])
    if frame.pdu != pdu[:_ECHOED]:
        raise MalformedFrame(f"{frame.pdu.hex()} does not answer the write {pdu.hex()}")
    return pdu[1:_ECHOED]


def _accept_identity(device_id: int, frame: modbus.Frame) -> bytes:
    if frame.device_id != device_id:
        raise MalformedFrame(f"unit {frame.device_id} answered instead of {device_id}")
    try:
        decode_identity_response(frame.pdu)
    except ApplicationError as error:
        raise refusal(device_id, error.code or 0) from None
    return frame.pdu


def _accept(read: ModbusRead, frame: modbus.Frame) -> bytes:
    if frame.device_id != read.device_id:
        raise MalformedFrame(f"unit {frame.device_id} answered instead of {read.device_id}")
    try:
        if read.function in (modbus.READ_COILS, modbus.READ_DISCRETES):
            return bytes(modbus.decode_bits_response(frame.pdu, read.function, read.count))
        modbus.decode_registers_response(frame.pdu, read.function, read.count)
    except ApplicationError as error:
        raise refusal(read.device_id, error.code or 0) from None
    return frame.pdu[2:]
