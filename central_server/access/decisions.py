"""What every door decided: taken in once each from the gateways' events, and read for people."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.access.model import credential_key
from central_server.crypto import blind
from central_server.rbac import Actor
from central_server.schema import credential, device, door_decision, person, site
from central_server.telemetry.store import device_ids, insert_ignoring
from protocols.access import DECISION, MAX_CARD_BITS, REASONS
from protocols.sync import Event

_SUBJECT = "door:"


class DecisionRow(NamedTuple):
    """A decision with the door and the person it was about. Units: ms since 1970."""

    id: int
    at: int
    site_id: int
    zone: str
    device_id: int | None
    door: str
    is_granted: bool
    reason: str
    credential_id: int | None
    person_id: int | None
    person: str | None
    card_bits: int | None
    card_number: str | None
    is_offline: bool
    by: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which decisions to list.

    Shape: ``who`` is a person's whole name or number, or a card's number in hex; ``from_at`` and
    ``to_at`` are half-open.
    """

    device_id: int | None = None
    person_id: int | None = None
    who: str = ""
    is_refused: bool = False
    from_at: int | None = None
    to_at: int | None = None


async def take_in(connection: AsyncConnection, gateway_id: int, edge_id: str, site_id: int, event: Event) -> bool:
    """Write down what a door decided, once; an event that says something else is passed over."""
    body = event.body
    reason, code = body.get("reason"), body.get("door")
    if event.kind != DECISION or reason not in REASONS or not isinstance(code, str) or not 0 < len(code) <= 64:
        return False
    key = f"{body.get('decision_id') or ''}"
    if not key.startswith(f"{edge_id}/"):  # no gateway speaks for another one's doors
        key = f"{edge_id}/{key}"
    devices = await device_ids(connection, gateway_id, [code], event.at)
    values = {
        "decision_id": key[:128],
        "site_id": site_id,
        "gateway_id": gateway_id,
        "device_id": devices[code],
        "door_code": code,
        "at": event.at,
        "is_granted": body.get("granted") is True,
        "reason": reason,
        "rules_version": _number(body.get("rules_version")),
        "is_offline": body.get("offline") is True,
        "by": str(body["by"])[:64] if body.get("by") else None,
        **await _holder(connection, site_id, body.get("credential")),
        **_card(connection, body.get("card")),
    }
    done = await connection.execute(insert_ignoring(connection, door_decision).values(values))
    return done.rowcount == 1


async def _holder(connection: AsyncConnection, site_id: int, name: Any) -> Mapping[str, Any]:
    """Say whose card it was; a credential of another site is nobody's."""
    key = credential_key(name) if isinstance(name, str) else None
    query = select(credential.c.id, credential.c.person_id)
    row = (await connection.execute(query.where(credential.c.id == key, credential.c.site_id == site_id))).one_or_none()
    return {"credential_id": row[0] if row else None, "person_id": row[1] if row else None}


def _card(connection: AsyncConnection, card: Any) -> Mapping[str, Any]:
    """Keep the number of a card that nobody knows, so that it can be given to somebody."""
    none = {"card_bits": None, "card_number": None, "card_index": None}
    if not isinstance(card, dict):
        return none
    bits, number = _number(card.get("bits")), plain_number(str(card.get("number", "")))
    if bits is None or not 0 < bits <= MAX_CARD_BITS or number is None or int(number, 16) >= 1 << bits:
        return none
    return {"card_bits": bits, "card_number": number, "card_index": card_index(connection, bits, number)}


def _number(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < 2**53 else None


def plain_number(text: str) -> str | None:
    """Write a card's number as rules have it: small hex without leading zeros; None for what is no number."""
    text = text.strip().lower().removeprefix("0x").replace(" ", "")
    if not text or len(text) > 32 or not set(text) <= set("0123456789abcdef"):
        return None
    return f"{int(text, 16):x}"


def card_index(connection: AsyncConnection, bits: int, number: str) -> str:
    """Hash a card so that it can be found and not read."""
    return blind(connection, f"{bits}:{number}", "card")


async def listed(
    connection: AsyncConnection, actor: Actor, wanted: Wanted, *, limit: int, offset: int
) -> list[DecisionRow]:
    """Give decisions, newest first."""
    query = (
        select(
            door_decision.c.id,
            door_decision.c.at,
            door_decision.c.site_id,
            site.c.zone,
            door_decision.c.device_id,
            func.coalesce(func.nullif(device.c.name, ""), door_decision.c.door_code),
            door_decision.c.is_granted,
            door_decision.c.reason,
            door_decision.c.credential_id,
            door_decision.c.person_id,
            person.c.name,
            door_decision.c.card_bits,
            door_decision.c.card_number,
            door_decision.c.is_offline,
            door_decision.c.by,
        )
        .join(site, site.c.id == door_decision.c.site_id)
        .outerjoin(device, device.c.id == door_decision.c.device_id)
        .outerjoin(person, person.c.id == door_decision.c.person_id)
        .where(*_where(connection, actor, wanted))
        .order_by(door_decision.c.at.desc(), door_decision.c.id.desc())
    )
    return [DecisionRow._make(row) for row in await connection.execute(query.limit(limit).offset(offset))]


async def how_many(connection: AsyncConnection, actor: Actor, wanted: Wanted) -> int:
    query = select(func.count()).select_from(door_decision).where(*_where(connection, actor, wanted))
    return int((await connection.execute(query)).scalar_one())


def _where(connection: AsyncConnection, actor: Actor, wanted: Wanted) -> list[ColumnElement[bool]]:
    found = [actor.sees_site(door_decision.c.site_id)]
    if wanted.device_id is not None:
        found.append(door_decision.c.device_id == wanted.device_id)
    if wanted.person_id is not None:
        found.append(door_decision.c.person_id == wanted.person_id)
    if wanted.is_refused:
        found.append(door_decision.c.is_granted.is_(False))
    if wanted.from_at is not None:
        found.append(door_decision.c.at >= wanted.from_at)
    if wanted.to_at is not None:
        found.append(door_decision.c.at < wanted.to_at)
    if wanted.who:
        found.append(_is_about(connection, wanted.who))
    return found


def _is_about(connection: AsyncConnection, who: str) -> ColumnElement[bool]:
    named = select(person.c.id).where((person.c.name_index == blind(connection, who, "name")) | (person.c.code == who))
    is_person: ColumnElement[bool] = door_decision.c.person_id.in_(named)
    number = plain_number(who)
    if number is None:
        return is_person
    indexes = [card_index(connection, bits, number) for bits in range(1, MAX_CARD_BITS + 1)]
    cards = select(credential.c.id).where(credential.c.number_index.in_(indexes))
    return is_person | door_decision.c.card_index.in_(indexes) | door_decision.c.credential_id.in_(cards)
