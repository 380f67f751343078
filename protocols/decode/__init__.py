"""Captured bytes explained: what ``edge decode`` prints, for an engineer at a line."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from protocols.decode import cjt188, dlt645, iec62056, mbus, modbus
from protocols.decode.beacon import explain_capture as explain_beacon
from protocols.decode.bthome import explain_capture as explain_bthome
from protocols.decode.osdp import explain_capture as explain_osdp
from protocols.decode.value import Explain, Json, Keys, Refused
from protocols.errors import ProtocolError, Unsupported
from protocols.framing import FRAMINGS, scan
from protocols.modbus import rtu_lengths
from protocols.stream import Found

EXPLAIN: Mapping[str, Explain] = {
    "dlt645": dlt645.explain,
    "dlt645-1997": dlt645.explain,
    "iec62056-21": iec62056.explain,
    "p1": iec62056.explain_telegram,
    "cjt188": cjt188.explain,
    "mbus": mbus.explain,
    "modbus-rtu": modbus.explain,
    "modbus-tcp": modbus.explain,
    "modbus-ascii": modbus.explain,
}
# Protocols whose messages come one by one, not in a stream: the whole of ``decode_capture``'s answer.
CAPTURE: Mapping[str, Callable[[bytes, Keys], Json]] = {
    "osdp": explain_osdp,
    "bthome": explain_bthome,
    "beacon": explain_beacon,
}
PROTOCOLS = (*EXPLAIN, *CAPTURE)
_NO_KEYS = Keys()


def decode_capture(protocol: str, data: bytes, keys: Keys = _NO_KEYS) -> Json:
    """Explain a capture that may hold noise, echoes and several frames.

    Shape: ``{"protocol", "frames": [{"offset", "length", "ok", "error", "header", "values"}],
    "noise": [hex]}``; numbers are decimal strings, a bad frame has no values.

    Raises: KeyError for a protocol not in ``PROTOCOLS``.
    """
    if protocol in CAPTURE:
        return CAPTURE[protocol](data, keys)
    explain = partial(_explained, explain=EXPLAIN[protocol], keys=keys)
    frames: list[Json] = []
    noise: list[str] = []
    asked: Any = None  # the last request: only it tells which registers a Modbus answer holds
    for piece in _found(protocol, data):
        if piece.is_noise:
            noise.append(piece.data.hex())
            continue
        told = explain(piece, asked)
        frames.append(told)
        asked = piece.frame if told["ok"] and not told["header"].get("is_response") else None
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


def _explained(piece: Found, asked: Any, *, explain: Explain, keys: Keys) -> Json:
    header: Json = {}
    values: list[Json] = []
    error = piece.error
    if error is None:
        try:
            header, values = explain(piece.frame, asked, keys)
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
