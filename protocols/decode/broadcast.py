"""What is heard in one piece: the whole of the bytes is one frame, or the advertisement around it."""

from collections.abc import Callable

from protocols.ble.advertisement import Advertisement, decode_advertisement
from protocols.decode.value import Explained, Json, Refused
from protocols.errors import ProtocolError, Unsupported

_FLAGS = b"\x02\x01"  # the element nearly every advertisement begins with


def told_broadcast(protocol: str, data: bytes, explain: Callable[[], Explained]) -> Json:
    """Tell bytes that are one frame, or nothing. Shape: as ``decode_capture`` gives it."""
    header: Json = {}
    values: list[Json] = []
    error: ProtocolError | None = None
    if not data:
        return {"protocol": protocol, "frames": [], "noise": []}
    try:
        header, values = explain()
    except Refused as refused:
        header, error = refused.header, refused.error
    except ProtocolError as problem:
        error = problem
    frame: Json = {
        "offset": 0,
        "length": len(data),
        "ok": error is None,
        "error": None if error is None else {"kind": error.kind, "detail": error.detail},
        "header": header,
        "values": values,
    }
    return {"protocol": protocol, "frames": [frame], "noise": []}


def advertisement_in(data: bytes, is_wanted: Callable[[Advertisement], bool]) -> Advertisement | None:
    """Give the advertisement that bytes are; None where they are something else.

    Bytes of another kind may happen to look like elements, but not like those that are wanted.
    """
    try:
        found = decode_advertisement(data)
    except ProtocolError:
        return None
    return found if is_wanted(found) else None


def check_no_advertisement(data: bytes, what: str) -> None:
    """Refuse what begins as an advertisement and holds nothing that is wanted, by its own fault.

    Raises: ProtocolError.
    """
    if data.startswith(_FLAGS):
        decode_advertisement(data)
        raise Unsupported(f"an advertisement without {what}")
