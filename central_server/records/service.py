"""Records: import from a file, idempotent by key, with a dry run; and what pages show of them."""

import difflib
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.clock import now_ms
from central_server.crypto import blind
from central_server.db import Database
from central_server.records import store
from central_server.records.model import Installation, MeteringPoint, RecordsFile, Unit
from central_server.records.residency import Resident, UnitRow, people_of_unit, units_of
from central_server.records.store import BuildingRow, MeterPlace, SiteRow
from protocols.quantity import to_scaled
from protocols.toml import Fault, SettingsError

__all__ = [
    "ImportResult",
    "Resident",
    "UnitRow",
    "import_records",
    "list_buildings",
    "list_sites",
    "meter_places",
    "people_of_unit",
    "units_of",
]

_ALWAYS = "1970-01-01"  # an ownership whose beginning nobody wrote down


@dataclass(frozen=True, slots=True)
class ImportResult:
    """How many rows of each table were added, changed or the same."""

    tables: Mapping[str, Mapping[str, int]]
    is_dry_run: bool


class _DryRun(Exception):
    """Leaves the transaction without a trace."""


@dataclass
class _Import:
    """One import: ids by key as they become known, and what happened."""

    connection: AsyncConnection
    file: RecordsFile
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    # None stands for a row that has a fault of its own: what hangs on it is not told as another.
    ids: dict[str, dict[tuple[Any, ...], int | None]] = field(default_factory=dict)

    async def put(self, table: str, key: Mapping[str, Any], values: Mapping[str, Any]) -> int:
        found, what = await store.upsert(self.connection, store.TABLES[table], key, values)
        self.count(table, what)
        return found

    def count(self, table: str, what: str) -> None:
        self.counts.setdefault(table, Counter())[what] += 1

    async def find(self, table: str, index: int, key: str, parent: str, wanted: tuple[Any, ...]) -> int | None:
        """Find a parent row of this file or of the database; note a fault where there is none."""
        known = self.ids.setdefault(parent, {})
        if wanted in known:
            return known[wanted]
        near = difflib.get_close_matches(str(wanted[-1]), [str(name[-1]) for name in known], n=1)
        remedy = (
            f"Did you mean '{near[0]}'?" if near else f"Write a [[{parent}]] for it in this file or import it first."
        )
        self.faults.append(self.file.fault(table, index, key, f"there is no {parent} '{wanted[-1]}'", remedy))
        return None


async def import_records(
    db: Database, file: RecordsFile, tariffs: Collection[str], *, is_dry_run: bool = False
) -> ImportResult:
    """Bring a checked file into the database, all of it or none.

    Raises: SettingsError with every row that names something unknown.
    """
    work: _Import | None = None
    try:
        async with db.write() as connection:
            work = _Import(connection, file)
            await _load_known(work)
            await _import_all(work, tariffs)
            if work.faults:
                raise SettingsError(work.faults)
            if is_dry_run:
                raise _DryRun
    except _DryRun:
        pass
    return ImportResult({table: dict(counts) for table, counts in work.counts.items()} if work else {}, is_dry_run)


async def _load_known(work: _Import) -> None:
    """Know what the database has, so that a file may build on what was imported before."""
    tables = store.TABLES
    fetch = work.connection.execute
    sites = {row.id: row.code for row in await fetch(tables["site"].select())}
    work.ids["site"] = {(code,): key for key, code in sites.items()}
    buildings = {row.id: (sites[row.site_id], row.code) for row in await fetch(tables["building"].select())}
    work.ids["building"] = {key: found for found, key in buildings.items()}
    units = {row.id: (*buildings[row.building_id], row.code) for row in await fetch(tables["unit"].select())}
    work.ids["unit"] = {key: found for found, key in units.items()}
    for name in ("owner", "metering_point"):
        work.ids[name] = {(row.code,): row.id for row in await fetch(tables[name].select())}


async def _import_all(work: _Import, tariffs: Collection[str]) -> None:
    records = work.file.records
    for site in records.site:
        values = {"name": site.name, "zone": site.zone}
        work.ids["site"][(site.code,)] = await work.put("site", {"code": site.code}, values)
    for index, building in enumerate(records.building):
        parent = await work.find("building", index, "site", "site", (building.site,))
        key = building.site, building.code
        work.ids["building"][key] = None
        if parent is not None:
            row = {"site_id": parent, "code": building.code}
            work.ids["building"][key] = await work.put("building", row, {"name": building.name})
    for owner in records.owner:
        name = {"name": owner.name, "name_index": blind(work.connection, owner.name, "name")}
        work.ids["owner"][(owner.code,)] = await work.put("owner", {"code": owner.code}, name)
    for index, unit in enumerate(records.unit):
        await _import_unit(work, index, unit)
    for index, point in enumerate(records.metering_point):
        await _import_metering_point(work, index, point, tariffs)
    for index, installation in enumerate(records.installation):
        await _import_installation(work, index, installation)
    for index, installation in enumerate(records.installation):
        await _refuse_overlap(work, index, installation)


async def _import_unit(work: _Import, index: int, unit: Unit) -> None:
    parent = await work.find("unit", index, "building", "building", (unit.site, unit.building))
    work.ids["unit"][unit.site, unit.building, unit.code] = None
    if parent is None:
        return
    area = None if unit.area_m2 is None else format(unit.area_m2, "f")
    key = await work.put("unit", {"building_id": parent, "code": unit.code}, {"area_m2": area})
    work.ids["unit"][unit.site, unit.building, unit.code] = key
    if unit.owner is None:
        return
    owner = await work.find("unit", index, "owner", "owner", (unit.owner,))
    if owner is not None:
        await _import_ownership(work, index, unit, key, owner)


async def _import_ownership(work: _Import, index: int, unit: Unit, unit_id: int, owner_id: int) -> None:
    """Note who owns a unit; the one before ends on the day the new one begins, so that no day has two."""
    since = _ALWAYS if unit.owned_from is None else unit.owned_from.isoformat()
    known = await store.ownerships(work.connection, unit_id)
    standing = next((row for row in known if row.to_on is None), None)
    is_known = any((row.owner_id, row.from_on) == (owner_id, since) for row in known)
    if is_known or (standing and standing.owner_id == owner_id and unit.owned_from is None):
        work.count("ownership", "same")
    elif standing is None or standing.owner_id == owner_id:
        key = {"unit_id": unit_id, "owner_id": owner_id, "from_on": standing.from_on if standing else since}
        await work.put("ownership", key, {"to_on": None} if standing is None else {"from_on": since})
    elif since <= standing.from_on:
        remedy = "Write the day on which the new owner took over as owned_from."
        work.faults.append(work.file.fault("unit", index, "owner", "the unit has another owner", remedy))
    else:
        before = {"unit_id": unit_id, "owner_id": standing.owner_id, "from_on": standing.from_on}
        await work.put("ownership", before, {"to_on": since})
        await work.put("ownership", {"unit_id": unit_id, "owner_id": owner_id, "from_on": since}, {"to_on": None})


async def _import_metering_point(work: _Import, index: int, point: MeteringPoint, tariffs: Collection[str]) -> None:
    work.ids["metering_point"][(point.code,)] = None
    if point.tariff not in tariffs:
        near = difflib.get_close_matches(point.tariff, tariffs, n=1)
        remedy = f"Did you mean '{near[0]}'?" if near else f"There are: {', '.join(sorted(tariffs))}."
        work.faults.append(
            work.file.fault("metering_point", index, "tariff", f"there is no tariff '{point.tariff}'", remedy)
        )
        return
    unit = await work.find("metering_point", index, "unit", "unit", (point.site, point.building, point.unit))
    if unit is not None:
        values = {"unit_id": unit, "kind": point.kind, "tariff": point.tariff}
        work.ids["metering_point"][(point.code,)] = await work.put("metering_point", {"code": point.code}, values)


async def _import_installation(work: _Import, index: int, installation: Installation) -> None:
    parent = await work.find("installation", index, "metering_point", "metering_point", (installation.metering_point,))
    if parent is None:
        return
    if installation.to is not None and installation.to <= installation.from_:
        work.faults.append(work.file.fault("installation", index, "to", "it ends before it begins", "Correct 'to'."))
        return
    mantissa, exponent = (None, None) if installation.initial is None else to_scaled(Decimal(installation.initial))
    values = {
        "edge_id": installation.gateway,
        "device_code": installation.device,
        "point": installation.point,
        "multiplier": format(installation.multiplier, "f"),
        "to_at": None if installation.to is None else _ms(installation.to),
        "initial_mantissa": mantissa,
        "initial_exponent": exponent,
    }
    await work.put("installation", {"metering_point_id": parent, "from_at": _ms(installation.from_)}, values)


async def _refuse_overlap(work: _Import, index: int, installation: Installation) -> None:
    """Refuse what would bill one consumption twice; looked at last, when every row of the file is in."""
    parent = work.ids["metering_point"].get((installation.metering_point,))
    if parent is None:
        return
    other = await store.overlapping(work.connection, parent, _ms(installation.from_))
    if other is not None:
        message = f"the meter or the metering point is taken at that time, by an installation on '{other}'"
        remedy = "End the earlier one with 'to' where the later one begins."
        work.faults.append(work.file.fault("installation", index, "from", message, remedy))


def _ms(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)


async def list_sites(db: Database) -> list[SiteRow]:
    async with db.read() as connection:
        return await store.sites(connection)


async def list_buildings(db: Database) -> list[BuildingRow]:
    """Give all buildings with their number of units."""
    async with db.read() as connection:
        return await store.buildings(connection)


async def meter_places(db: Database) -> dict[tuple[str, str], MeterPlace]:
    """Give where each meter stands now, by (gateway, device code)."""
    async with db.read() as connection:
        return {(place.edge_id, place.device_code): place for place in await store.meter_places(connection, now_ms())}
