"""CJ/T 188 frames explained."""

from protocols import cjt188, cjt188_data
from protocols.decode.value import Explained, Json, Keys, Refused, told_value
from protocols.errors import Unsupported


def explain(frame: cjt188.Frame, _: object, keys: Keys) -> Explained:
    """Explain one frame, by the standard's own layout.

    Raises: Refused.
    """
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
        raise Refused(header, cjt188.refusal(frame))
    if frame.function == cjt188.WRITE and frame.di == cjt188.VALVE:
        return _valve(header, frame)
    if not frame.is_response or frame.function != cjt188.READ:
        return header, []
    try:
        values = cjt188_data.decode_item(frame.meter_type, frame.di, frame.payload)
    except Unsupported as error:
        raise Refused(header, error) from None
    return header, [told_value(value.name, value.quantity, value.raw, at=value.at) for value in values]


def _valve(header: Json, frame: cjt188.Frame) -> Explained:
    """Tell what a valve was ordered to do, or how it stood when it said yes."""
    if frame.is_response:
        values = cjt188_data.decode_valve_answer(frame.payload)
        return header, [told_value(value.name, value.quantity, value.raw) for value in values]
    orders = {bytes((cjt188_data.VALVE_OPEN,)): "open", bytes((cjt188_data.VALVE_CLOSE,)): "close"}
    return {**header, "order": orders.get(frame.payload, frame.payload.hex())}, []
