"""CJ/T 188 frames explained."""

from protocols import cjt188
from protocols.decode.value import Explained, Json, Keys, Refused, told_value
from protocols.errors import Unsupported


def explain(frame: cjt188.Frame, _: object, keys: Keys) -> Explained:
    """Explain one frame.

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
    if not frame.is_response or frame.function != cjt188.READ:
        return header, []
    if frame.di != cjt188.CURRENT_DATA or frame.meter_type >> 4 not in (1, 3):
        raise Refused(header, Unsupported(f"type {frame.meter_type:02X}, data identifier {header['di']}"))
    values = cjt188.decode_water(frame.payload)
    return header, [told_value(value.name, value.quantity, value.raw, at=value.at) for value in values]
