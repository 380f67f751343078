"""Modbus RTU on a serial line, by the house's own codec."""

from functools import partial

from drivers.bus.exchange import FrameExchange, ModbusRead
from drivers.bus.refusal import refusal
from protocols import modbus
from protocols.errors import ApplicationError, MalformedFrame

# The silence of 3.5 characters that ends a frame, and room for adapters that buffer.
_IDLE_CHARACTERS = 4
_IDLE_S = 0.01


def rtu_exchange(read: ModbusRead, byte_s: float) -> FrameExchange:
    """Put a read in an RTU frame."""
    pdu = modbus.encode_read_request(read.function, read.address, read.count)
    return FrameExchange(
        framing="modbus-rtu",
        party=f"unit {read.device_id}",
        request=modbus.encode_rtu(modbus.Frame(read.device_id, pdu)),
        accept=partial(_accept, read),
        timeout_s=read.timeout_s,
        idle_s=max(_IDLE_S, _IDLE_CHARACTERS * byte_s),
    )


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
