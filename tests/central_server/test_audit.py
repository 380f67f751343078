"""The audit: whatever is done to an entry afterwards shows."""

import asyncio
from collections.abc import Callable

import pytest

from central_server import audit
from central_server.db import Database
from central_server.rbac import Actor, Role, system
from central_server.schema import audit as table

ANN = Actor("ann", "Ann", Role.GUARD, None, peer="192.0.2.1")
Harm = Callable[[int], str]


async def noted(db: Database, count: int) -> None:
    async with db.write() as connection:
        for number in range(count):
            await audit.note(connection, ANN, "orders.assign", f"order:{number}", to=f"安 {number}")


async def test_a_whole_chain_is_whole_and_an_empty_one_too(db: Database) -> None:
    assert await audit.verify(db) == audit.Verdict(0, audit.GENESIS)
    await noted(db, 2_001)
    verdict = await audit.verify(db)
    assert (verdict.entries, verdict.broken_id) == (2_001, None), "also over the edge of a page"


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE audit SET detail = '{}' WHERE id = 40",
        "UPDATE audit SET at = at + 1 WHERE id = 40",
        "UPDATE audit SET login = 'bob' WHERE id = 40",
        "UPDATE audit SET role = '' WHERE id = 40",
        "UPDATE audit SET peer = '' WHERE id = 40",
        "UPDATE audit SET action = 'orders.see' WHERE id = 40",
        "UPDATE audit SET subject = 'order:1' WHERE id = 40",
        "UPDATE audit SET outcome = 'denied' WHERE id = 40",
        "UPDATE audit SET prev_hash = hash WHERE id = 40",
        "DELETE FROM audit WHERE id = 40",
        "DELETE FROM audit WHERE id < 41",
        "UPDATE audit SET id = 1000 + id WHERE id IN (40, 41)",
    ],
)
async def test_a_change_in_the_middle_shows_where_it_is(db: Database, harm: str) -> None:
    await noted(db, 60)
    async with db.write() as connection:
        await connection.exec_driver_sql(harm)
    verdict = await audit.verify(db)
    assert verdict.broken_id is not None
    assert verdict.entries in (0, 39)


async def test_every_column_but_the_account_is_under_the_hash() -> None:
    """The account is a link for look-ups; the login beside it is what counts."""
    assert {column.name for column in table.columns} - set(audit._COLUMNS) == {"id", "account_id", "prev_hash", "hash"}


async def test_a_change_that_fails_leaves_no_entry(db: Database) -> None:
    async def fail() -> None:
        async with db.write() as connection:
            await audit.note(connection, ANN, "orders.assign", "order:1")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert (await audit.verify(db)).entries == 0


async def test_entries_written_side_by_side_stand_one_after_the_other(db: Database) -> None:
    await asyncio.gather(*(noted(db, 3) for _ in range(10)))
    assert (await audit.verify(db)) == audit.Verdict(30, (await audit.verify(db)).head)


async def test_what_would_write_another_line_or_turn_the_text_is_taken_out(db: Database) -> None:
    who = Actor("a\nb\x1b[31m\u202e", "", None, peer="1\r\n2")
    async with db.write() as connection:
        await audit.note(connection, who, "accounts.sign_in", "account:\u2066x\n" + "y" * 300)
        await audit.note(connection, system("scheduler"), "orders.close", "order:1")
        rows = (await connection.execute(table.select().order_by(table.c.id))).all()
    assert all(text.isprintable() for row in rows for text in (row.login, row.peer, row.subject))
    assert len(rows[0].subject) == 128
    assert (await audit.verify(db)).broken_id is None
