"""Records: imported all or none, as often as one likes, with every fault on its line."""

from typing import Any

import pytest
from sqlalchemy import select

from central_server import schema
from central_server.db import Database
from central_server.records.model import read_records
from central_server.records.service import ImportResult, import_records, list_buildings, list_sites, meter_places
from protocols.toml import SettingsError

BASE = """
[[site]]
code = "park"
name = "公园里"

[[building]]
site = "park"
code = "1"
name = "1 号楼"

[[owner]]
code = "o-1"
name = "王芳"

[[unit]]
site = "park"
building = "1"
code = "1-101"
area_m2 = "97.41"
owner = "o-1"

[[metering_point]]
code = "1-101-E"
site = "park"
building = "1"
unit = "1-101"
kind = "electricity"
tariff = "flat"

[[installation]]
metering_point = "1-101-E"
gateway = "gw-1"
device = "em-1"
point = "energyImportTotal"
multiplier = "40"
from = 2026-10-01T00:00:00+08:00
initial = "20417.30"
"""


async def imported(db: Database, text: str, **more: Any) -> ImportResult:
    return await import_records(db, read_records(text, "records.toml"), ["flat", "tiered"], **more)


async def rows(db: Database, table: str) -> list[Any]:
    found = schema.metadata.tables[table]
    async with db.read() as connection:
        return list((await connection.execute(select(found))).all())


async def faults(db: Database, text: str) -> str:
    before = {name: await rows(db, name) for name in schema.metadata.tables}
    with pytest.raises(SettingsError) as caught:
        await imported(db, text)
    assert {name: await rows(db, name) for name in schema.metadata.tables} == before, "all or none"
    return str(caught.value)


async def test_a_file_is_imported_with_everything_in_it(db: Database) -> None:
    result = await imported(db, BASE)
    assert set(result.tables) == {"site", "building", "owner", "unit", "ownership", "metering_point", "installation"}
    assert all(counts == {"added": 1} for counts in result.tables.values())
    (unit,), (installed,) = await rows(db, "unit"), await rows(db, "installation")
    assert (unit.code, unit.area_m2) == ("1-101", "97.41")
    assert (installed.edge_id, installed.device_code, installed.multiplier) == ("gw-1", "em-1", "40")
    assert (installed.from_at, installed.to_at) == (1_790_784_000_000, None)
    assert (installed.initial_mantissa, installed.initial_exponent) == (2041730, -2)


async def test_importing_again_changes_nothing(db: Database) -> None:
    await imported(db, BASE)
    names = set(schema.metadata.tables) - {"audit"}
    before = {name: await rows(db, name) for name in names}
    result = await imported(db, BASE)
    assert all(counts == {"same": 1} for counts in result.tables.values())
    assert {name: await rows(db, name) for name in names} == before


async def test_a_changed_row_is_changed_and_stays_the_same_row(db: Database) -> None:
    await imported(db, BASE)
    result = await imported(db, BASE.replace("公园里", "公园里二期").replace('tariff = "flat"', 'tariff = "tiered"'))
    assert (result.tables["site"], result.tables["metering_point"]) == ({"changed": 1}, {"changed": 1})
    assert [row.name for row in await list_sites(db)] == ["湖畔", "公园里二期"]
    assert [row.tariff for row in await rows(db, "metering_point")] == ["tiered"]


async def test_a_dry_run_says_what_would_happen_and_writes_nothing(db: Database) -> None:
    result = await imported(db, BASE, is_dry_run=True)
    assert result.is_dry_run
    assert result.tables["unit"] == {"added": 1}
    assert [row.code for row in await list_sites(db)] == ["lake"]
    assert await rows(db, "unit") == []


async def test_a_file_may_build_on_an_earlier_one(db: Database) -> None:
    await imported(db, BASE)
    await imported(db, '[[unit]]\nsite = "park"\nbuilding = "1"\ncode = "1-102"\n')
    assert [(row.name, row.units) for row in await list_buildings(db)] == [("1 号楼", 2)]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('unit = "1-101"', 'unit = "1-110"', "records.toml:26: metering_point[1].unit: there is no unit '1-110'. Did you mean '1-101'?"),
        ('tariff = "flat"', 'tariff = "flatt"', "records.toml:28: metering_point[1].tariff: there is no tariff 'flatt'. Did you mean 'flat'?"),
        ('owner = "o-1"', 'owner = "nobody"', "unit[1].owner: there is no owner 'nobody'"),
        ('name = "公园里"', 'nmae = "x"', "records.toml:4: site[1].nmae: unknown key 'nmae'. Did you mean 'name'?"),
        ('multiplier = "40"', "multiplier = 0.1", 'write it in quotes: "0.1"'),
        ('multiplier = "40"', 'multiplier = "0"', "greater than 0"),
        ('initial = "20417.30"', 'initial = "-1"', "greater than or equal to 0"),
        ("from = 2026-10-01T00:00:00+08:00", "from = 2026-10-01T00:00:00", "written with its offset"),
        ("from = 2026-10-01T00:00:00+08:00", "from = 2026-10-01", "written with its offset"),
        ('gateway = "gw-1"', 'gateway = "GW 1"', "cannot name a gateway"),
        ('kind = "electricity"', 'kind = "steam"', "'electricity' or 'water'"),
        ('initial = "20417.30"', "to = 2026-09-01T00:00:00+08:00", "it ends before it begins"),
        ("[[installation]]", "[[instalation]]", "unknown key 'instalation'. Did you mean 'installation'?"),
    ],
    ids=range(13),
)  # fmt: skip
async def test_a_fault_has_its_line_and_a_way_on_and_nothing_is_written(
    db: Database, old: str, new: str, words: str
) -> None:
    said = await faults(db, BASE.replace(old, new))
    assert words in said
    assert "there is no metering_point" not in said, "what hangs on a faulty row is not another fault"


async def test_every_fault_is_told_at_once(db: Database) -> None:
    text = BASE.replace('tariff = "flat"', 'tariff = "x"').replace('owner = "o-1"', 'owner = "y"')
    assert (await faults(db, text)).count("records.toml:") >= 2


async def test_a_row_written_twice_in_a_file_is_a_fault(db: Database) -> None:
    said = await faults(db, BASE + '\n[[owner]]\ncode = "o-1"\nname = "李四"\n')
    assert "the same owner stands on line 11" in said


NEXT_OWNER = BASE.replace('code = "o-1"\nname = "王芳"', 'code = "o-2"\nname = "李娜"').replace(
    'owner = "o-1"', 'owner = "o-2"\nowned_from = 2026-11-01'
)


async def ownerships(db: Database) -> list[tuple[int, str, str | None]]:
    return sorted((row.owner_id, row.from_on, row.to_on) for row in await rows(db, "ownership"))


async def test_a_new_owner_ends_the_ownership_before(db: Database) -> None:
    await imported(db, BASE)
    for _ in range(2):
        await imported(db, NEXT_OWNER)
        assert await ownerships(db) == [(1, "1970-01-01", "2026-11-01"), (2, "2026-11-01", None)]
    await imported(db, BASE)
    assert await ownerships(db) == [(1, "1970-01-01", "2026-11-01"), (2, "2026-11-01", None)], "an old file is no sale"


async def test_a_new_owner_without_a_day_is_a_fault(db: Database) -> None:
    await imported(db, BASE)
    assert "as owned_from" in await faults(db, NEXT_OWNER.replace("owned_from = 2026-11-01", ""))


async def test_the_day_of_an_ownership_can_be_put_right(db: Database) -> None:
    await imported(db, BASE)
    await imported(db, BASE.replace('owner = "o-1"', 'owner = "o-1"\nowned_from = 2020-05-01'))
    assert await ownerships(db) == [(1, "2020-05-01", None)]


SECOND_METER = """
[[installation]]
metering_point = "1-101-E"
gateway = "gw-1"
device = "em-2"
point = "energyImportTotal"
from = 2026-10-15T00:00:00+08:00
"""
SECOND_POINT = """
[[metering_point]]
code = "1-101-E2"
site = "park"
building = "1"
unit = "1-101"
kind = "electricity"
tariff = "flat"

[[installation]]
metering_point = "1-101-E2"
gateway = "gw-1"
device = "em-1"
point = "energyImportTotal"
from = 2026-10-15T00:00:00+08:00
"""


@pytest.mark.parametrize("more", [SECOND_METER, SECOND_POINT])
async def test_no_consumption_is_billed_twice(db: Database, more: str) -> None:
    assert "is taken at that time, by an installation on '1-101-E" in await faults(db, BASE + more)
    ended = BASE.replace('multiplier = "40"', 'multiplier = "40"\nto = 2026-10-15T00:00:00+08:00')
    await imported(db, ended + more)
    assert len(await rows(db, "installation")) == 2


async def test_a_meter_is_exchanged_in_whatever_order_the_file_has_it(db: Database) -> None:
    await imported(db, BASE)
    ended = BASE.replace('multiplier = "40"', 'multiplier = "40"\nto = 2026-10-15T00:00:00+08:00')
    head, _, installation = ended.partition("[[installation]]")
    await imported(db, head + SECOND_METER + "[[installation]]" + installation)
    assert [row.to_at is None for row in await rows(db, "installation")] == [False, True]


async def test_a_meters_place_is_where_it_stands_now(db: Database) -> None:
    await imported(db, BASE.replace("2026-10-01", "2020-10-01"))
    place = (await meter_places(db))["gw-1", "em-1"]
    assert (place.metering_point, place.unit, place.building) == ("1-101-E", "1-101", "1 号楼")
    await imported(
        db, BASE.replace("2026-10-01", "2020-10-01").replace('multiplier = "40"', "to = 2020-11-01T00:00:00Z")
    )
    assert await meter_places(db) == {}


def test_a_file_that_is_no_toml_names_its_line() -> None:
    with pytest.raises(SettingsError, match=r"records\.toml:1: not valid TOML"):
        read_records("[[site\n", "records.toml")
