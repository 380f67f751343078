"""The newest values of a gateway whose readings are behind: shown at once, and never counted.

A snapshot is JSON, {"values": [[device, point, unit, taken_at, value, quality], ...]}: the value is text
or null, the quality a number. The readings themselves come later, in their batches; what is in a
snapshot and never comes as a record was a picture and nothing else.
"""

import json
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

from protocols.errors import MalformedFrame
from protocols.quantity import MANTISSA_LIMIT, Quality, to_scaled
from protocols.record import Reading, Series

PATH_LIVE = "/api/v1/sync/live"
# Which lane a batch is of, said before its body is read: a full house lets alarms in and backlog wait.
LANE_HEADER = "Gatehouse-Lane"
MAX_SNAPSHOT_BYTES = 512 * 1024
MAX_SNAPSHOT_VALUES = 4000
_LONGEST_NAME = 200


def encode_snapshot(readings: Iterable[Reading]) -> bytes:
    """Write readings, at most ``MAX_SNAPSHOT_VALUES`` of them."""
    values = [
        [*series, at, None if value is None else format(value, "f"), int(quality)]
        for series, at, value, quality, _ in readings
    ]
    return json.dumps({"values": values}, ensure_ascii=False, separators=(",", ":")).encode()


def decode_snapshot(data: bytes) -> list[Reading]:
    """Read a snapshot.

    Raises: MalformedFrame, whatever the bytes are.
    """
    try:
        values = json.loads(data)["values"]
        if not isinstance(values, list) or len(values) > MAX_SNAPSHOT_VALUES:
            raise MalformedFrame(f"a snapshot has a list of at most {MAX_SNAPSHOT_VALUES} values")
        return [_reading(*value) for value in values]
    except (ValueError, KeyError, TypeError, InvalidOperation, RecursionError) as error:
        raise MalformedFrame(f"the snapshot cannot be read: {error}") from None


def _reading(device: Any, point: Any, unit: Any, at: Any, value: Any, quality: Any) -> Reading:
    names = (device, point, unit)
    if not all(isinstance(name, str) and len(name) <= _LONGEST_NAME for name in names):
        raise ValueError("a name is no text, or too long")
    if type(at) is not int or not -MANTISSA_LIMIT < at < MANTISSA_LIMIT:
        raise ValueError("an instant is out of range")
    if not (value is None or (isinstance(value, str) and len(value) <= _LONGEST_NAME)):
        raise ValueError("a value is text or null")
    number = None if value is None else Decimal(value)
    if number is not None:
        to_scaled(number)
    return Reading(Series(device, point, unit), at, number, Quality(quality))
