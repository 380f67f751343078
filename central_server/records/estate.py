"""Use cases for what stands still: sites, buildings, units and the ledger of equipment."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from central_server import audit
from central_server.clock import now_ms
from central_server.db import Database
from central_server.errors import NotFound
from central_server.form import Invalid, Problem
from central_server.rbac import Actor
from central_server.records import find, store
from central_server.records.entry import BuildingForm, EquipmentForm, SiteForm, UnitForm
from central_server.records.find import EquipmentRow
from central_server.records.residency import UnitRow
from central_server.records.store import BuildingRow, SiteRow
from central_server.schema import building, site

_TAKEN = Problem("This code is taken; each may stand once.")
_CHOOSE = Problem("Choose one of the list.")


async def sites(connection: AsyncConnection, actor: Actor) -> list[SiteRow]:
    """Give the sites that the actor sees."""
    return await store.sites(connection, actor.sees_site(site.c.id))


async def buildings(connection: AsyncConnection, actor: Actor) -> list[BuildingRow]:
    """Give the buildings of those sites."""
    return await store.buildings(connection, actor.sees_site(building.c.site_id))


async def get_site(connection: AsyncConnection, actor: Actor, site_id: int) -> SiteRow:
    """Give one site. Raises: NotFound."""
    return _only(await store.sites(connection, site.c.id == site_id, actor.sees_site(site.c.id)))


async def get_building(connection: AsyncConnection, actor: Actor, building_id: int) -> BuildingRow:
    """Give one building. Raises: NotFound."""
    seen = actor.sees_site(building.c.site_id)
    rows = await store.buildings(connection, building.c.id == building_id, seen)
    if not rows:
        raise _absent()
    return rows[0]


async def get_unit(connection: AsyncConnection, actor: Actor, unit_id: int) -> UnitRow:
    """Give one unit. Raises: NotFound."""
    found = await find.one_unit(connection, actor, unit_id)
    if found is None:
        raise _absent()
    return found


async def get_equipment(connection: AsyncConnection, actor: Actor, equipment_id: int) -> EquipmentRow:
    """Give one thing of the ledger. Raises: NotFound."""
    _, rows = await find.equipments(connection, actor, equipment_id=equipment_id)
    if not rows:
        raise _absent()
    return rows[0]


def _only(rows: Sequence[SiteRow]) -> SiteRow:
    if not rows:
        raise _absent()
    return rows[0]


def _absent() -> NotFound:
    return NotFound("not_found", "There is nothing at this address.")


async def save_site(db: Database, actor: Actor, site_id: int | None, form: SiteForm) -> int:
    """Add a site or change one. Raises: Invalid, NotFound for another's site and to whom only one is open."""
    async with db.write() as connection:
        if site_id is not None:
            await get_site(connection, actor, site_id)
        elif actor.site_id is not None:
            raise _absent()
        if await store.is_taken(connection, "site", site_id, code=form.code):
            raise Invalid({"code": _TAKEN})
        return await _save(
            connection, actor, "site", site_id, {"code": form.code, "name": form.name, "zone": form.zone}
        )


async def save_building(db: Database, actor: Actor, building_id: int | None, form: BuildingForm) -> int:
    """Add a building or change one; it stays at its site. Raises: Invalid, NotFound."""
    async with db.write() as connection:
        if building_id is None:
            site_id = await _site(connection, actor, form.site)
        else:
            site_id = (await get_building(connection, actor, building_id)).site_id
        if await store.is_taken(connection, "building", building_id, site_id=site_id, code=form.code):
            raise Invalid({"code": _TAKEN})
        values = {"site_id": site_id, "code": form.code, "name": form.name}
        return await _save(connection, actor, "building", building_id, values)


async def save_unit(db: Database, actor: Actor, unit_id: int | None, form: UnitForm) -> int:
    """Add a unit or change one; it stays in its building. Raises: Invalid, NotFound."""
    async with db.write() as connection:
        if unit_id is None:
            places = {each.id for each in await buildings(connection, actor)}
            if form.building not in places:
                raise Invalid({"building": _CHOOSE})
            building_id = form.building
        else:
            building_id = (await get_unit(connection, actor, unit_id)).building_id
        if await store.is_taken(connection, "unit", unit_id, building_id=building_id, code=form.code):
            raise Invalid({"code": _TAKEN})
        area = None if form.area_m2 is None else format(form.area_m2, "f")
        values = {"building_id": building_id, "code": form.code, "area_m2": area}
        return await _save(connection, actor, "unit", unit_id, values)


async def save_equipment(db: Database, actor: Actor, equipment_id: int | None, form: EquipmentForm) -> int:
    """Add a thing to the ledger or change one; it stays at its site. Raises: Invalid, NotFound."""
    async with db.write() as connection:
        if equipment_id is None:
            site_id = await _site(connection, actor, form.site)
        else:
            site_id = (await get_equipment(connection, actor, equipment_id)).site_id
        places = {each.id for each in await buildings(connection, actor) if each.site_id == site_id}
        if form.building is not None and form.building not in places:
            raise Invalid({"building": Problem("This building stands at another site.")})
        if await store.is_taken(connection, "equipment", equipment_id, site_id=site_id, code=form.code):
            raise Invalid({"code": _TAKEN})
        values: dict[str, Any] = {
            "site_id": site_id,
            "building_id": form.building,
            "code": form.code,
            "name": form.name,
            "kind": form.kind,
            "place": form.place,
            "installed_on": None if form.installed_on is None else form.installed_on.isoformat(),
            "is_retired": form.is_retired,
        }
        if equipment_id is None:
            values["created_at"] = now_ms()
        return await _save(connection, actor, "equipment", equipment_id, values)


async def _site(connection: AsyncConnection, actor: Actor, site_id: int | None) -> int:
    """Find the site that was chosen; where there is only one nobody has to choose."""
    known = [each.id for each in await sites(connection, actor)]
    if site_id is None and len(known) == 1:
        return known[0]
    if site_id not in known or site_id is None:
        raise Invalid({"site": _CHOOSE})
    return site_id


async def _save(connection: AsyncConnection, actor: Actor, name: str, key: int | None, values: dict[str, Any]) -> int:
    verb = "add" if key is None else "edit"
    if key is None:
        key = await store.add(connection, name, **values)
    else:
        await store.change(connection, name, key, **values)
    await audit.note(connection, actor, f"records.{verb}", f"{name}:{key}", **values)
    return key
