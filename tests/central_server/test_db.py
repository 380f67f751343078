"""The database: durable, one writer at a time, and readers that never wait for it."""

import asyncio
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.db import Database, look_at
from central_server.errors import UsageError
from central_server.migrate import newest_version
from central_server.schema import building, person
from tests.central_server.vault import VAULT


async def owners(connection: AsyncConnection) -> Any:
    return (await connection.execute(select(func.count()).select_from(person))).scalar_one()


async def test_writers_side_by_side_all_land(db: Database) -> None:
    async def write(number: int) -> None:
        async with db.write() as connection:
            before = await owners(connection)
            await asyncio.sleep(0.001)
            await connection.execute(insert(person).values(code=f"o-{number}", name=str(before), name_index=""))

    await asyncio.gather(*(write(number) for number in range(20)))
    async with db.read() as connection:
        names = sorted(int(name) for name in (await connection.execute(select(person.c.name))).scalars())
    assert names == list(range(20)), "each writer saw what the one before had written"


async def test_a_second_process_waits_for_the_first_to_write(db: Database) -> None:
    other = Database(str(db.url.set(drivername="sqlite")), VAULT)

    async def write(through: Database, number: int) -> None:
        async with through.write() as connection:
            await owners(connection)
            await asyncio.sleep(0.001)
            await connection.execute(insert(person).values(code=f"o-{number}", name="", name_index=""))

    await asyncio.gather(*(write((db, other)[number % 2], number) for number in range(20)))
    async with other.read() as connection:
        assert await owners(connection) == 20
    await other.close()


async def test_a_reader_sees_one_moment_while_others_write(db: Database) -> None:
    async with db.read() as reader:
        assert await owners(reader) == 0
        async with db.write() as connection:
            await connection.execute(insert(person).values(code="o-1", name="", name_index=""))
        assert await owners(reader) == 0
    async with db.read() as reader:
        assert await owners(reader) == 1


async def test_a_failed_transaction_leaves_nothing(db: Database) -> None:
    async def fail() -> None:
        async with db.write() as connection:
            await connection.execute(insert(person).values(code="o-1", name="", name_index=""))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    async with db.write() as connection:
        assert await owners(connection) == 0


async def test_a_row_needs_its_parent(db: Database) -> None:
    with pytest.raises(IntegrityError):
        async with db.write() as connection:
            await connection.execute(insert(building).values(site_id=99, code="1", name=""))


async def test_a_commit_is_on_the_disk_before_it_is_answered(db: Database) -> None:
    async with db.write() as connection:
        found = [
            (await connection.execute(text(f"PRAGMA {name}"))).scalar() for name in ("journal_mode", "synchronous")
        ]
    assert found == ["wal", 2]


@pytest.mark.parametrize("url", ["central.db", "mysql://x/y", "sqlite", ""])
def test_an_address_of_another_kind_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(UsageError, match=r"sqlite:///path/to/central\.db"):
        Database(url)


def test_a_file_with_odd_characters_in_its_name_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "数据 #1 50%?.db"
    path.write_bytes(b"not a database at all, but long enough to be read as a header" * 20)
    with pytest.raises(sqlite3.DatabaseError, match="file is not a database"):
        look_at(path)
    path.write_bytes(b"")
    assert look_at(path) == (frozenset(), None)


async def test_looking_at_a_database_in_use_sees_what_is_committed(db: Database) -> None:
    assert db.path is not None
    async with db.write() as connection:
        await connection.execute(insert(person).values(code="o-1", name="", name_index=""))
        tables, version = look_at(db.path)
    assert "person" in tables
    assert version == newest_version()


def test_a_driver_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(UsageError, match="asyncpg"):
        Database("postgresql://me@localhost/gatehouse")
