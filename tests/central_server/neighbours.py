"""A small neighbourhood for tests: two sites, three units, and the people who live there."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert

from central_server import schema
from central_server.crypto import blind
from central_server.db import Database
from central_server.rbac import Actor, Role

EVER = "2020-01-01"


@dataclass(frozen=True)
class Neighbours:
    """Ids of what is there: Wang owns 1-101, Li rents 2-201 of the same site, Zhao owns a unit of another site."""

    lake: int
    hill: int
    building_1: int
    building_2: int
    unit_101: int
    unit_201: int
    unit_far: int
    wang: int
    li: int
    zhao: int


async def add(db: Database, table: str, **values: Any) -> int:
    async with db.write() as connection:
        made = await connection.execute(insert(schema.metadata.tables[table]).values(**values))
        assert made.inserted_primary_key
        return int(made.inserted_primary_key[0])


async def person(db: Database, code: str, name: str) -> int:
    async with db.read() as connection:
        index = blind(connection, name, "name")
    return await add(db, "person", code=code, name=name, name_index=index)


async def move_in(db: Database) -> Neighbours:
    """Fill a database that has the site ``lake``."""
    hill = await add(db, "site", code="hill", name="山上", zone="Asia/Shanghai")
    building_1 = await add(db, "building", site_id=1, code="1", name="1 号楼")
    building_2 = await add(db, "building", site_id=1, code="2", name="2 号楼")
    far = await add(db, "building", site_id=hill, code="1", name="1 号楼")
    unit_101 = await add(db, "unit", building_id=building_1, code="1-101")
    unit_201 = await add(db, "unit", building_id=building_2, code="2-201")
    unit_far = await add(db, "unit", building_id=far, code="1-101")
    wang, li, zhao = [await person(db, code, name) for code, name in (("P1", "王芳"), ("P2", "李雷"), ("P3", "赵敏"))]
    await add(db, "ownership", unit_id=unit_101, owner_id=wang, from_on=EVER)
    await add(db, "tenancy", unit_id=unit_201, person_id=li, kind="tenant", from_on=EVER, created_at=0)
    await add(db, "ownership", unit_id=unit_far, owner_id=zhao, from_on=EVER)
    return Neighbours(1, hill, building_1, building_2, unit_101, unit_201, unit_far, wang, li, zhao)


def staff(role: Role, site_id: int | None = None) -> Actor:
    return Actor(f"{role.value}-1", "前台", role, site_id=site_id)


def resident(person_id: int, account_id: int | None = None) -> Actor:
    return Actor(f"home-{person_id}", "住户", Role.RESIDENT, account_id=account_id, person_id=person_id)
