"""Everything in the records as rows of the workbook."""

from typing import Any

from sqlalchemy import Select, and_, or_, select

from central_server import audit
from central_server.db import Database
from central_server.rbac import Actor
from central_server.records.importing import ALWAYS
from central_server.records.store import seen_people
from central_server.schema import building, equipment, ownership, person, site, tenancy, unit, vehicle

_PAGE = 1_000


async def rows(db: Database, actor: Actor, reason: str) -> dict[str, list[tuple[Any, ...]]]:
    """Give what the actor sees, personal data in the clear; the audit keeps who asked and why."""
    async with db.write() as connection:
        await audit.note(connection, actor, "records.export", "records:all", reason=reason)
    found: dict[str, list[tuple[Any, ...]]] = {}
    async with db.read() as connection:
        for name, query in _queries(actor).items():
            found[name] = []
            result = await connection.stream(query)
            async for part in result.partitions(_PAGE):
                found[name] += [tuple(row) for row in part]
    found["unit"] = [(*row[:5], None if row[5] == ALWAYS else row[5]) for row in found["unit"]]
    return found


def _queries(actor: Actor) -> dict[str, Select[Any]]:
    seen = actor.sees_site(site.c.id)
    place = (site.c.code, building.c.code, unit.c.code)
    of_unit = unit.join(building).join(site)
    owned = unit.join(building).join(site)
    owned = owned.outerjoin(ownership, and_(ownership.c.unit_id == unit.c.id, ownership.c.to_on.is_(None)))
    owned = owned.outerjoin(person, person.c.id == ownership.c.owner_id)
    lived = tenancy.join(of_unit, tenancy.c.unit_id == unit.c.id).join(person, person.c.id == tenancy.c.person_id)
    driven = vehicle.join(person, person.c.id == vehicle.c.person_id).outerjoin(of_unit, vehicle.c.unit_id == unit.c.id)
    ledger = equipment.join(site, site.c.id == equipment.c.site_id)
    ledger = ledger.outerjoin(building, building.c.id == equipment.c.building_id)
    thing = (equipment.c.code, equipment.c.name, equipment.c.kind, building.c.code, equipment.c.place)
    return {
        "building": select(site.c.code, building.c.code, building.c.name)
        .select_from(building.join(site))
        .where(seen)
        .order_by(site.c.code, building.c.code),
        "owner": select(person.c.code, person.c.name, person.c.phone, person.c.id_number)
        .where(seen_people(actor))
        .order_by(person.c.id),
        "unit": select(*place, unit.c.area_m2, person.c.code, ownership.c.from_on)
        .select_from(owned)
        .where(seen)
        .order_by(site.c.code, building.c.code, unit.c.code),
        "tenancy": select(*place, person.c.code, tenancy.c.kind, tenancy.c.from_on, tenancy.c.to_on)
        .select_from(lived)
        .where(seen)
        .order_by(tenancy.c.id),
        "vehicle": select(vehicle.c.plate, person.c.code, vehicle.c.kind, *place)
        .select_from(driven)
        .where(vehicle.c.removed_at.is_(None), seen_people(actor), or_(unit.c.id.is_(None), seen))
        .order_by(vehicle.c.id),
        "equipment": select(site.c.code, *thing, equipment.c.installed_on)
        .select_from(ledger)
        .where(seen)
        .order_by(site.c.code, equipment.c.code),
    }
