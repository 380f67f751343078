"""Short transactions go to SQLite's thread whole: durable, alone in their failure, several to a commit."""

import asyncio
import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import event, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.db import Database
from central_server.schema import person


async def count(connection: AsyncConnection) -> int:
    return int((await connection.execute(select(func.count()).select_from(person))).scalar_one())


async def add(connection: AsyncConnection, code: str) -> int:
    before = await count(connection)
    await connection.execute(insert(person).values(code=code, name=str(before), name_index=""))
    return before


async def names(db: Database) -> list[int]:
    async with db.read() as connection:
        return sorted(int(name) for name in (await connection.execute(select(person.c.name))).scalars())


async def test_writers_of_both_ways_side_by_side_all_land(db: Database) -> None:
    async def step_by_step(code: str) -> None:
        async with db.write() as connection:
            await add(connection, code)

    whole = [db.keep(lambda connection, n=n: add(connection, f"w-{n}")) for n in range(20)]  # type: ignore[misc]
    await asyncio.gather(*whole, *(step_by_step(f"s-{n}") for n in range(20)))
    assert await names(db) == list(range(40)), "each saw what the one before had written"


async def test_what_is_kept_is_in_the_file(db: Database) -> None:
    await db.keep(lambda connection: add(connection, "o-1"))
    assert db.path is not None
    with closing(sqlite3.connect(db.path)) as other:
        assert other.execute("SELECT code FROM person").fetchall() == [("o-1",)]


async def test_those_that_come_together_share_a_commit_and_fail_alone(db: Database) -> None:
    commits: list[object] = []
    assert db._straight is not None
    event.listen(db._straight.engine, "commit", commits.append)
    codes = ["a", "b", "a", "c"]  # the third may not be there twice
    ends = await asyncio.gather(
        *(db.keep(lambda connection, code=code: add(connection, code)) for code in codes),  # type: ignore[misc]
        return_exceptions=True,
    )
    assert [type(end) for end in ends] == [int, int, IntegrityError, int]
    assert await names(db) == [0, 1, 2]
    commits.clear()
    await asyncio.gather(*(db.keep(lambda connection, n=n: add(connection, f"n-{n}")) for n in range(10)))  # type: ignore[misc]
    assert len(commits) == 1


async def test_a_look_waits_for_no_writer(db: Database) -> None:
    async with db.write() as connection:
        await add(connection, "o-1")
        assert await db.look(count) == 0
    assert await db.look(count) == 1


async def test_a_transaction_that_waits_for_anything_else_is_refused_and_leaves_nothing(db: Database) -> None:
    async def idle(connection: AsyncConnection) -> None:
        await add(connection, "o-1")
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="may wait for nothing"):
        await db.keep(idle)
    assert await db.look(count) == 0


async def test_one_whose_caller_has_gone_holds_up_nobody(db: Database) -> None:
    async with db.write():
        gone = asyncio.create_task(db.keep(lambda connection: add(connection, "gone")))
        await asyncio.sleep(0)
        gone.cancel()
        other = asyncio.create_task(db.keep(lambda connection: add(connection, "o-1")))
        await asyncio.sleep(0)
    assert await other == 0
    assert await db.look(count) == 1
