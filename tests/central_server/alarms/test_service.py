"""Alarms: seen by one person, listed by what matters, counted by priority."""

import asyncio

import pytest
from sqlalchemy import insert

from central_server import schema
from central_server.alarms import store
from central_server.alarms.service import PAGE, acknowledge, counts, get_alarm, list_alarms, open_subjects
from central_server.db import Database
from central_server.errors import Conflict, NotFound


async def raised(db: Database, key: str, *, priority: int = 2, at: int = 5, cleared_at: int | None = None) -> None:
    async with db.write() as connection:
        await store.raise_alarm(
            connection,
            key=key,
            gateway_id=None,
            subject=f"device:{key}",
            condition="device_offline",
            priority=priority,
            raised_at=at,
            detail={"error": "无应答"},
        )
        if cleared_at is not None:
            await store.clear_alarm(connection, key, cleared_at)


async def test_of_two_who_acknowledge_at_once_one_is_first_and_the_other_is_told(db: Database) -> None:
    await raised(db, "a")
    people = ("安", "博", "陈")
    answers = await asyncio.gather(*(acknowledge(db, 1, who) for who in people), return_exceptions=True)
    (first,) = [answer for answer in answers if not isinstance(answer, BaseException)]
    lost = [answer for answer in answers if isinstance(answer, Conflict)]
    assert len(lost) == 2
    assert {str(error) for error in lost} == {f"{first.acknowledged_by} has acknowledged this alarm already."}
    assert (await get_alarm(db, 1)).acknowledged_by == first.acknowledged_by


async def test_an_alarm_that_is_not_there_is_not_found(db: Database) -> None:
    with pytest.raises(NotFound):
        await acknowledge(db, 7, "安")
    with pytest.raises(NotFound):
        await get_alarm(db, 7)


async def test_active_is_what_lasts_or_waits_for_somebody(db: Database) -> None:
    for key in ("lasts", "lasts-seen", "over", "over-seen"):
        await raised(db, key, cleared_at=9 if key.startswith("over") else None)
    await acknowledge(db, 2, "安")
    await acknowledge(db, 4, "安")
    active = await list_alarms(db)
    assert [row.key for row in active.alarms] == ["lasts", "lasts-seen", "over"]
    assert (active.total, (await list_alarms(db, is_active=False)).total) == (3, 4)


async def test_the_gravest_and_newest_stand_first(db: Database) -> None:
    await raised(db, "low", priority=3, at=9)
    await raised(db, "old", priority=1, at=1)
    await raised(db, "new", priority=1, at=8)
    assert [row.key for row in (await list_alarms(db)).alarms] == ["new", "old", "low"]
    assert [row.key for row in (await list_alarms(db, is_active=False)).alarms] == ["low", "new", "old"]


async def test_pages_hold_every_alarm_once_and_a_page_beyond_is_the_last(db: Database) -> None:
    rows = [
        {"key": f"k{number}", "subject": "s", "condition": "c", "priority": 1, "raised_at": number % 7, "detail": "{}"}
        for number in range(2 * PAGE + 3)
    ]
    async with db.write() as connection:
        await connection.execute(insert(schema.alarm), rows)
    pages = [await list_alarms(db, page=number) for number in (1, 2, 3)]
    assert sorted(row.key for page in pages for row in page.alarms) == sorted(str(row["key"]) for row in rows)
    assert [len(page.alarms) for page in pages] == [PAGE, PAGE, 3]
    assert await list_alarms(db, page=99) == pages[2]
    assert await list_alarms(db, page=-1) == pages[0]


async def test_counts_are_of_what_nobody_has_seen(db: Database) -> None:
    assert await counts(db) == {1: 0, 2: 0, 3: 0}
    await raised(db, "a", priority=1)
    await raised(db, "b", priority=1, cleared_at=7)
    await raised(db, "c", priority=3)
    await acknowledge(db, 1, "安")
    assert await counts(db) == {1: 1, 2: 0, 3: 1}


async def test_a_subject_shows_the_gravest_of_what_lasts(db: Database) -> None:
    await raised(db, "a", priority=3)
    await raised(db, "b", priority=1, cleared_at=7)
    assert await open_subjects(db) == {(None, "device:a"): 3}


async def test_raising_or_clearing_again_changes_nothing(db: Database) -> None:
    await raised(db, "a", at=5, cleared_at=9)
    await raised(db, "a", at=6, priority=1, cleared_at=11)
    row = await get_alarm(db, 1)
    assert (row.raised_at, row.priority, row.cleared_at) == (5, 2, 9)
    assert row.detail == {"error": "无应答"}
