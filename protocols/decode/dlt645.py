"""DL/T 645 frames explained, those of 1997 too: their functions have other numbers."""

from protocols import dlt645, dlt645_1997
from protocols.decode.value import Explained, Json, Keys, Refused, told_value
from protocols.dlt645_command import describe
from protocols.dlt645_item import Value
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
        "di": frame.di_text,
    }
    if frame.sequence is not None:
        header["sequence"] = frame.sequence
    if frame.is_error:
        raise Refused(header, dlt645.refusal(frame))
    if frame.is_response and frame.function == dlt645.READ_ADDRESS:
        return header, [_own_address(frame)]
    if frame.di is None or not frame.is_response or frame.function in (dlt645.WRITE, dlt645.WRITE_1997):
        return header, [told_value(name, Quantity(None, ""), b"", text=text) for name, text in describe(frame)]
    if frame.has_follow or frame.function in (dlt645.READ_FOLLOW, dlt645.READ_FOLLOW_1997):
        # What a part of an answer means is known only when the others stand beside it.
        return header, [told_value("part", Quantity(None, ""), frame.payload, text=frame.payload.hex())]
    try:
        width = len(frame.di_text or "")
        return header, [_told(value, width) for value in _values(frame)]
    except Unsupported as error:
        raise Refused(header, error) from None


def _values(frame: dlt645.Frame) -> list[Value]:
    assert frame.di is not None
    if frame.function == dlt645.READ_1997:
        return dlt645_1997.decode_values(frame.di, frame.payload)
    return dlt645.decode_values(frame.di, frame.payload)


def _told(value: Value, width: int) -> Json:
    return told_value(
        value.name,
        value.quantity,
        value.raw,
        text=value.text,
        register=f"{value.di:0{width}X}",
        tariff=value.tariff,
        storage=value.storage,
        at=value.at,
        flags=None if value.flags is None else list(value.flags),
    )


def _own_address(frame: dlt645.Frame) -> Json:
    digits = frame.data[::-1].hex().upper()
    is_address = len(frame.data) == 6 and digits.isdecimal()
    quality = Quality.GOOD if is_address else Quality.INVALID
    return told_value("meterAddress", Quantity(None, "", quality), frame.data, text=digits if is_address else None)
