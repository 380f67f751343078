"""Captured bytes explained: what ``edge decode`` prints, for an engineer at a line."""

from collections.abc import Callable, Iterable
from typing import Any

from protocols import cjt188, dlt645, modbus
from protocols.errors import ApplicationError, ProtocolError, Unsupported
from protocols.quantity import Quantity
from protocols.stream import FRAMINGS, Found, scan

PROTOCOLS = tuple(FRAMINGS)

Json = dict[str, Any]


def decode_capture(protocol: str, data: bytes) -> Json:
    """Explain a capture that may hold noise, echoes and several frames.

    Shape: ``{"protocol", "frames": [{"offset", "length", "ok", "error", "header", "values"}],
    "noise": [hex]}``; numbers are decimal strings, a bad frame has no values.

    Raises: KeyError for a protocol not in ``PROTOCOLS``.
    """
    explain = _EXPLAIN[protocol]
    found = scan(protocol, data)
    if data and not FRAMINGS[protocol].has_start and all(piece.is_noise for piece in found):
        # Without a start byte damage looks like noise; a capture of nothing else is one bad frame.
        found = [_whole(protocol, data)]
    frames = [_frame(piece, explain) for piece in found if not piece.is_noise]
    return {"protocol": protocol, "frames": frames, "noise": [piece.data.hex() for piece in found if piece.is_noise]}


def _whole(protocol: str, data: bytes) -> Found:
    try:
        return Found(0, data, FRAMINGS[protocol].decode(data))
    except ProtocolError as error:
        return Found(0, data, error=error)


def _frame(piece: Found, explain: Callable[[Any], tuple[Json, list[Json]]]) -> Json:
    header: Json = {}
    values: list[Json] = []
    error = piece.error
    if error is None:
        try:
            header, values = explain(piece.frame)
        except _Explained as partly:
            header, error = partly.header, partly.error
    return {
        "offset": piece.offset,
        "length": len(piece.data),
        "ok": error is None,
        "error": None if error is None else {"kind": error.kind, "detail": error.detail},
        "header": header,
        "values": values,
    }


class _Explained(Exception):
    """A frame whose envelope is right and whose content is not; the header is worth showing."""

    def __init__(self, header: Json, error: ProtocolError) -> None:
        super().__init__(error.detail)
        self.header = header
        self.error = error


def _value(name: str, quantity: Quantity, **more: Any) -> Json:
    value = None if quantity.value is None else format(quantity.value, "f")
    return {"name": name, "value": value, "unit": quantity.unit, "quality": quantity.quality.word, **more}


def _dlt645(frame: dlt645.Frame) -> tuple[Json, list[Json]]:
    header: Json = {
        "address": frame.address,
        "control": f"{frame.control:02X}",
        "is_response": frame.is_response,
        "is_error": frame.is_error,
        "has_follow": frame.has_follow,
        "di": None if frame.di is None else f"{frame.di:08X}",
    }
    if frame.is_error:
        code = frame.data[0] if frame.data else 0
        detail = f"the meter refuses: {dlt645.error_words(code)} (error word {code:02X})"
        raise _Explained(header, ApplicationError(detail, code))
    if frame.di is None or not frame.is_response or frame.function != dlt645.READ:
        return header, []
    try:
        values = dlt645.decode_values(frame.di, frame.payload)
    except Unsupported as error:
        raise _Explained(header, error) from None
    return header, [_value(value.name, value.quantity, register=f"{value.di:08X}") for value in values]


def _cjt188(frame: cjt188.Frame) -> tuple[Json, list[Json]]:
    header: Json = {
        "address": frame.address,
        "meter_type": f"{frame.meter_type:02X}",
        "control": f"{frame.control:02X}",
        "is_response": frame.is_response,
        "is_error": frame.is_error,
        "has_follow": False,
        "di": None if frame.di is None else f"{frame.di:04X}",
        "ser": frame.ser,
    }
    if frame.is_error:
        detail = f"the meter refuses with status {frame.payload.hex() or 'none'}"
        raise _Explained(header, ApplicationError(detail))
    if not frame.is_response or frame.function != cjt188.READ:
        return header, []
    if frame.di != cjt188.CURRENT_DATA or not 0x10 <= frame.meter_type <= 0x13:
        raise _Explained(header, Unsupported(f"type {frame.meter_type:02X}, data identifier {header['di']}"))
    return header, [_value(value.name, value.quantity) for value in cjt188.decode_water(frame.payload)]


def _modbus(frame: modbus.Frame) -> tuple[Json, list[Json]]:
    header: Json = {"device_id": frame.device_id, "function": frame.function}
    if frame.transaction is not None:
        header["transaction"] = frame.transaction
    if frame.function & 0x80:
        code = frame.pdu[1] if len(frame.pdu) > 1 else 0
        detail = f"exception {code}: {modbus.EXCEPTIONS.get(code, 'not a known one')}"
        raise _Explained(header, ApplicationError(detail, code))
    if len(frame.pdu) == 2 + (frame.pdu[1] if len(frame.pdu) > 1 else -1) and frame.function in modbus.READS:
        return {**header, "is_response": True}, list(_registers(frame.pdu))
    try:
        request = modbus.decode_request(frame.pdu)
    except ProtocolError as error:
        raise _Explained(header, error) from None
    return {**header, "is_response": False, "address": request.address, "count": request.count}, []


def _registers(pdu: bytes) -> Iterable[Json]:
    """Give what an answer holds by position: without the request nobody knows the addresses."""
    data = pdu[2:]
    if pdu[0] in (modbus.READ_HOLDING, modbus.READ_INPUT):
        for position in range(len(data) // 2):
            word = data[2 * position] << 8 | data[2 * position + 1]
            yield {"name": f"register+{position}", "value": str(word), "unit": "", "quality": "good"}
    else:
        for position in range(8 * len(data)):
            bit = data[position // 8] >> position % 8 & 1
            yield {"name": f"bit+{position}", "value": str(bit), "unit": "", "quality": "good"}


_EXPLAIN: dict[str, Callable[[Any], tuple[Json, list[Json]]]] = {
    "dlt645": _dlt645,
    "cjt188": _cjt188,
    "modbus-rtu": _modbus,
    "modbus-tcp": _modbus,
}
