"""Who may open which door and when: the rules that the centre hands down, and the words of a decision.

Rules are a versioned snapshot. A gateway keeps the last good one and decides by it with the
centre away; it takes no lower version, no other gateway's rules and no bytes that do not fit
their hash. On the wire they are canonical JSON (UTF-8, keys sorted, no spaces):

    {"hash": SHA-256 in hex of the canonical rules, "rules": {...}, "signature": the centre's over the hash}
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from protocols.errors import (
    ChecksumMismatch,
    LengthMismatch,
    MalformedFrame,
    ProtocolError,
    TruncatedFrame,
    Unsupported,
)

PATH_RULES = "/api/v1/sync/access-rules"
DECISION = "door_decision"

REASONS = (
    "granted",
    "unknown_card",
    "revoked",
    "not_yet_valid",
    "expired",
    "no_right",
    "outside_hours",
    "stale_rules",
    "no_rules",
    "emergency_open",
)

MAX_RULES_BYTES = 16 * 1024 * 1024
MINUTES_A_DAY = 24 * 60
MAX_CARD_BITS = 64

_FORMAT = 1
_MARK, _HASH = b"gatehouse rules 1\n", b'{"hash":"'
_SIGNATURE_ROOM = 256
_SIGNED = re.compile(rb',"signature":"([0-9a-f]{128})"\}\Z')
_HEX = re.compile(r"[0-9a-f]+")
_MS_LIMIT = 2**53  # what JSON readers everywhere keep exact


@dataclass(frozen=True, slots=True)
class Window:
    """A span of every named weekday.

    Shape: ``days`` counts from Monday = 0. Half-open; ``to_minute`` at or before ``from_minute``
    ends on the next day, which then need not be among ``days``.

    Units: minutes of the local day, 0 to 1440.
    """

    days: frozenset[int]
    from_minute: int
    to_minute: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a grant holds; on a holiday (an ISO local date) nothing is open."""

    id: str
    windows: tuple[Window, ...]
    holidays: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Grant:
    """Doors by their code at the gateway, and the schedule; None is always."""

    doors: frozenset[str]
    schedule: str | None = None


@dataclass(frozen=True, slots=True)
class Trust:
    """A class of credentials, and for how long they are good without a word from the centre, 0 for ever."""

    id: str
    fresh_for_s: int


@dataclass(frozen=True, slots=True)
class Credential:
    """A card as its reader sends it; several credentials may name one card, and any of them may open.

    Shape: ``number`` is the raw bits in small hex without prefix or leading zeros ("0" for none),
    at most 64 bits. ``valid_to`` is exclusive: a tenancy that ends at midnight denies at midnight.
    ``trust`` names its class; None is good for as long as the rules are.

    Units: milliseconds since 1970 in UTC.
    """

    id: str
    bits: int
    number: str
    kind: Literal["card"] = "card"
    valid_from: int | None = None
    valid_to: int | None = None
    is_revoked: bool = False
    grants: tuple[Grant, ...] = ()
    trust: str | None = None


@dataclass(frozen=True, slots=True)
class DoorRule:
    """How one door is worked."""

    code: str
    pulse_ms: int = 3000
    held_open_s: int = 30


@dataclass(frozen=True, slots=True)
class Rules:
    """All that one gateway needs to decide alone.

    Shape: ``version`` rises with every change, from 1; ``zone`` is an IANA name. ``fresh_for_s``
    is how long the rules may be trusted without a word from the centre, 0 for ever; ``trusts`` says
    otherwise for classes of credentials.

    Units: ``issued_at`` is milliseconds since 1970 in UTC.
    """

    edge_id: str
    version: int
    issued_at: int
    zone: str
    fresh_for_s: int = 0
    schedules: tuple[Schedule, ...] = ()
    credentials: tuple[Credential, ...] = ()
    doors: tuple[DoorRule, ...] = ()
    trusts: tuple[Trust, ...] = ()


def rules_hash(rules: Rules) -> str:
    """Give the SHA-256 of the canonical rules, in hex; the order of their parts does not count."""
    return document_hash(rules_document(rules))


def document_hash(document: Mapping[str, Any]) -> str:
    """Give the SHA-256 of canonical rules as a JSON object, in hex.

    Raises: MalformedFrame for what cannot be written.
    """
    try:
        return hashlib.sha256(_canonical(document)).hexdigest()
    except (UnicodeEncodeError, RecursionError) as error:
        raise MalformedFrame(f"the rules cannot be written again: {error}") from None


def encode_rules(rules: Rules) -> bytes:
    """Write rules as they are sent and kept.

    Raises: ValueError for rules that ``decode_rules`` would refuse; that is a fault of ours.
    """
    document = rules_document(rules)
    try:
        read_document(document)
    except ProtocolError as error:
        raise ValueError(str(error)) from None
    digest = document_hash(document)
    data = _canonical({"hash": digest, "rules": document})
    if len(data) > MAX_RULES_BYTES - _SIGNATURE_ROOM:
        raise ValueError(f"the rules have {len(data)} bytes; {MAX_RULES_BYTES - _SIGNATURE_ROOM} is the most")
    return data


def rules_digest(body: bytes) -> str:
    """Give the hash that stands in front of rules which ``encode_rules`` has written."""
    return body[len(_HASH) : len(_HASH) + 64].decode()


def sign_rules(body: bytes, digest: str, sign: Callable[[bytes], bytes]) -> bytes:
    """Put the centre's signature under rules, or under a delta that makes them; ``digest`` is the hash of the whole."""
    return body[:-1] + b',"signature":"' + sign(_MARK + digest.encode()).hex().encode() + b'"}'


def rules_signature(data: bytes) -> bytes:
    """Give the signature under rules or a delta, nothing where there is none."""
    found = _SIGNED.search(data[-_SIGNATURE_ROOM:])
    return bytes.fromhex(found[1].decode()) if found else b""


def are_signed_by(key: str, digest: str, signature: bytes) -> bool:
    """Tell whether rules of a hash are signed by the centre whose raw public key, as hex, is known."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(signature, _MARK + digest.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


def decode_rules(data: bytes) -> Rules:
    """Read rules, believing nothing.

    Raises: ProtocolError, whatever the bytes are.
    """
    if len(data) > MAX_RULES_BYTES:
        raise LengthMismatch(f"rules have at most {MAX_RULES_BYTES} bytes, not {len(data)}")
    if not data:
        raise TruncatedFrame("there are no bytes")
    try:
        document = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedFrame(f"the rules are not JSON: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("rules"), dict):
        raise MalformedFrame("the rules are not an object with 'hash' and 'rules'")
    inner = document["rules"]
    _check_format(inner)
    if document.get("hash") != document_hash(inner):
        raise ChecksumMismatch("the rules' SHA-256 does not fit them: they were cut or changed on their way")
    return read_document(inner)


def read_document(document: Mapping[str, Any]) -> Rules:
    """Read rules from their JSON object. Raises: ProtocolError."""
    _check_format(document)
    rules = _read_rules(document)
    _check(rules)
    return rules


def _check_format(document: Mapping[str, Any]) -> None:
    if (number := document.get("format")) != _FORMAT or type(number) is not int:
        raise Unsupported(f"rules of format {number!r}; this version reads format {_FORMAT}")


def _canonical(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def rules_document(rules: Rules) -> dict[str, Any]:
    """Give rules as a JSON object, their parts in order; what is not said has no field, as before there were classes."""
    trusts = [{"id": it.id, "fresh_for_s": it.fresh_for_s} for it in sorted(rules.trusts, key=lambda it: it.id)]
    return {
        **({"trusts": trusts} if trusts else {}),
        "format": _FORMAT,
        "edge_id": rules.edge_id,
        "version": rules.version,
        "issued_at": rules.issued_at,
        "zone": rules.zone,
        "fresh_for_s": rules.fresh_for_s,
        "schedules": [
            {
                "id": schedule.id,
                "windows": [
                    {"days": sorted(it.days), "from": it.from_minute, "to": it.to_minute} for it in schedule.windows
                ],
                "holidays": sorted(schedule.holidays),
            }
            for schedule in sorted(rules.schedules, key=lambda it: it.id)
        ],
        "credentials": [_credential_json(it) for it in sorted(rules.credentials, key=lambda it: it.id)],
        "doors": [
            {"code": it.code, "pulse_ms": it.pulse_ms, "held_open_s": it.held_open_s}
            for it in sorted(rules.doors, key=lambda it: it.code)
        ],
    }


def _credential_json(credential: Credential) -> dict[str, Any]:
    return {
        "id": credential.id,
        "kind": credential.kind,
        "bits": credential.bits,
        "number": credential.number,
        "valid_from": credential.valid_from,
        "valid_to": credential.valid_to,
        "is_revoked": credential.is_revoked,
        "grants": sorted(
            ({"doors": sorted(it.doors), "schedule": it.schedule} for it in credential.grants), key=json.dumps
        ),
        **({} if credential.trust is None else {"trust": credential.trust}),
    }


class _Fields:
    """One JSON object, each field of which is asked for by its type."""

    __slots__ = ("_data", "_what")

    def __init__(self, data: Any, what: str, names: frozenset[str], more: frozenset[str] = frozenset()) -> None:
        if not isinstance(data, dict) or data.keys() - more != names:
            raise MalformedFrame(f"{what} has not the fields {', '.join(sorted(names))}")
        self._data = data
        self._what = what

    def number(self, name: str, least: int, most: int) -> int:
        value = self._data[name]
        if type(value) is not int or not least <= value <= most:
            raise MalformedFrame(f"{self._what}: {name} is not a whole number from {least} to {most}")
        return value

    def instant(self, name: str) -> int | None:
        return None if self._data[name] is None else self.number(name, -_MS_LIMIT, _MS_LIMIT)

    def text(self, name: str) -> str:
        return self._text(name, self._data[name])

    def texts(self, name: str) -> frozenset[str]:
        return frozenset(self._text(name, item) for item in self.items(name))

    def optional_text(self, name: str) -> str | None:
        return None if self._data[name] is None else self.text(name)

    def said(self, name: str) -> str | None:
        """Give a text that need not be there."""
        return self.text(name) if name in self._data else None

    def flag(self, name: str) -> bool:
        value = self._data[name]
        if type(value) is not bool:
            raise MalformedFrame(f"{self._what}: {name} is neither true nor false")
        return value

    def items(self, name: str) -> list[Any]:
        value = self._data[name]
        if not isinstance(value, list):
            raise MalformedFrame(f"{self._what}: {name} is not a list")
        return value

    def _text(self, name: str, value: Any) -> str:
        if not isinstance(value, str) or not 1 <= len(value) <= 200:
            raise MalformedFrame(f"{self._what}: {name} is not a text of 1 to 200 characters")
        return value


_RULES = frozenset({"format", "edge_id", "version", "issued_at", "zone", "fresh_for_s"}) | frozenset(
    {"schedules", "credentials", "doors"}
)
_SCHEDULE = frozenset({"id", "windows", "holidays"})
_WINDOW = frozenset({"days", "from", "to"})
_CREDENTIAL = frozenset({"id", "kind", "bits", "number", "valid_from", "valid_to", "is_revoked", "grants"})
_GRANT = frozenset({"doors", "schedule"})
_DOOR = frozenset({"code", "pulse_ms", "held_open_s"})
_TRUST = frozenset({"id", "fresh_for_s"})
_LONGEST_FRESH_S = 10 * 366 * 86_400


def _read_rules(data: Any) -> Rules:
    fields = _Fields(data, "the rules", _RULES, frozenset({"trusts"}))
    return Rules(
        edge_id=fields.text("edge_id"),
        version=fields.number("version", 1, _MS_LIMIT),
        issued_at=fields.number("issued_at", 0, _MS_LIMIT),
        zone=fields.text("zone"),
        fresh_for_s=fields.number("fresh_for_s", 0, _LONGEST_FRESH_S),
        schedules=tuple(map(_read_schedule, fields.items("schedules"))),
        credentials=tuple(map(_read_credential, fields.items("credentials"))),
        doors=tuple(map(_read_door, fields.items("doors"))),
        trusts=tuple(map(_read_trust, fields.items("trusts"))) if "trusts" in data else (),
    )


def _read_schedule(data: Any) -> Schedule:
    fields = _Fields(data, "a schedule", _SCHEDULE)
    return Schedule(fields.text("id"), tuple(map(_read_window, fields.items("windows"))), fields.texts("holidays"))


def _read_window(data: Any) -> Window:
    fields = _Fields(data, "a window", _WINDOW)
    days = fields.items("days")
    if not all(type(day) is int and 0 <= day <= 6 for day in days):
        raise MalformedFrame("a window: days are whole numbers from 0 (Monday) to 6")
    return Window(frozenset(days), fields.number("from", 0, MINUTES_A_DAY), fields.number("to", 0, MINUTES_A_DAY))


def _read_credential(data: Any) -> Credential:
    fields = _Fields(data, "a credential", _CREDENTIAL, frozenset({"trust"}))
    if fields.text("kind") != "card":
        raise Unsupported(f"a credential of kind '{fields.text('kind')}'; this version knows 'card'")
    bits, number = fields.number("bits", 1, MAX_CARD_BITS), fields.text("number")
    if not _HEX.fullmatch(number) or number != f"{int(number, 16):x}" or int(number, 16) >= 1 << bits:
        raise MalformedFrame(f"a credential: '{number}' is not {bits} bits in small hex without leading zeros")
    return Credential(
        id=fields.text("id"),
        bits=bits,
        number=number,
        valid_from=fields.instant("valid_from"),
        valid_to=fields.instant("valid_to"),
        is_revoked=fields.flag("is_revoked"),
        grants=tuple(map(_read_grant, fields.items("grants"))),
        trust=fields.said("trust"),
    )


def _read_grant(data: Any) -> Grant:
    fields = _Fields(data, "a grant", _GRANT)
    return Grant(fields.texts("doors"), fields.optional_text("schedule"))


def _read_door(data: Any) -> DoorRule:
    fields = _Fields(data, "a door", _DOOR)
    return DoorRule(
        fields.text("code"), fields.number("pulse_ms", 100, 60_000), fields.number("held_open_s", 1, 86_400)
    )


def _read_trust(data: Any) -> Trust:
    fields = _Fields(data, "a class of credentials", _TRUST)
    return Trust(fields.text("id"), fields.number("fresh_for_s", 0, _LONGEST_FRESH_S))


def _check(rules: Rules) -> None:
    """Refuse what is right part by part and wrong as a whole."""
    try:
        ZoneInfo(rules.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise MalformedFrame(f"the rules: '{rules.zone}' is not a time zone") from None
    _once("schedule", [it.id for it in rules.schedules])
    _once("credential", [it.id for it in rules.credentials])
    _once("door", [it.code for it in rules.doors])
    _once("class", [it.id for it in rules.trusts])
    known, classes = {it.id for it in rules.schedules}, {it.id for it in rules.trusts}
    for credential in rules.credentials:
        if credential.trust is not None and credential.trust not in classes:
            raise MalformedFrame(f"credential '{credential.id}' names a class '{credential.trust}' that is not there")
        for grant in credential.grants:
            if grant.schedule is not None and grant.schedule not in known:
                raise MalformedFrame(
                    f"credential '{credential.id}' names a schedule '{grant.schedule}' that is not there"
                )
    for schedule in rules.schedules:
        if wrong := next((day for day in schedule.holidays if not _is_date(day)), None):
            raise MalformedFrame(f"schedule '{schedule.id}': '{wrong}' is not a date such as 2026-10-01")


def _once(what: str, names: list[str]) -> None:
    if len(set(names)) != len(names):
        twice = Counter(names).most_common(1)[0][0]
        raise MalformedFrame(f"the {what} '{twice}' is there twice")


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
