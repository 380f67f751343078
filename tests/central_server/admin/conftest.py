"""An estate of two sites with a resident each, and an administrator of everything."""

import pytest
from sqlalchemy import insert

from central_server.crypto import blind
from central_server.db import Database
from central_server.rbac import Actor, Role
from central_server.schema import building, metadata, ownership, person, site, unit


@pytest.fixture
async def estate(db: Database) -> Database:
    """Add a second site, and Wang Fang and Li Lei with a unit at one site each."""
    async with db.write() as connection:
        await connection.execute(insert(site).values(code="hill", name="翠岭", zone="Asia/Shanghai"))
        for key, name, phone in ((1, "王芳", "13800000001"), (2, "李雷", "13800000002")):
            await connection.execute(insert(building).values(id=key, site_id=key, code="1", name="1"))
            await connection.execute(insert(unit).values(id=key, building_id=key, code="101"))
            index = {"name_index": blind(connection, name, "name"), "phone_index": blind(connection, phone, "phone")}
            await connection.execute(insert(person).values(id=key, code=f"P-{key}", name=name, phone=phone, **index))
            await connection.execute(insert(ownership).values(unit_id=key, owner_id=key, from_on="2020-01-01"))
    return db


@pytest.fixture
async def boss(estate: Database) -> Actor:
    """The only administrator there is."""
    values = {"login": "boss", "name": "Boss", "password_hash": "", "language": "en", "is_disabled": False}
    async with estate.write() as connection:
        table = metadata.tables["account"]
        made = await connection.execute(insert(table).values(**values, created_at=0, role="administrator"))
        key = made.inserted_primary_key
    return Actor("boss", "Boss", Role.ADMINISTRATOR, int(key[0]) if key else 0, peer="192.0.2.1")
