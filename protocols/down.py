"""The way down: what centre and gateway say on the one WebSocket that the gateway has opened.

Text frames, each one JSON object with a ``type``; what the other side does not know it passes over.

    both     hello    the first word; from the centre {"server_time", "command_key"}
    gateway  beat     {"at"}                          every BEAT_S, its own monotonic clock
    centre   beat     {"at" given back, "server_time"}  the answer
    centre   command  {"command": {...}}              see ``protocols.command``
    gateway  command_result                           what became of one that was sent again

Whoever hears nothing for SILENT_S gives the connection up.
"""

import json
from collections.abc import Mapping
from typing import Any

from protocols.errors import MalformedFrame

PATH_DOWN = "/api/v1/sync/down"
MAX_DOWN_BYTES = 1024 * 1024
MAX_UP_BYTES = 64 * 1024
BEAT_S = 8.0
SILENT_S = 20.0
# Close codes: who was shut out need not come again at once.
CLOSE_REVOKED, CLOSE_REPLACED = 4001, 4002


def read_message(text: str) -> Mapping[str, Any]:
    """Read a frame. Raises: MalformedFrame."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise MalformedFrame("the message is not JSON") from None
    if not isinstance(found, dict) or not isinstance(found.get("type"), str):
        raise MalformedFrame("the message is no object with a type")
    return found


def write_message(message: Mapping[str, Any], limit: int) -> str:
    """Write a frame. Raises: ValueError for one that the other side would not take."""
    text = json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    if len(text.encode()) > limit:
        raise ValueError(f"a message of type '{message.get('type')}' has more than {limit} bytes")
    return text
