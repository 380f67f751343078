"""The SQL of rules: what they are made from, a digest of that, and the rules as handed down."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, insert, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.access.model import HELD_OPEN_S, PULSE_MS, Basis, Card, Door, SiteRules, Span
from central_server.schema import (
    building,
    card_trust,
    credential,
    credential_grant,
    device,
    door,
    door_group,
    door_group_member,
    door_rules,
    door_rules_step,
    door_schedule,
    gateway,
    ownership,
    site,
    tenancy,
    unit,
)
from central_server.telemetry.store import insert_ignoring
from protocols.access import Schedule, Window

_MADE_BY = "2"  # another way of making rules from the same makes a new version of them


class Stored(NamedTuple):
    """The rules of a gateway as they were last handed down."""

    gateway_id: int
    edge_id: str
    version: int
    digest: str


@dataclass(frozen=True, slots=True)
class Source:
    """Rows that a site's rules are made from, read at one instant; card numbers are read only when needed."""

    zone: str
    doors: Sequence[Any]
    members: Sequence[Any]
    schedules: Sequence[Any]
    cards: Sequence[Any]
    grants: Sequence[Any]
    stays: Sequence[Any]
    trusts: Sequence[Any]

    @property
    def digest(self) -> str:
        rows = (self.doors, self.members, self.schedules, self.cards, self.grants, self.stays, self.trusts)
        said = hashlib.sha256(f"{_MADE_BY}{self.zone}".encode())
        for table in rows:
            said.update(repr([tuple(row) for row in table]).encode())
        return said.hexdigest()


async def sites(connection: AsyncConnection) -> list[int]:
    """Give the sites that have doors, or rules from when they had."""
    with_doors = (
        select(gateway.c.site_id).join(device, device.c.gateway_id == gateway.c.id).where(device.c.kind == "door")
    )
    with_rules = select(gateway.c.site_id).join(door_rules, door_rules.c.gateway_id == gateway.c.id)
    return list((await connection.execute(with_doors.union(with_rules))).scalars())


async def source(connection: AsyncConnection, site_id: int) -> Source:
    """Read what a site's rules are made from."""

    async def rows(query: Any) -> Sequence[Any]:
        return (await connection.execute(query)).all()

    of_site = select(credential.c.id).where(credential.c.site_id == site_id)
    cards = select(
        credential.c.id,
        credential.c.person_id,
        credential.c.basis,
        credential.c.bits,
        credential.c.number_index,
        credential.c.from_on,
        credential.c.to_on,
        credential.c.revoked_at.is_not(None),
    ).where(credential.c.site_id == site_id)
    grants = select(credential_grant.c.credential_id, credential_grant.c.group_id, credential_grant.c.schedule_id)
    doors = select(device.c.id, device.c.gateway_id, device.c.code, door.c.pulse_ms, door.c.held_open_s)
    doors = doors.join(gateway, gateway.c.id == device.c.gateway_id).outerjoin(door, door.c.device_id == device.c.id)
    members = select(door_group_member.c.group_id, door_group_member.c.device_id).join(door_group)
    schedules = select(door_schedule.c.id, door_schedule.c.windows, door_schedule.c.holidays)
    trusts = select(card_trust.c.basis, card_trust.c.fresh_h).where(card_trust.c.site_id == site_id)
    return Source(
        zone=(await connection.execute(select(site.c.zone).where(site.c.id == site_id))).scalar_one(),
        doors=await rows(doors.where(gateway.c.site_id == site_id, device.c.kind == "door").order_by(device.c.id)),
        members=await rows(members.where(door_group.c.site_id == site_id).order_by(*door_group_member.c)),
        schedules=await rows(schedules.where(door_schedule.c.site_id == site_id).order_by(door_schedule.c.id)),
        cards=await rows(cards.order_by(credential.c.id)),
        grants=await rows(
            grants.where(credential_grant.c.credential_id.in_(of_site)).order_by(
                credential_grant.c.credential_id, credential_grant.c.group_id
            )
        ),
        stays=await rows(_stays(site_id)),
        trusts=await rows(trusts.order_by(card_trust.c.basis)),
    )


def _stays(site_id: int) -> Any:
    """Select when whoever has a card here owned or lived here."""
    holders = select(credential.c.person_id).where(credential.c.site_id == site_id)
    parts = (
        select(people, table.c.from_on, table.c.to_on)
        .join(unit, unit.c.id == table.c.unit_id)
        .join(building, building.c.id == unit.c.building_id)
        .where(building.c.site_id == site_id, people.in_(holders))
        for table, people in ((ownership, ownership.c.owner_id), (tenancy, tenancy.c.person_id))
    )
    found = union_all(*parts).subquery()
    return select(found).order_by(*found.c)


async def whole(connection: AsyncConnection, site_id: int, rows: Source) -> SiteRules:
    """Lay the rows out for making rules, the card numbers with them."""
    numbers = select(credential.c.id, credential.c.number).where(credential.c.site_id == site_id)
    number_of = {row[0]: row[1] for row in await connection.execute(numbers)}
    grants = _by_key((row[0], (row[1], row[2])) for row in rows.grants)
    return SiteRules(
        zone=rows.zone,
        doors=[Door(row[0], row[1], row[2], row[3] or PULSE_MS, row[4] or HELD_OPEN_S) for row in rows.doors],
        groups={group: frozenset(devices) for group, devices in _by_key(rows.members).items()},
        schedules=[
            Schedule(str(row[0]), read_windows(row[1]), frozenset(json.loads(row[2]))) for row in rows.schedules
        ],
        cards=[
            Card(
                row[0],
                row[1],
                Basis(row[2]),
                row[3],
                number_of[row[0]],
                Span(row[5], row[6]),
                bool(row[7]),
                tuple(grants.get(row[0], ())),
            )
            for row in rows.cards
        ],
        stays=_by_key((row[0], Span(row[1], row[2])) for row in rows.stays),
        fresh_h={Basis(row[0]): row[1] for row in rows.trusts},
    )


def _by_key(pairs: Iterable[Any]) -> Mapping[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


def read_windows(text: str) -> tuple[Window, ...]:
    return tuple(Window(frozenset(days), start, end) for days, start, end in json.loads(text))


def write_windows(windows: Iterable[Window]) -> str:
    return json.dumps([[sorted(it.days), it.from_minute, it.to_minute] for it in windows])


async def stored(connection: AsyncConnection, site_id: int) -> list[Stored]:
    """Give each gateway of a site with its rules' version, 0 where it has none."""
    query = select(gateway.c.id, gateway.c.edge_id, door_rules.c.version, door_rules.c.digest)
    query = query.outerjoin(door_rules, door_rules.c.gateway_id == gateway.c.id).where(gateway.c.site_id == site_id)
    return [Stored(row[0], row[1], row[2] or 0, row[3] or "") for row in await connection.execute(query)]


async def hand_down(
    connection: AsyncConnection, gateway_id: int, *, before: int, version: int, digest: str, issued_at: int, body: str
) -> bool:
    """Put rules in the place of those of version ``before``; False if others were put there meanwhile."""
    values = {"version": version, "digest": digest, "issued_at": issued_at, "body": body}
    if before == 0:
        made = await connection.execute(insert_ignoring(connection, door_rules).values(gateway_id=gateway_id, **values))
        return made.rowcount == 1
    where = door_rules.c.gateway_id == gateway_id, door_rules.c.version == before
    return (await connection.execute(update(door_rules).where(*where).values(**values))).rowcount == 1


async def keep_step(
    connection: AsyncConnection, gateway_id: int, *, version: int, base: str, made: str, body: str, most: int
) -> None:
    """Keep what changed up to a version, and of what changed before only so many steps."""
    own, values = door_rules_step.c, {"version": version, "base": base, "made": made, "body": body}
    is_old = (own.version >= version) | (own.version <= version - most)
    await connection.execute(delete(door_rules_step).where(own.gateway_id == gateway_id, is_old))
    await connection.execute(insert(door_rules_step).values(gateway_id=gateway_id, **values))


async def steps_of(connection: AsyncConnection, gateway_id: int, after: int) -> list[tuple[str, str, str]]:
    """Give (base, made, body) of every step after a version, oldest first."""
    own = door_rules_step.c
    query = select(own.base, own.made, own.body).where(own.gateway_id == gateway_id, own.version > after)
    return [(row[0], row[1], row[2]) for row in await connection.execute(query.order_by(own.version))]


async def go_on_from(connection: AsyncConnection, gateway_id: int, version: int) -> bool:
    """Count on from a version that a gateway has and we do not; tell whether there was need to."""
    behind = update(door_rules).where(door_rules.c.gateway_id == gateway_id, door_rules.c.version < version)
    # No digest is empty: the next look at the records hands down the version after.
    return (await connection.execute(behind.values(version=version, digest=""))).rowcount == 1


_VERSION = select(door_rules.c.version).where(door_rules.c.gateway_id == bindparam("of_gateway"))


async def version_of(connection: AsyncConnection, gateway_id: int) -> int | None:
    found: int | None = await connection.scalar(_VERSION, {"of_gateway": gateway_id})
    return found


async def body_of(connection: AsyncConnection, gateway_id: int) -> str | None:
    found: str | None = await connection.scalar(select(door_rules.c.body).where(door_rules.c.gateway_id == gateway_id))
    return found


async def versions(connection: AsyncConnection, gateway_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Give (version, issued at) of the rules by gateway."""
    query = select(door_rules.c.gateway_id, door_rules.c.version, door_rules.c.issued_at)
    rows = await connection.execute(query.where(door_rules.c.gateway_id.in_(gateway_ids)))
    return {row[0]: (row[1], row[2]) for row in rows}
