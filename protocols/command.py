"""Commands: what a person at the centre has a gateway do, in the one form in which it is signed.

    {"id", "edge", "device", "action", "args", "actor", "class", "expires_at", "signature"}

The signature is Ed25519, by the centre's command key, over ``_MARK`` and the canonical JSON of all
but itself: keys in order, no spaces, UTF-8. Every value is a text but ``expires_at``, so there is one
way to write a command. Ids rise with time, so that of two for one device the newer is known.

    class                    lives for
    door                     10 s    nobody stands there any more
    valve, relay, setting    2 min

What became of it goes up as ``Event(RESULT, "device:...", at, {"id", "state", "error", "read_back", ...})``.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from protocols.errors import LengthMismatch, MalformedFrame, SecurityError
from protocols.sync import is_edge_id

RESULT, REFUSED = "command", "command_refused"
OPEN, WRITE = "open", "write"
DOOR, VALVE, RELAY, SETTING = "door", "valve", "relay", "setting"
LIVES_MS: Mapping[str, int] = {DOOR: 10_000, VALVE: 120_000, RELAY: 120_000, SETTING: 120_000}
SKEW_MS = 2_000  # between the centre's clock and what a gateway knows of it
MAX_COMMAND_BYTES = 16 * 1024
# How a command may end at a gateway.
DONE, FAILED, EXPIRED, UNKNOWN = "done", "failed", "expired", "unknown"
ENDS = frozenset({DONE, FAILED, EXPIRED, UNKNOWN})

_MARK = b"gatehouse command 1\n"
_ID = re.compile(r"[0-9a-f]{12}-[0-9a-f]{16}")
_KEY = re.compile(r"[0-9a-f]{64}")
_SIGNATURE = re.compile(r"[0-9a-f]{128}")
_TEXTS = {"device": 64, "action": 32, "actor": 64, "class": 16}
_FIELDS = frozenset({"id", "edge", "args", "expires_at", "signature", *_TEXTS})
_LONGEST_ARGUMENT, _MOST_ARGUMENTS = 200, 8
_LATEST = 2**53


@dataclass(frozen=True, slots=True)
class Command:
    """One thing to be done once.

    Shape: ``kind`` is the class in ``LIVES_MS``; ``args`` of ``write`` are point and value.
    Units: ``expires_at`` is milliseconds UTC.
    """

    id: str
    edge_id: str
    device: str
    action: str
    actor: str
    kind: str
    expires_at: int
    args: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Give what is signed."""
        return {
            "id": self.id,
            "edge": self.edge_id,
            "device": self.device,
            "action": self.action,
            "args": dict(self.args),
            "actor": self.actor,
            "class": self.kind,
            "expires_at": self.expires_at,
        }


def command_id(at_ms: int, random: bytes) -> str:
    """Make the id of a command of an instant, with eight random bytes."""
    return f"{at_ms:012x}-{random[:8].hex()}"


def is_command_key(text: object) -> bool:
    """Tell whether a text is a public key as hex."""
    return isinstance(text, str) and _KEY.fullmatch(text) is not None


def canonical(command: Command) -> bytes:
    """Write a command as it is signed: the same bytes for the same command, wherever it was read."""
    text = json.dumps(command.as_json(), ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return _MARK + text.encode()


def signed(command: Command, sign: Callable[[bytes], bytes]) -> dict[str, Any]:
    """Give a command with its signature, as it travels."""
    return {**command.as_json(), "signature": sign(canonical(command)).hex()}


def read_command(told: Any, edge_id: str, key: str) -> Command:
    """Believe a command that the centre has signed for this gateway.

    Raises: MalformedFrame for another shape; LengthMismatch for one that is too large; SecurityError
    for another's signature, and for a command to another gateway.
    """
    command, signature = _read(told)
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(signature, canonical(command))
    except (InvalidSignature, ValueError):
        raise SecurityError("it is not signed by the centre that this gateway knows") from None
    if command.edge_id != edge_id:
        raise SecurityError(f"it is for gateway '{command.edge_id}'")
    return command


def too_late(command: Command, now: int) -> bool:
    """Tell whether the time to do it is over."""
    return now >= command.expires_at


def too_far(command: Command, now: int) -> bool:
    """Tell whether a command would live longer than its class may."""
    return command.expires_at - now > LIVES_MS[command.kind] + SKEW_MS


def _read(told: Any) -> tuple[Command, bytes]:
    if not isinstance(told, dict) or set(told) != _FIELDS:
        raise MalformedFrame("it has not the fields of a command")
    for name, most in _TEXTS.items():
        _check_text(name, told[name], most)
    found, expires_at, args = told["id"], told["expires_at"], told["args"]
    if not isinstance(found, str) or not _ID.fullmatch(found):
        raise MalformedFrame("its id is none")
    if not isinstance(told["edge"], str) or not is_edge_id(told["edge"]):
        raise MalformedFrame("it names no gateway")
    if type(expires_at) is not int or not 0 <= expires_at < _LATEST:
        raise MalformedFrame("its expiry is no instant")
    if told["class"] not in LIVES_MS:
        raise MalformedFrame(f"it is of no class that is known: '{told['class']}'")
    if not isinstance(told["signature"], str) or not _SIGNATURE.fullmatch(told["signature"]):
        raise MalformedFrame("its signature is none")
    if not isinstance(args, dict) or len(args) > _MOST_ARGUMENTS:
        raise MalformedFrame("its arguments are none")
    for name, value in args.items():
        _check_text("args", name, _LONGEST_ARGUMENT)
        _check_text(f"args.{name}", value, _LONGEST_ARGUMENT)
    command = Command(
        found, told["edge"], told["device"], told["action"], told["actor"], told["class"], expires_at, dict(args)
    )
    return command, bytes.fromhex(told["signature"])


def _check_text(name: str, value: Any, most: int) -> None:
    if not isinstance(value, str):
        raise MalformedFrame(f"'{name}' is no text")
    if len(value) > most:
        raise LengthMismatch(f"'{name}' has more than {most} characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise MalformedFrame(f"'{name}' is no text that UTF-8 can carry") from None
