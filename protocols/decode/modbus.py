"""Modbus messages explained; what registers an answer holds, only its request tells."""

from protocols import modbus
from protocols.decode.value import Explained, Json, Keys, Refused
from protocols.errors import ProtocolError
from protocols.modbus_identity import OBJECTS, decode_identity_response

_IDENTITY_QUESTION = 4


def explain(frame: modbus.Frame, asked: modbus.Frame | None, keys: Keys) -> Explained:
    """Explain one message.

    Raises: Refused.
    """
    header: Json = {"device_id": frame.device_id, "function": frame.function & 0x7F}
    if frame.transaction is not None:
        header["transaction"] = frame.transaction
    try:
        modbus.check_pdu(frame.pdu)
    except ProtocolError as error:
        raise Refused(header, error) from None
    if frame.function & 0x80:
        raise Refused({**header, "is_response": True}, modbus.refusal(frame.pdu))
    if frame.function == modbus.READ_DEVICE_IDENTIFICATION:
        return _identity(frame, header)
    question = _question(frame, asked)
    if question is not None:
        told = {**header, "is_response": True, "address": question.address, "count": question.count}
        return told, _modbus_values(frame.pdu, question)
    try:
        request = modbus.decode_request(frame.pdu)
    except ProtocolError:  # then it is an answer by its shape, for check_pdu has let it pass
        return {**header, "is_response": True}, _modbus_values(frame.pdu, None)
    return {**header, "is_response": False, "address": request.address, "count": request.count}, []


def _identity(frame: modbus.Frame, header: Json) -> Explained:
    """Tell what a device says of itself; its question has four bytes."""
    if len(frame.pdu) == _IDENTITY_QUESTION:
        return {**header, "is_response": False}, []
    try:
        texts = decode_identity_response(frame.pdu).texts
    except ProtocolError as error:
        raise Refused({**header, "is_response": True}, error) from None
    told = [
        {"name": OBJECTS.get(number, f"object {number}"), "value": text, "unit": "", "quality": "good"}
        for number, text in texts.items()
    ]
    return {**header, "is_response": True}, told


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
