"""What the centre's answer to a batch or a status means; anything not plainly ours is no answer.

Between a gateway and its centre stand routers with sign-in pages, proxies and half-open
connections. Only a JSON object of ours ever counts as an acknowledgement.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from protocols.errors import ChecksumMismatch, Unsupported

_DIGEST = re.compile(r"[0-9a-f]{64}")
_LONGEST_WAIT_S = 600  # a Retry-After of a year would be a centre that is gone for good


@dataclass(frozen=True, slots=True)
class Acked:
    """The centre holds this lane up to ``mark``; ``head`` is the digest of the batch that ends there, "" if not told.

    Shape: ``names`` is up to which number it knows the store's series, ``window`` how many records it
    takes to a batch, each None if not told; ``wait_s`` is for how long it wants no more of a backlog.
    """

    mark: int
    head: str = ""
    names: int | None = None
    window: int | None = None
    wait_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Heard:
    """The centre took the status, or a snapshot; of these it wants no other before ``wait_s``.

    Shape: ``rules_version`` is that of the access rules it has for this gateway, None for none, and
    ``config_revision`` that of the settings it offers.

    Units: ``server_time`` is its clock in milliseconds UTC.
    """

    server_time: int
    rules_version: int | None = None
    config_revision: int | None = None
    wait_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Gap:
    """The centre misses what lies before the batch."""

    expected: int


@dataclass(frozen=True, slots=True)
class Unnamed:
    """The centre knows the store's series up to number ``have`` only."""

    have: int


@dataclass(frozen=True, slots=True)
class TooLarge:
    """The batch is over the centre's limit."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The centre cannot read these very bytes; other batches may pass."""

    reason: str


@dataclass(frozen=True, slots=True)
class Disputed:
    """The centre does not take this lane as things stand, whatever the single records are."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The centre does not want this gateway."""

    reason: str


@dataclass(frozen=True, slots=True)
class Busy:
    """The centre asks for a pause."""

    wait_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """No centre answered: no connection, no time, or somebody else's page."""

    reason: str


Answer = Acked | Heard | Gap | Unnamed | TooLarge | Broken | Disputed | Refused | Busy | Unreachable


def read_batch_answer(status: int, retry_after: str | None, body: bytes) -> Answer:
    """Read the answer to a batch."""
    return _read(status, retry_after, body, "acked")


def read_status_answer(status: int, retry_after: str | None, body: bytes) -> Answer:
    """Read the answer to a status."""
    return _read(status, retry_after, body, "server_time")


def read_live_answer(status: int, retry_after: str | None, body: bytes) -> Answer:
    """Read the answer to a snapshot of the newest values."""
    return _read(status, retry_after, body, "server_time")


def _read(status: int, retry_after: str | None, body: bytes, wanted: str) -> Answer:
    if status in (429, 503):
        return Busy(_seconds(retry_after), f"the centre is busy (HTTP {status})")
    document = _object(body)
    if status == 200:
        number = document.get(wanted)
        if type(number) is not int or number < 0:
            return Unreachable(f"something other than a centre answered: HTTP 200 without '{wanted}'. {_NOT_OURS}")
        if wanted == "acked":
            head, names = document.get("head"), document.get("names")
            return Acked(
                number,
                head if isinstance(head, str) and _DIGEST.fullmatch(head) else "",
                _count(names),
                _count(document.get("window")),
                _wait(document.get("retry_after")),
            )
        wait_s = _wait(document.get("retry_after"))
        return Heard(number, _whole(document.get("rules_version")), _whole(document.get("config_revision")), wait_s)
    if status == 413:
        return TooLarge()
    error = document.get("error")
    key = error.get("key") if isinstance(error, dict) else None
    if not isinstance(error, dict) or not isinstance(key, str):
        return Unreachable(f"something other than a centre answered: HTTP {status}. {_NOT_OURS}")
    reason = f"{error.get('message') or key} ({key})"
    fields = error.get("fields")
    expected = fields.get("expected") if isinstance(fields, dict) else None
    if status == 409 and key == "sync_gap" and type(expected) is int and expected >= 1:
        return Gap(expected)
    have = fields.get("have") if isinstance(fields, dict) else None
    if status == 409 and key == "sync_names" and type(have) is int and have >= 0:
        return Unnamed(have)
    if status in (401, 403):
        return Refused(reason)
    kind = fields.get("kind") if isinstance(fields, dict) else None
    if status == 400 and (key in _CUT_KEYS or kind == ChecksumMismatch.kind):
        return Unreachable(f"the bytes were cut or changed on their way to the centre: {reason}")
    if status == 400 and kind != Unsupported.kind:
        return Broken(reason)
    if 400 <= status < 500:
        return Disputed(reason)
    return Unreachable(f"the centre failed: HTTP {status}, {reason}")


_CUT_KEYS = frozenset({"sync_slow_body", "sync_broken_body"})
_NOT_OURS = "Check [uplink] url, and whether the network asks for a sign-in."


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _whole(value: Any) -> int | None:
    return value if type(value) is int else None


def _wait(value: Any) -> float:
    return float(min(value, _LONGEST_WAIT_S)) if type(value) in (int, float) and value > 0 else 0.0


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _seconds(retry_after: str | None) -> float:
    """Read Retry-After; a date in place of seconds is taken as no hint, our centre sends none."""
    text = (retry_after or "").strip()
    return min(float(text), _LONGEST_WAIT_S) if text.isascii() and text.isdigit() and len(text) < 10 else 0.0
