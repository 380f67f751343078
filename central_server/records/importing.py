"""An import of records: all rows or none, twice changes nothing, with a dry run that only reads."""

from collections.abc import Collection
from datetime import date

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.crypto import blind
from central_server.form import Problem
from central_server.rbac import Actor
from central_server.records import metering, store
from central_server.records.model import Equipment, Records, Tenancy, Unit, Vehicle
from central_server.records.personal import last_four
from central_server.records.shelf import Key
from central_server.records.work import Outcome, Work, given, paced
from central_server.schema import ownership, tenancy

ALWAYS = "1970-01-01"  # an ownership whose beginning nobody wrote down


async def bring(
    connection: AsyncConnection,
    actor: Actor,
    records: Records,
    tariffs: Collection[str],
    *,
    is_dry_run: bool,
    broken: Collection[tuple[str, Key]] = (),
) -> Outcome:
    """Bring checked rows into the database; a dry run only reads.

    Shape: ``broken`` are rows that could not be read, by their parents' codes; what hangs on them is not told.
    Where the outcome has refusals, the caller must leave the transaction undone.
    """
    work = Work(connection, actor, records, tariffs, is_dry_run, broken=set(broken))
    await _places(work)
    await _people(work)
    await _units(work)
    async for index, unit in paced(records.unit):
        _ownership(work, index, unit)
    async for index, row in paced(records.tenancy):
        _tenancy(work, index, row)
    async for index, vehicle in paced(records.vehicle):
        _vehicle(work, index, vehicle)
    async for index, equipment in paced(records.equipment):
        _equipment(work, index, equipment)
    await metering.bring(work)
    if not work.refusals:
        for name in ("ownership", "tenancy", "vehicle", "equipment", "installation"):
            if name in work.shelves:
                await work.shelves[name].flush(connection)
    return Outcome(
        {name: dict(counts) for name, counts in work.counts.items()}, work.changes, work.refusals, work.refused
    )


async def _places(work: Work) -> None:
    sites = await work.shelf("site", work.actor.sees_site(store.TABLES["site"].c.id))
    async for index, site in paced(work.records.site):
        if work.actor.site_id is not None and (site.code,) not in sites.rows:
            work.broken.add(("site", (site.code,)))
            work.refuse("site", index, "code", Problem("your account is for one site and cannot add another"))
        else:
            work.put("site", (site.code,), {"name": site.name, "zone": site.zone}, site.code)
    await sites.flush(work.connection)
    work.ids["site"] = {key: row["id"] for key, row in sites.rows.items()}
    codes = {row["id"]: row["code"] for row in sites.rows.values()}
    buildings = await work.shelf("building", store.TABLES["building"].c.site_id.in_(codes))
    async for index, building in paced(work.records.building):
        parent = work.find("building", index, "site", "site", (building.site,))
        if parent is None:
            work.broken.add(("building", (building.site, building.code)))
        else:
            work.put("building", (parent, building.code), {"name": building.name}, building.code)
    await buildings.flush(work.connection)
    work.ids["building"] = {(codes[site_id], code): row["id"] for (site_id, code), row in buildings.rows.items()}


async def _people(work: Work) -> None:
    people = await work.shelf("owner")
    foreign = await store.people_elsewhere(work.connection, work.actor)
    async for index, owner in paced(work.records.owner):
        if (row := people.rows.get((owner.code,))) and row["id"] in foreign:
            work.broken.add(("owner", (owner.code,)))
            work.refuse("owner", index, "code", Problem("the number '{code}' is taken", {"code": owner.code}))
            continue
        values = given(**person_values(work.connection, owner.name, owner.phone, owner.id_number))
        work.put("owner", (owner.code,), values, owner.code, created_at=work.now)
    await people.flush(work.connection)
    work.ids["owner"] = {key: row["id"] for key, row in people.rows.items() if row["id"] not in foreign}


def person_values(
    connection: AsyncConnection, name: str, phone: str | None, id_number: str | None
) -> dict[str, str | None]:
    """Give a person's columns with those by which the sealed ones are found."""
    return {
        "name": name,
        "name_index": blind(connection, name, "name"),
        "phone": phone,
        "phone_index": phone and blind(connection, phone, "phone"),
        "phone4_index": phone and blind(connection, last_four(phone), "phone4"),
        "id_number": id_number,
    }


async def _units(work: Work) -> None:
    places = {found: key for key, found in work.ids["building"].items()}
    units = await work.shelf("unit", store.TABLES["unit"].c.building_id.in_(places))
    async for index, unit in paced(work.records.unit):
        parent = work.find("unit", index, "building", "building", (unit.site, unit.building))
        if parent is None:
            work.broken.add(("unit", (unit.site, unit.building, unit.code)))
        else:
            area = None if unit.area_m2 is None else format(unit.area_m2, "f")
            work.put("unit", (parent, unit.code), given(area_m2=area), unit.code)
    await units.flush(work.connection)
    work.ids["unit"] = {(*places[parent], code): row["id"] for (parent, code), row in units.rows.items()}
    mine = select(store.TABLES["unit"].c.id).where(store.TABLES["unit"].c.building_id.in_(places))
    if work.records.unit:
        await work.shelf("ownership", ownership.c.unit_id.in_(mine))
    if work.records.tenancy:
        await work.shelf("tenancy", tenancy.c.unit_id.in_(mine))
    if work.records.vehicle:
        await work.shelf("vehicle", store.TABLES["vehicle"].c.removed_at.is_(None))
    if work.records.equipment:
        await work.shelf("equipment", store.TABLES["equipment"].c.site_id.in_(work.ids["site"].values()))
    for name in ("ownership", "tenancy"):
        for row in (work.shelves[name].rows if name in work.shelves else {}).values():
            work.by_unit.setdefault((name, row["unit_id"]), []).append(row)


def _ownership(work: Work, index: int, unit: Unit) -> None:
    """Note who owns a unit; the one before ends on the day the new one begins, so that no day has two."""
    unit_id = work.ids["unit"].get((unit.site, unit.building, unit.code))
    if unit_id is None or unit.owner is None:
        return
    owner_id = work.find("unit", index, "owner", "owner", (unit.owner,))
    if owner_id is None:
        return
    since = ALWAYS if unit.owned_from is None else unit.owned_from.isoformat()
    shelf = work.shelves["ownership"]
    known = work.by_unit.setdefault(("ownership", unit_id), [])
    standing = next((row for row in known if row["to_on"] is None), None)
    is_known = any((row["owner_id"], row["from_on"]) == (owner_id, since) for row in known)
    if is_known or (standing and standing["owner_id"] == owner_id and unit.owned_from is None):
        work.count("ownership", "same")
    elif standing is None:
        work.put("ownership", (unit_id, owner_id, since), {}, unit.code)
        known.append(shelf.rows[unit_id, owner_id, since])
    elif standing["owner_id"] == owner_id:
        shelf.move((unit_id, owner_id, standing["from_on"]), (unit_id, owner_id, since))
        work.count("ownership", "changed")
    elif since <= standing["from_on"]:
        remedy = Problem("Write the day on which the new owner took over as owned_from.")
        work.refuse("unit", index, "owner", Problem("the unit has another owner"), remedy)
    else:
        work.put("ownership", (unit_id, standing["owner_id"], standing["from_on"]), {"to_on": since}, unit.code)
        work.put("ownership", (unit_id, owner_id, since), {}, unit.code)
        known.append(shelf.rows[unit_id, owner_id, since])


def _tenancy(work: Work, index: int, row: Tenancy) -> None:
    unit_id = work.find("tenancy", index, "unit", "unit", (row.site, row.building, row.unit))
    person_id = work.find("tenancy", index, "person", "owner", (row.person,))
    if unit_id is None or person_id is None:
        return
    if row.to_on is not None and row.to_on < row.from_on:
        work.refuse("tenancy", index, "to_on", Problem("it ends before it begins"))
        return
    since, until = row.from_on.isoformat(), _iso(row.to_on)
    known = work.by_unit.setdefault(("tenancy", unit_id), [])
    if any(
        other["person_id"] == person_id
        and other["from_on"] != since
        and overlap(since, until, other["from_on"], other["to_on"])
        for other in known
    ):
        work.refuse("tenancy", index, "from_on", Problem("this person lives in the unit at that time already"))
        return
    key = (unit_id, person_id, since)
    is_new = key not in work.shelves["tenancy"].rows
    work.put("tenancy", key, given(kind=row.kind, to_on=until), row.unit, created_at=work.now)
    if is_new:
        known.append(work.shelves["tenancy"].rows[key])


def overlap(from_a: str, to_a: str | None, from_b: str, to_b: str | None) -> bool:
    """Tell whether two spans of days share one; a last day is the first without."""
    if from_a == to_a or from_b == to_b:
        return False
    return (to_b is None or from_a < to_b) and (to_a is None or from_b < to_a)


def _vehicle(work: Work, index: int, vehicle: Vehicle) -> None:
    person_id = work.find("vehicle", index, "person", "owner", (vehicle.person,))
    unit_id = None
    if vehicle.unit is not None:
        unit_id = work.find("vehicle", index, "unit", "unit", (vehicle.site, vehicle.building, vehicle.unit))
        if unit_id is None:
            return
    if person_id is not None:
        key = (blind(work.connection, vehicle.plate, "plate"),)
        values = given(person_id=person_id, unit_id=unit_id, plate=vehicle.plate, kind=vehicle.kind)
        work.put("vehicle", key, values, "", created_at=work.now)


def _equipment(work: Work, index: int, row: Equipment) -> None:
    site_id = work.find("equipment", index, "site", "site", (row.site,))
    building_id = None
    if site_id is not None and row.building is not None:
        building_id = work.find("equipment", index, "building", "building", (row.site, row.building))
        if building_id is None:
            return
    if site_id is not None:
        values = given(name=row.name, kind=row.kind, building_id=building_id, installed_on=_iso(row.installed_on))
        new = {"is_retired": False, "created_at": work.now, "place": ""}
        work.put(
            "equipment", (site_id, row.code), values | ({"place": row.place} if row.place else {}), row.code, **new
        )


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
