"""What has changed between two versions of the access rules, so that one new card is not sent with all the others.

A delta names the rules that it was made from and those that it makes, both by the hash of their canonical
whole: what it is laid on must be the first, and what comes of it must be the second, else it is worth nothing.

    {"delta": {"base": hash, "hash": hash, "head": {...}, "put": {...}, "drop": {...}}}

``head`` is all that is no list; ``put`` the entries that are new or others, ``drop`` the names of those that
are gone, each by the lists "schedules", "credentials" and "doors".
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from protocols.access import MAX_RULES_BYTES, Rules, document_hash, read_document, rules_document
from protocols.errors import ChecksumMismatch, LengthMismatch, MalformedFrame

_NAMES: Mapping[str, str] = {"schedules": "id", "credentials": "id", "doors": "code"}
_FIELDS = frozenset({"base", "hash", "head", "put", "drop"})


@dataclass(frozen=True, slots=True)
class Delta:
    """The way from one version to a later one.

    Shape: ``put`` is entries by list and name, ``drop`` names by list; a name is in one of the two at most.
    """

    base: str
    hash: str
    head: Mapping[str, Any]
    put: Mapping[str, Mapping[str, Any]]
    drop: Mapping[str, frozenset[str]]


def delta_between(before: Rules, after: Rules) -> Delta:
    """Say what has changed."""
    old, new = rules_document(before), rules_document(after)
    put: dict[str, dict[str, Any]] = {}
    drop: dict[str, frozenset[str]] = {}
    for part in _NAMES:
        was, now = _named(old, part), _named(new, part)
        put[part] = {name: entry for name, entry in now.items() if was.get(name) != entry}
        drop[part] = frozenset(was.keys() - now.keys())
    return Delta(document_hash(old), document_hash(new), _head(new), put, drop)


def apply_delta(before: Rules, delta: Delta) -> Rules:
    """Give the rules that a delta makes of those it was made from.

    Raises: ChecksumMismatch where either end is another than it says; MalformedFrame for rules that
    contradict themselves.
    """
    document = rules_document(before)
    if document_hash(document) != delta.base:
        raise ChecksumMismatch("the delta was made from other rules than those in force")
    made = dict(delta.head)
    for part in _NAMES:
        entries = {**_named(document, part), **delta.put[part]}
        made[part] = [entries[name] for name in sorted(entries.keys() - delta.drop[part])]
    if document_hash(made) != delta.hash:
        raise ChecksumMismatch("what the delta makes is not what it says")
    return read_document(made)


def merge(first: Delta, second: Delta) -> Delta:
    """Give one delta for two that follow each other.

    Raises: ValueError where the second was not made from what the first makes.
    """
    if first.hash != second.base:
        raise ValueError("these deltas do not follow each other")
    put: dict[str, Mapping[str, Any]] = {}
    drop: dict[str, frozenset[str]] = {}
    for part in _NAMES:
        kept = {name: entry for name, entry in first.put[part].items() if name not in second.drop[part]}
        put[part] = kept | dict(second.put[part])
        drop[part] = (first.drop[part] | second.drop[part]) - second.put[part].keys()
    return Delta(first.base, second.hash, second.head, put, drop)


def encode_delta(delta: Delta) -> bytes:
    """Write a delta as it is sent and kept."""
    document = {
        "base": delta.base,
        "hash": delta.hash,
        "head": delta.head,
        "put": {part: [delta.put[part][name] for name in sorted(delta.put[part])] for part in _NAMES},
        "drop": {part: sorted(delta.drop[part]) for part in _NAMES},
    }
    return json.dumps({"delta": document}, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def is_delta(data: bytes) -> bool:
    """Tell a delta from whole rules."""
    return data.startswith(b'{"delta":')


def decode_delta(data: bytes) -> Delta:
    """Read a delta, believing nothing but its form; what it makes is believed by its hash.

    Raises: ProtocolError, whatever the bytes are.
    """
    if len(data) > MAX_RULES_BYTES:
        raise LengthMismatch(f"a delta has at most {MAX_RULES_BYTES} bytes, not {len(data)}")
    try:
        told = json.loads(data)["delta"]
    except (ValueError, RecursionError, KeyError, TypeError):
        raise MalformedFrame("the delta is not JSON, or none") from None
    if not isinstance(told, dict) or told.keys() != _FIELDS:
        raise MalformedFrame(f"the delta has not the fields {', '.join(sorted(_FIELDS))}")
    put, drop, head = told["put"], told["drop"], told["head"]
    if not (isinstance(put, dict) and isinstance(drop, dict) and put.keys() == drop.keys() == _NAMES.keys()):
        raise MalformedFrame("the delta has not the lists of rules")
    if not isinstance(head, dict) or head.keys() & _NAMES.keys() or not _are_texts([told["base"], told["hash"]]):
        raise MalformedFrame("the delta's head is none")
    for part in _NAMES:
        if not isinstance(put[part], list) or not all(isinstance(entry, dict) for entry in put[part]):
            raise MalformedFrame(f"the delta's new {part} are no list of objects")
        if not _are_texts(drop[part]) or not _are_texts([entry.get(_NAMES[part]) for entry in put[part]]):
            raise MalformedFrame(f"the delta's {part} have no names")
    return Delta(
        told["base"],
        told["hash"],
        head,
        {part: _named(put, part) for part in _NAMES},
        {part: frozenset(drop[part]) for part in _NAMES},
    )


def _named(document: Mapping[str, Any], part: str) -> dict[str, Any]:
    return {entry[_NAMES[part]]: entry for entry in document[part]}


def _head(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in _NAMES}


def _are_texts(found: Any) -> bool:
    return isinstance(found, list) and all(isinstance(each, str) for each in found)
