"""DL/T 645 frames explained."""

from protocols import dlt645
from protocols.decode.value import Explained, Json, Keys, Refused, told_value
from protocols.errors import Unsupported
from protocols.quantity import Quality, Quantity


def explain(frame: dlt645.Frame, _: object, keys: Keys) -> Explained:
    """Explain one frame.

    Raises: Refused.
    """
    header: Json = {
        "address": frame.address,
        "control": f"{frame.control:02X}",
        "is_response": frame.is_response,
        "is_error": frame.is_error,
        "has_follow": frame.has_follow,
        "di": None if frame.di is None else f"{frame.di:08X}",
    }
    if frame.is_error:
        raise Refused(header, dlt645.refusal(frame))
    if frame.is_response and frame.function == dlt645.READ_ADDRESS:
        return header, [_own_address(frame)]
    if frame.di is None or not frame.is_response or frame.function != dlt645.READ:
        return header, []
    try:
        values = dlt645.decode_values(frame.di, frame.payload)
    except Unsupported as error:
        raise Refused(header, error) from None
    return header, [
        told_value(
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
    return told_value("meterAddress", Quantity(None, "", quality), frame.data, text=digits if is_address else None)
