"""Records for the other slices: who and what there is, where it stands, and the import from a file."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from central_server import audit
from central_server.clock import now_ms
from central_server.db import Database
from central_server.rbac import Actor, system
from central_server.records import store
from central_server.records.importing import bring
from central_server.records.residency import Resident, UnitRow, people_of_unit, units_of
from central_server.records.source import Source
from central_server.records.store import BuildingRow, MeterPlace, SiteRow
from protocols.toml import SettingsError

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


@dataclass(frozen=True, slots=True)
class ImportResult:
    """How many rows of each table were added, changed or the same."""

    tables: Mapping[str, Mapping[str, int]]
    is_dry_run: bool


async def import_records(
    db: Database,
    file: Source,
    tariffs: Collection[str],
    *,
    is_dry_run: bool = False,
    actor: Actor | None = None,
) -> ImportResult:
    """Bring a checked file into the database, all of it or none.

    Raises: SettingsError with every row that names something unknown.
    """
    actor = actor or system("command line")
    async with db.read() if is_dry_run else db.write() as connection:
        outcome = await bring(connection, actor, file.records, tariffs, is_dry_run=is_dry_run, broken=file.broken)
        if file.faults or outcome.refusals:
            raise SettingsError([*file.faults, *(file.place(each) for each in outcome.refusals)])
        if not is_dry_run:
            await audit.note(connection, actor, "records.import", "records:file", tables=outcome.tables)
    return ImportResult(outcome.tables, is_dry_run)


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
