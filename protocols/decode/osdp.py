"""OSDP frames explained, and with a device's key what its secure channel hides."""

from collections import defaultdict

from protocols.decode.value import Explained, Json, Keys, Refused, told_value
from protocols.errors import ProtocolError
from protocols.framing import scan
from protocols.osdp.channel import Channel
from protocols.osdp.field import Field, decode_fields
from protocols.osdp.frame import Frame
from protocols.quantity import Quantity
from protocols.stream import Found


def explain_capture(data: bytes, keys: Keys) -> Json:
    """Explain a capture whose frames hang together: a secure session is read from its handshake on.

    Shape: as ``decode_capture`` gives it. Without the key of its channel a frame is told with its
    header and no values; with one, a frame whose proof fails is refused.
    """
    bases = [] if keys.key is None else [keys.key]
    # One device each; a key that cannot be one is told at the first frame that needs it.
    channels: defaultdict[int, Channel] = defaultdict(lambda: Channel(bases))
    frames: list[Json] = []
    noise: list[str] = []
    for piece in scan("osdp", data):
        if piece.is_noise:
            noise.append(piece.data.hex())
        else:
            frames.append(_told(piece, channels, must_read=keys.key is not None))
    return {"protocol": "osdp", "frames": frames, "noise": noise}


def _told(piece: Found, channels: defaultdict[int, Channel], *, must_read: bool) -> Json:
    header: Json = {}
    values: list[Json] = []
    error = piece.error
    if error is None:
        try:
            header, values = _explain(piece.frame, channels, must_read=must_read)
        except Refused as refused:
            header, error = refused.header, refused.error
    return {
        "offset": piece.offset,
        "length": len(piece.data),
        "ok": error is None,
        "error": None if error is None else {"kind": error.kind, "detail": error.detail},
        "header": header,
        "values": values,
    }


def _explain(frame: Frame, channels: defaultdict[int, Channel], *, must_read: bool) -> Explained:
    header: Json = {
        "address": frame.address,
        "is_reply": frame.is_reply,
        "sequence": frame.sequence,
        "integrity": "crc" if frame.has_crc else "checksum",
        "code": f"{frame.code:02X}",
        "name": frame.name,
        "scb": None if frame.block is None else f"{frame.block:02X}",
        "mac": frame.mac.hex() or None,
    }
    try:
        channel = channels[frame.address]
        if frame.mac and not channel.is_readable and not must_read:
            return header, []
        return header, list(map(_value, decode_fields(channel.follow(frame))))
    except ProtocolError as error:
        raise Refused(header, error) from None


def _value(field: Field) -> Json:
    if isinstance(field.value, str):
        return told_value(field.name, Quantity(None, field.unit), b"", text=field.value)
    return told_value(field.name, Quantity(field.value, field.unit), b"")
