"""The SQL of doors, groups, schedules and cards as the pages show and change them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.access.model import HELD_OPEN_S, PULSE_MS, USUAL_FRESH_H, Basis
from central_server.access.rule_store import read_windows
from central_server.rbac import Actor
from central_server.schema import (
    building,
    card_trust,
    credential,
    credential_grant,
    device,
    door,
    door_group,
    door_group_member,
    door_schedule,
    gateway,
    person,
    site,
)
from central_server.telemetry.store import insert_ignoring
from protocols.access import Window


class DoorRow(NamedTuple):
    """A door with where it is and how it is worked."""

    device_id: int
    site_id: int
    site: str
    gateway_id: int
    edge_id: str
    code: str
    name: str
    building_id: int | None
    building: str | None
    pulse_ms: int
    held_open_s: int


class GroupRow(NamedTuple):
    id: int
    site_id: int
    site: str
    name: str


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """When a grant holds; ``holidays`` are ISO dates on which it never does."""

    id: int
    site_id: int
    site: str
    name: str
    windows: tuple[Window, ...]
    holidays: frozenset[str]


class CardRow(NamedTuple):
    """A card with whose it is."""

    id: int
    site_id: int
    site: str
    zone: str
    person_id: int
    person: str
    person_code: str
    basis: str
    bits: int
    number: str
    from_on: str | None
    to_on: str | None
    created_at: int
    created_by: str
    revoked_at: int | None
    revoked_by: str | None


async def doors(connection: AsyncConnection, actor: Actor, *where: ColumnElement[bool]) -> list[DoorRow]:
    """Give the doors of the actor's site, by gateway and code."""
    query = (
        select(
            device.c.id,
            gateway.c.site_id,
            site.c.name,
            gateway.c.id,
            gateway.c.edge_id,
            device.c.code,
            func.coalesce(func.nullif(device.c.name, ""), device.c.code),
            door.c.building_id,
            building.c.name,
            func.coalesce(door.c.pulse_ms, PULSE_MS),
            func.coalesce(door.c.held_open_s, HELD_OPEN_S),
        )
        .join(gateway, gateway.c.id == device.c.gateway_id)
        .join(site, site.c.id == gateway.c.site_id)
        .outerjoin(door, door.c.device_id == device.c.id)
        .outerjoin(building, building.c.id == door.c.building_id)
        .where(device.c.kind == "door", actor.sees_site(gateway.c.site_id), *where)
        .order_by(gateway.c.edge_id, device.c.code)
    )
    return [DoorRow._make(row) for row in await connection.execute(query)]


async def one_door(connection: AsyncConnection, actor: Actor, device_id: int) -> DoorRow | None:
    return next(iter(await doors(connection, actor, device.c.id == device_id)), None)


async def save_door(connection: AsyncConnection, device_id: int, values: Mapping[str, Any]) -> None:
    done = await connection.execute(update(door).where(door.c.device_id == device_id).values(**values))
    if not done.rowcount:
        await connection.execute(insert_ignoring(connection, door).values(device_id=device_id, **values))


async def groups(connection: AsyncConnection, actor: Actor, *where: ColumnElement[bool]) -> list[GroupRow]:
    query = select(door_group.c.id, door_group.c.site_id, site.c.name, door_group.c.name).join(site)
    query = query.where(actor.sees_site(door_group.c.site_id), *where).order_by(site.c.code, door_group.c.name)
    return [GroupRow._make(row) for row in await connection.execute(query)]


async def one_group(connection: AsyncConnection, actor: Actor, group_id: int) -> GroupRow | None:
    return next(iter(await groups(connection, actor, door_group.c.id == group_id)), None)


async def members(connection: AsyncConnection) -> dict[int, set[int]]:
    """Give the doors of each group."""
    found: dict[int, set[int]] = {}
    for group, key in await connection.execute(select(door_group_member.c.group_id, door_group_member.c.device_id)):
        found.setdefault(group, set()).add(key)
    return found


async def save_group(connection: AsyncConnection, group_id: int | None, site_id: int, name: str) -> int:
    if group_id is None:
        return await _add(connection, door_group, site_id=site_id, name=name)
    await connection.execute(update(door_group).where(door_group.c.id == group_id).values(name=name))
    return group_id


async def set_members(connection: AsyncConnection, group_id: int, devices: Iterable[int]) -> None:
    await connection.execute(delete(door_group_member).where(door_group_member.c.group_id == group_id))
    if rows := [{"group_id": group_id, "device_id": key} for key in sorted(set(devices))]:
        await connection.execute(insert(door_group_member), rows)


async def schedules(connection: AsyncConnection, actor: Actor, *where: ColumnElement[bool]) -> list[ScheduleRow]:
    query = select(door_schedule, site.c.name.label("site")).join(site)
    query = query.where(actor.sees_site(door_schedule.c.site_id), *where).order_by(site.c.code, door_schedule.c.name)
    return [
        ScheduleRow(
            row.id, row.site_id, row.site, row.name, read_windows(row.windows), frozenset(json.loads(row.holidays))
        )
        for row in await connection.execute(query)
    ]


async def one_schedule(connection: AsyncConnection, actor: Actor, schedule_id: int) -> ScheduleRow | None:
    return next(iter(await schedules(connection, actor, door_schedule.c.id == schedule_id)), None)


async def save_schedule(connection: AsyncConnection, schedule_id: int | None, values: Mapping[str, Any]) -> int:
    if schedule_id is None:
        return await _add(connection, door_schedule, **values)
    await connection.execute(update(door_schedule).where(door_schedule.c.id == schedule_id).values(**values))
    return schedule_id


async def name_is_taken(connection: AsyncConnection, table: Any, site_id: int, name: str, but: int | None) -> bool:
    query = select(table.c.id).where(table.c.site_id == site_id, table.c.name == name)
    found = await connection.scalar(query)
    return found is not None and found != but


def _cards() -> Select[Any]:
    return (
        select(
            credential.c.id,
            credential.c.site_id,
            site.c.name,
            site.c.zone,
            credential.c.person_id,
            person.c.name,
            person.c.code,
            *(
                credential.c[name]
                for name in ("basis", "bits", "number", "from_on", "to_on", "created_at", "created_by")
            ),
            credential.c.revoked_at,
            credential.c.revoked_by,
        )
        .join(site, site.c.id == credential.c.site_id)
        .join(person, person.c.id == credential.c.person_id)
    )


async def cards(
    connection: AsyncConnection, actor: Actor, *where: ColumnElement[bool], limit: int, offset: int = 0
) -> list[CardRow]:
    """Give cards, the newest first."""
    query = _cards().where(actor.sees_site(credential.c.site_id), *where).order_by(credential.c.id.desc())
    return [CardRow._make(row) for row in await connection.execute(query.limit(limit).offset(offset))]


async def count_cards(connection: AsyncConnection, actor: Actor, *where: ColumnElement[bool]) -> int:
    query = select(func.count()).select_from(credential).where(actor.sees_site(credential.c.site_id), *where)
    return int((await connection.execute(query)).scalar_one())


async def add_card(connection: AsyncConnection, **values: Any) -> int:
    return await _add(connection, credential, **values)


async def is_given(connection: AsyncConnection, active_key: str) -> bool:
    return await connection.scalar(select(credential.c.id).where(credential.c.active_key == active_key)) is not None


async def revoke(connection: AsyncConnection, card_id: int, by: str, at: int) -> bool:
    where = credential.c.id == card_id, credential.c.revoked_at.is_(None)
    values = {"revoked_at": at, "revoked_by": by[:64], "active_key": None}
    return (await connection.execute(update(credential).where(*where).values(**values))).rowcount == 1


async def grants_of(connection: AsyncConnection, card_id: int) -> dict[int, int | None]:
    """Give which groups a card opens, and by which schedule."""
    query = select(credential_grant.c.group_id, credential_grant.c.schedule_id)
    return {
        row[0]: row[1] for row in await connection.execute(query.where(credential_grant.c.credential_id == card_id))
    }


async def set_grants(connection: AsyncConnection, card_id: int, grants: Mapping[int, int | None]) -> None:
    await connection.execute(delete(credential_grant).where(credential_grant.c.credential_id == card_id))
    rows = [
        {"credential_id": card_id, "group_id": group, "schedule_id": when} for group, when in sorted(grants.items())
    ]
    if rows:
        await connection.execute(insert(credential_grant), rows)


async def _add(connection: AsyncConnection, table: Any, **values: Any) -> int:
    key = (await connection.execute(insert(table).values(**values))).inserted_primary_key
    return int(key[0]) if key else 0


class SiteRow(NamedTuple):
    id: int
    name: str
    zone: str


async def trusts(connection: AsyncConnection, site_ids: Sequence[int]) -> dict[int, dict[Basis, int]]:
    """Give for each site how many hours the cards of each basis open with the centre away."""
    query = select(card_trust.c.site_id, card_trust.c.basis, card_trust.c.fresh_h)
    found = {key: dict(USUAL_FRESH_H) for key in site_ids}
    for site_id, basis, hours in await connection.execute(query.where(card_trust.c.site_id.in_(site_ids))):
        found[site_id][Basis(basis)] = hours
    return found


async def save_trusts(connection: AsyncConnection, site_id: int, hours: Mapping[str, int]) -> None:
    await connection.execute(delete(card_trust).where(card_trust.c.site_id == site_id))
    rows = [{"site_id": site_id, "basis": basis, "fresh_h": found} for basis, found in hours.items()]
    await connection.execute(insert(card_trust), rows)


async def sites(connection: AsyncConnection, actor: Actor) -> list[SiteRow]:
    """Give the actor's sites."""
    query = select(site.c.id, site.c.name, site.c.zone).where(actor.sees_site(site.c.id)).order_by(site.c.code)
    return [SiteRow._make(row) for row in await connection.execute(query)]


async def buildings(connection: AsyncConnection, site_id: int) -> list[tuple[int, str]]:
    """Give a site's buildings as (id, name)."""
    query = select(building.c.id, building.c.name).where(building.c.site_id == site_id).order_by(building.c.code)
    return [(row[0], row[1]) for row in await connection.execute(query)]
