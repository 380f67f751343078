"""The SQL of work orders."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Select, and_, exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.rbac import Actor, Role
from central_server.schema import (
    account,
    alarm,
    building,
    device,
    equipment,
    photo,
    site,
    unit,
    work_order,
    work_order_event,
)
from central_server.workorders.model import ENDS, HELD, Event, Facts, State, Step, apply

_o = work_order.c
_e = work_order_event.c
_FACTS = tuple(Facts.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Order:
    """A work order with where it is and who has it; personal texts in the clear. Units: ms since 1970."""

    id: int
    site_id: int
    site: str
    zone: str
    building_id: int | None
    building: str | None
    unit_id: int | None
    unit: str | None
    device_id: int | None
    device: str | None
    equipment_id: int | None
    equipment: str | None
    alarm_id: int | None
    person_id: int | None
    source: str
    condition: str | None
    title: str
    place: str
    detail: str | None
    contact_name: str | None
    contact_phone: str | None
    created_at: int
    created_by: str
    fault_key: str | None
    lead: str | None
    facts: Facts

    @property
    def number(self) -> str:
        """Give the number that people say, such as W-2611-0421; its last part alone finds it too."""
        made = datetime.fromtimestamp(self.created_at / 1000, UTC).astimezone(ZoneInfo(self.zone))
        return f"W-{made:%y%m}-{self.id:04d}"

    @property
    def where(self) -> str:
        """Name the place from the large to the small."""
        parts = [self.building or self.site, self.unit, self.place, self.equipment or self.device]
        return " · ".join(part for part in parts if part)


class Entry(NamedTuple):
    """One event as people read it; ``who`` is a name, or the login where there is no account."""

    id: int
    kind: str
    at: int
    login: str
    who: str
    body: Mapping[str, Any]
    note: str | None


class Technician(NamedTuple):
    """Somebody who repairs, with how many unfinished orders."""

    id: int
    name: str
    load: int


class Place(NamedTuple):
    """A building, or with no building a whole site, where a fault may be."""

    site_id: int
    site: str
    building_id: int | None
    building: str | None

    @property
    def key(self) -> str:
        return f"s{self.site_id}" if self.building_id is None else f"b{self.building_id}"


async def site_zone(connection: AsyncConnection, site_id: int) -> ZoneInfo:
    found = await connection.scalar(select(site.c.zone).where(site.c.id == site_id))
    return ZoneInfo(str(found))


def orders() -> Select[Any]:
    """Select orders with the names that stand beside them."""
    return (
        select(work_order)
        .add_columns(
            site.c.name.label("site"),
            site.c.zone.label("zone"),
            building.c.name.label("building"),
            unit.c.code.label("unit"),
            device.c.name.label("device"),
            equipment.c.name.label("equipment"),
            account.c.name.label("lead"),
        )
        .join(site, site.c.id == _o.site_id)
        .outerjoin(building, building.c.id == _o.building_id)
        .outerjoin(unit, unit.c.id == _o.unit_id)
        .outerjoin(device, device.c.id == _o.device_id)
        .outerjoin(equipment, equipment.c.id == _o.equipment_id)
        .outerjoin(account, account.c.id == _o.lead_id)
    )


def order_of(row: Any) -> Order:
    """Make an order of a selected row."""
    facts = Facts(**{name: getattr(row, name) for name in _FACTS if name != "state"}, state=State(row.state))
    names = [name for name in Order.__dataclass_fields__ if name != "facts"]
    return Order(**{name: getattr(row, name) for name in names}, facts=facts)


async def find(connection: AsyncConnection, *where: Any) -> Order | None:
    row = (await connection.execute(orders().where(*where))).one_or_none()
    return None if row is None else order_of(row)


async def add(connection: AsyncConnection, facts: Facts, **values: Any) -> int:
    """Write a new order; its first event follows."""
    given = values | asdict(facts) | {"open_key": values.get("fault_key")}
    key = (await connection.execute(insert(work_order).values(**given))).inserted_primary_key
    return int(key[0]) if key else 0


async def add_event(
    connection: AsyncConnection, order_id: int, actor: Actor, event: Event, note: str | None = None
) -> None:
    await connection.execute(
        insert(work_order_event).values(
            order_id=order_id,
            kind=str(event.kind),
            at=event.at,
            account_id=actor.account_id,
            login=actor.login,
            body=json.dumps(dict(event.body), ensure_ascii=False, sort_keys=True),
            note=note,
        )
    )


async def advance(
    connection: AsyncConnection, order: Order, actor: Actor, event: Event, note: str | None = None
) -> Facts | None:
    """Let an event happen to an order that nobody else has changed meanwhile; None where somebody has."""
    after = apply(order.facts, event)
    values: dict[str, Any] = asdict(after)
    if after.state in ENDS:
        values["open_key"] = None
    elif event.kind == Step.REOPEN and order.fault_key is not None:
        is_held = select(_o.id).where(_o.open_key == order.fault_key)
        if await connection.scalar(is_held) is None:
            values["open_key"] = order.fault_key
    where: tuple[Any, ...] = (_o.id == order.id, _o.version == order.facts.version)
    if order.facts.rating is None and after.rating is not None:
        where += (_o.rating.is_(None),)
    done = await connection.execute(update(work_order).where(*where).values(**values))
    if done.rowcount != 1:
        return None
    await add_event(connection, order.id, actor, event, note)
    return after


async def events(connection: AsyncConnection, order_id: int) -> list[Entry]:
    """Give everything that happened, oldest first."""
    query = (
        select(_e.id, _e.kind, _e.at, _e.login, account.c.name, _e.body, _e.note)
        .outerjoin(account, account.c.id == _e.account_id)
        .where(_e.order_id == order_id)
        .order_by(_e.id)
    )
    return [
        Entry(row.id, row.kind, row.at, row.login, row.name or row.login, json.loads(row.body), row.note)
        for row in await connection.execute(query)
    ]


async def last_of_kind(connection: AsyncConnection, order_id: int, kind: str) -> int | None:
    query = select(func.max(_e.at)).where(_e.order_id == order_id, _e.kind == kind)
    found: int | None = await connection.scalar(query)
    return found


async def count(connection: AsyncConnection, *where: Any) -> int:
    found = await connection.scalar(select(func.count()).select_from(work_order).where(*where))
    return int(found or 0)


async def listed(
    connection: AsyncConnection, where: Sequence[Any], order_by: Sequence[Any], limit: int, offset: int = 0
) -> list[Order]:
    query = orders().where(*where).order_by(*order_by).limit(limit).offset(offset)
    return [order_of(row) for row in await connection.execute(query)]


async def technicians(connection: AsyncConnection, site_id: int | None) -> list[Technician]:
    """Give who repairs at a site, the least busy first."""
    load = (
        select(func.count())
        .where(_o.lead_id == account.c.id, _o.state.in_([each.value for each in HELD]))
        .scalar_subquery()
    )
    query = select(account.c.id, account.c.name, load.label("load")).where(is_technician(site_id))
    return [Technician(*row) for row in await connection.execute(query.order_by(load, account.c.name))]


def is_technician(site_id: int | None) -> Any:
    """Give the condition for accounts that may be given orders of a site."""
    works = and_(account.c.role == Role.TECHNICIAN.value, account.c.is_disabled.is_(False))
    if site_id is None:
        return works
    return and_(works, account.c.site_id.is_(None) | (account.c.site_id == site_id))


async def places(connection: AsyncConnection, actor: Actor) -> list[Place]:
    """Give the sites and buildings an actor sees."""
    sites = select(site.c.id, site.c.name).where(actor.sees_site(site.c.id)).order_by(site.c.code)
    found = [Place(row.id, row.name, None, None) for row in await connection.execute(sites)]
    query = (
        select(site.c.id, site.c.name, building.c.id, building.c.name)
        .join(building, building.c.site_id == site.c.id)
        .where(actor.sees_site(site.c.id))
        .order_by(site.c.code, building.c.code)
    )
    return [Place(*row) for row in await connection.execute(query)] + found


async def unit_in(connection: AsyncConnection, building_id: int, code: str) -> int | None:
    found: int | None = await connection.scalar(
        select(unit.c.id).where(unit.c.building_id == building_id, func.lower(unit.c.code) == code.strip().lower())
    )
    return found


async def alarm_of(
    connection: AsyncConnection, gateway_id: int, subject: str, condition: str, raised_at: int
) -> int | None:
    """Find the alarm that an event raised."""
    query = select(alarm.c.id).where(
        alarm.c.gateway_id == gateway_id,
        alarm.c.subject == subject[:128],
        alarm.c.condition == condition[:64],
        alarm.c.raised_at == raised_at,
    )
    found: int | None = await connection.scalar(query.order_by(alarm.c.id.desc()).limit(1))
    return found


async def has_order_of_alarm(connection: AsyncConnection, alarm_id: int) -> bool:
    is_first = exists().where(_o.alarm_id == alarm_id)
    return bool(await connection.scalar(select(is_first)))


async def device_of(connection: AsyncConnection, gateway_id: int, code: str) -> int | None:
    query = select(device.c.id).where(device.c.gateway_id == gateway_id, device.c.code == code)
    found: int | None = await connection.scalar(query)
    return found


async def copy_photos(connection: AsyncConnection, photo_ids: Sequence[int], order_id: int) -> None:
    """Let an order have photos that belong to something else, which keeps its own."""
    if not photo_ids:
        return
    query = select(photo).where(photo.c.id.in_(photo_ids)).order_by(photo.c.id)
    for row in (await connection.execute(query)).mappings().all():
        values = {name: value for name, value in row.items() if name != "id"}
        values |= {"ref": secrets.token_hex(16), "kind": "order", "kind_id": order_id}
        await connection.execute(insert(photo).values(**values))
