"""Captured bytes explained: what ``edge decode`` prints, for an engineer at a line."""

from collections.abc import Callable
from typing import Any

from protocols import cjt188, dlt645, modbus
from protocols.errors import ProtocolError, Unsupported
from protocols.quantity import Quality, Quantity
from protocols.stream import FRAMINGS, Found, rtu_lengths, scan

PROTOCOLS = tuple(FRAMINGS)

Json = dict[str, Any]


class _Refused(Exception):
    """A frame whose envelope is right and whose content is none; the header is worth showing."""

    def __init__(self, header: Json, error: ProtocolError) -> None:
        super().__init__(error.detail)
        self.header = header
        self.error = error


def decode_capture(protocol: str, data: bytes) -> Json:
    """Explain a capture that may hold noise, echoes and several frames.

    Shape: ``{"protocol", "frames": [{"offset", "length", "ok", "error", "header", "values"}],
    "noise": [hex]}``; numbers are decimal strings, a bad frame has no values.

    Raises: KeyError for a protocol not in ``PROTOCOLS``.
    """
    explain = _EXPLAIN[protocol]
    frames: list[Json] = []
    noise: list[str] = []
    asked: Any = None  # the last request: only it tells which registers a Modbus answer holds
    for piece in _found(protocol, data):
        if piece.is_noise:
            noise.append(piece.data.hex())
            continue
        told = _explained(piece, explain, asked)
        frames.append(told)
        asked = piece.frame if told["ok"] and not told["header"]["is_response"] else None
    return {"protocol": protocol, "frames": frames, "noise": noise}


def _found(protocol: str, data: bytes) -> list[Found]:
    """Scan, and where a protocol has no start byte call by its name what cannot be only noise."""
    found = scan(protocol, data)
    if FRAMINGS[protocol].start:
        return found
    is_alone = len(found) == 1
    return [
        _damaged(protocol, piece)
        if piece.is_noise and (is_alone or (protocol == "modbus-rtu" and len(piece.data) in rtu_lengths(piece.data)))
        else piece
        for piece in found
    ]


def _damaged(protocol: str, piece: Found) -> Found:
    try:
        FRAMINGS[protocol].decode(piece.data)
    except ProtocolError as error:
        return Found(piece.offset, piece.data, error=error)
    return Found(piece.offset, piece.data, error=Unsupported("a check that fits, on no known message"))


def _explained(piece: Found, explain: Callable[[Any, Any], tuple[Json, list[Json]]], asked: Any) -> Json:
    header: Json = {}
    values: list[Json] = []
    error = piece.error
    if error is None:
        try:
            header, values = explain(piece.frame, asked)
        except _Refused as refused:
            header, error = refused.header, refused.error
    return {
        "offset": piece.offset,
        "length": len(piece.data),
        "ok": error is None,
        "error": None if error is None else {"kind": error.kind, "detail": error.detail},
        "header": header,
        "values": values,
    }


def _value(name: str, quantity: Quantity, raw: bytes, *, text: str | None = None, **more: Any) -> Json:
    value = text if quantity.value is None else format(quantity.value, "f")
    told: Json = {"name": name, "value": value, "unit": quantity.unit, "quality": quantity.quality.word}
    told |= {key: item for key, item in more.items() if item is not None}
    return told if quantity.quality is Quality.GOOD else {**told, "raw": raw.hex()}


def _dlt645(frame: dlt645.Frame, _: Any) -> tuple[Json, list[Json]]:
    header: Json = {
        "address": frame.address,
        "control": f"{frame.control:02X}",
        "is_response": frame.is_response,
        "is_error": frame.is_error,
        "has_follow": frame.has_follow,
        "di": None if frame.di is None else f"{frame.di:08X}",
    }
    if frame.is_error:
        raise _Refused(header, dlt645.refusal(frame))
    if frame.is_response and frame.function == dlt645.READ_ADDRESS:
        return header, [_own_address(frame)]
    if frame.di is None or not frame.is_response or frame.function != dlt645.READ:
        return header, []
    try:
        values = dlt645.decode_values(frame.di, frame.payload)
    except Unsupported as error:
        raise _Refused(header, error) from None
    return header, [
        _value(
            value.name,
            value.quantity,
            value.raw,
            text=value.text,
            register=f"{value.di:08X}",
            tariff=value.tariff,
            storage=value.storage,
            at=value.at,
        )
        for value in values
    ]


def _own_address(frame: dlt645.Frame) -> Json:
    digits = frame.data[::-1].hex().upper()
    is_address = len(frame.data) == 6 and digits.isdecimal()
    quality = Quality.GOOD if is_address else Quality.INVALID
    return _value("meterAddress", Quantity(None, "", quality), frame.data, text=digits if is_address else None)


def _cjt188(frame: cjt188.Frame, _: Any) -> tuple[Json, list[Json]]:
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
        raise _Refused(header, cjt188.refusal(frame))
    if not frame.is_response or frame.function != cjt188.READ:
        return header, []
    if frame.di != cjt188.CURRENT_DATA or frame.meter_type >> 4 not in (1, 3):
        raise _Refused(header, Unsupported(f"type {frame.meter_type:02X}, data identifier {header['di']}"))
    values = cjt188.decode_water(frame.payload)
    return header, [_value(value.name, value.quantity, value.raw, at=value.at) for value in values]


def _modbus(frame: modbus.Frame, asked: modbus.Frame | None) -> tuple[Json, list[Json]]:
    header: Json = {"device_id": frame.device_id, "function": frame.function & 0x7F}
    if frame.transaction is not None:
        header["transaction"] = frame.transaction
    try:
        modbus.check_pdu(frame.pdu)
    except ProtocolError as error:
        raise _Refused(header, error) from None
    if frame.function & 0x80:
        raise _Refused({**header, "is_response": True}, modbus.refusal(frame.pdu))
    question = _question(frame, asked)
    if question is not None:
        told = {**header, "is_response": True, "address": question.address, "count": question.count}
        return told, _modbus_values(frame.pdu, question)
    try:
        request = modbus.decode_request(frame.pdu)
    except ProtocolError:  # then it is an answer by its shape, for check_pdu has let it pass
        return {**header, "is_response": True}, _modbus_values(frame.pdu, None)
    return {**header, "is_response": False, "address": request.address, "count": request.count}, []


def _question(frame: modbus.Frame, asked: modbus.Frame | None) -> modbus.Request | None:
    """Give the request that a message answers, if the last one is it."""
    if asked is None or (asked.device_id, asked.transaction) != (frame.device_id, frame.transaction):
        return None
    if asked.function != frame.function or (frame.function in modbus.READS and not modbus.is_answer(frame.pdu)):
        return None
    question = modbus.decode_request(asked.pdu)
    if frame.function not in modbus.READS:
        # A write is answered by its own address and its value or count.
        return question if frame.pdu == asked.pdu[:5] else None
    width = (question.count + 7) // 8 if _is_bits(frame.function) else 2 * question.count
    return question if frame.pdu[1] == width else None


def _is_bits(function: int) -> bool:
    return function in (modbus.READ_COILS, modbus.READ_DISCRETES)


def _modbus_values(pdu: bytes, question: modbus.Request | None) -> list[Json]:
    """Give what an answer holds: by address, or by position where nobody heard the request."""
    if pdu[0] not in modbus.READS:
        return []
    count = question.count if question else 8 * pdu[1] if _is_bits(pdu[0]) else pdu[1] // 2
    if _is_bits(pdu[0]):
        kind, values = "bit", modbus.decode_bits_response(pdu, pdu[0], count)
    else:
        kind, values = "register", modbus.decode_registers_response(pdu, pdu[0], count)
    names = [f"{kind}{question.address + place}" if question else f"{kind}+{place}" for place in range(count)]
    return [
        {"name": name, "value": str(value), "unit": "", "quality": "good"}
        | ({"register": str(question.address + place)} if question else {})
        for place, (name, value) in enumerate(zip(names, values, strict=True))
    ]


_EXPLAIN: dict[str, Callable[[Any, Any], tuple[Json, list[Json]]]] = {
    "dlt645": _dlt645,
    "cjt188": _cjt188,
    "modbus-rtu": _modbus,
    "modbus-tcp": _modbus,
}
