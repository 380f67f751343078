"""The shorter way to SQLite tells the same as the library's, with one trip a statement."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, insert, select, update
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.db import Database

TABLE = Table("thing", MetaData(), Column("id", Integer, primary_key=True), Column("name", String, unique=True))


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    made = Database(f"sqlite:///{tmp_path / 'things.db'}")
    async with made.write() as connection:
        await connection.run_sync(TABLE.metadata.create_all)
    yield made
    await made.close()


async def trips(connection: AsyncConnection) -> list[object]:
    """Note every question to the driver's thread from now on."""
    raw = await connection.get_raw_connection()
    driver, noted = raw.driver_connection, []
    ask = driver._execute

    async def noting(function: object, *words: object) -> object:
        noted.append(function)
        return await ask(function, *words)

    driver._execute = noting
    return noted


async def test_each_statement_is_one_trip_and_tells_what_it_did(db: Database) -> None:
    async with db.write() as connection:
        noted = await trips(connection)
        made = await connection.execute(insert(TABLE).values(name="a"))
        assert made.inserted_primary_key == (1,)
        assert (await connection.execute(update(TABLE).values(name="b"))).rowcount == 1
        many = await connection.execute(insert(TABLE), [{"name": "c"}, {"name": "d"}])
        assert many.rowcount == 2
        returned = await connection.execute(insert(TABLE).values(name="e").returning(TABLE.c.id, TABLE.c.name))
        assert returned.one() == (4, "e")
        rows = (await connection.execute(select(TABLE).order_by(TABLE.c.id))).mappings().all()
        assert dict(rows[0]) == {"id": 1, "name": "b"}
        assert len(noted) == 5
        assert (await connection.execute(select(TABLE).where(TABLE.c.id == 99))).first() is None


async def test_a_connection_comes_home_clean_and_without_a_trip_where_nothing_is_open(db: Database) -> None:
    async with db.engine.connect() as connection:
        noted = await trips(connection)
        await connection.execute(insert(TABLE).values(name="a"))
    assert [getattr(function, "__name__", "") for function in noted][-1] == "rollback"
    del noted[:]
    async with db.engine.connect() as connection:
        assert await connection.get_raw_connection()
    assert noted == []
    async with db.read() as connection:
        assert (await connection.execute(select(TABLE))).all() == []


async def test_a_fault_is_the_one_the_library_tells_and_the_connection_goes_on(db: Database) -> None:
    async with db.write() as connection:
        await connection.execute(insert(TABLE).values(name="a"))
        with pytest.raises(IntegrityError, match="UNIQUE"):
            await connection.execute(insert(TABLE).values(name="a"))
        with pytest.raises(OperationalError, match="no such table"):
            await connection.exec_driver_sql("SELECT * FROM absent")
        await connection.execute(insert(TABLE).values(name="b"))
    async with db.read() as connection:
        assert (await connection.execute(select(TABLE.c.name).order_by(TABLE.c.id))).scalars().all() == ["a", "b"]


async def test_what_does_not_fit_into_memory_still_comes_in_pieces(db: Database) -> None:
    async with db.write() as connection:
        await connection.execute(insert(TABLE), [{"name": str(number)} for number in range(5000)])
    async with db.read() as connection:
        noted = await trips(connection)
        result = await connection.stream(select(TABLE.c.id), execution_options={"yield_per": 100})
        found = [row.id async for row in result]
    assert found == list(range(1, 5001))
    assert len(noted) > 50
