"""Alarms: seen by one person, listed by what matters, counted by priority."""

import asyncio

import pytest
from sqlalchemy import insert

from central_server import schema
from central_server.alarms import store
from central_server.alarms.service import (
    PAGE,
    Note,
    acknowledge,
    clear_own,
    comment,
    counts,
    end,
    get_alarm,
    list_alarms,
    notes_of,
    open_subjects,
    raise_own,
)
from central_server.alarms.store import Wanted
from central_server.db import Database
from central_server.errors import Conflict, NotFound
from central_server.rbac import Actor, Role


def person(name: str = "安", site_id: int | None = None) -> Actor:
    return Actor("desk", name, Role.CONTROL_ROOM, site_id=site_id)


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
    answers = await asyncio.gather(*(acknowledge(db, person(who), 1) for who in people), return_exceptions=True)
    (first,) = [answer for answer in answers if not isinstance(answer, BaseException)]
    lost = [answer for answer in answers if isinstance(answer, Conflict)]
    assert len(lost) == 2
    assert {str(error) for error in lost} == {f"{first.acknowledged_by} has acknowledged this alarm already."}
    assert (await get_alarm(db, 1)).acknowledged_by == first.acknowledged_by


async def test_an_alarm_that_is_not_there_is_not_found(db: Database) -> None:
    with pytest.raises(NotFound):
        await acknowledge(db, person(), 7)
    with pytest.raises(NotFound):
        await get_alarm(db, 7)


async def test_active_is_what_lasts_or_waits_for_somebody(db: Database) -> None:
    for key in ("lasts", "lasts-seen", "over", "over-seen"):
        await raised(db, key, cleared_at=9 if key.startswith("over") else None)
    await acknowledge(db, person(), 2)
    await acknowledge(db, person(), 4)
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
    await acknowledge(db, person(), 1)
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


async def trapped(db: Database, *, cleared_at: int | None = None, key: str = "lift") -> None:
    async with db.write() as connection:
        await raise_own(
            connection,
            key=key,
            site_id=1,
            subject="device:lift-1",
            condition="lift_entrapment",
            priority=1,
            at=5,
            detail={},
        )
        if cleared_at is not None:
            assert await clear_own(connection, key, cleared_at)


async def test_an_entrapment_outlasts_its_cause_and_stands_first_until_a_person_ends_it_with_a_note(
    db: Database,
) -> None:
    await trapped(db, cleared_at=9)
    await raised(db, "newer", priority=1, at=99)
    first = (await list_alarms(db)).alarms[0]
    assert (first.condition, first.cleared_at, first.gone_at) == ("lift_entrapment", None, 9)
    await acknowledge(db, person(), first.id)
    assert (await list_alarms(db)).alarms[0].id == first.id, "seen is not ended"
    ended = await end(db, person("博"), first.id, Note(text="两人已救出"))
    assert ended.cleared_at is not None
    (note,) = await notes_of(db, person(), first.id)
    assert (note.kind, note.name, note.text) == ("ended", "博", "两人已救出")
    with pytest.raises(Conflict):
        await end(db, person(), first.id, Note(text="again"))


async def test_no_other_alarm_is_ended_by_a_person(db: Database) -> None:
    await raised(db, "a")
    with pytest.raises(Conflict):
        await end(db, person(), 1, Note(text="over"))
    assert (await get_alarm(db, 1)).cleared_at is None


async def test_several_people_write_notes_and_what_they_write_is_sealed(db: Database) -> None:
    await raised(db, "a")
    await comment(db, person("安"), 1, Note(text="电话 13800001234"))
    await comment(db, person("博"), 1, Note(text="到场"))
    assert [(note.name, note.text) for note in await notes_of(db, person(), 1)] == [
        ("安", "电话 13800001234"),
        ("博", "到场"),
    ]
    async with db.read() as connection:
        raw = await connection.exec_driver_sql("SELECT text FROM alarm_note")
        assert not any(b"13800001234" in bytes(row[0]) for row in raw)


async def test_another_sites_alarm_is_not_there(db: Database) -> None:
    await trapped(db)
    here, far = person(site_id=1), person(site_id=2)
    assert (await list_alarms(db, actor=here)).total == 1
    assert ((await list_alarms(db, actor=far)).total, (await counts(db, far))[1]) == (0, 0)
    for refused in (
        get_alarm(db, 1, far),
        acknowledge(db, far, 1),
        comment(db, far, 1, Note(text="no")),
        end(db, far, 1, Note(text="no")),
        notes_of(db, far, 1),
    ):
        with pytest.raises(NotFound):
            await refused


async def test_the_list_is_narrowed_by_kind_and_level(db: Database) -> None:
    await trapped(db)
    await raised(db, "a", priority=3)
    for wanted in (Wanted(condition="lift_entrapment"), Wanted(priority=1), Wanted(site_id=1)):
        assert [row.condition for row in (await list_alarms(db, wanted=wanted)).alarms] == ["lift_entrapment"]


async def test_an_own_alarm_is_raised_once_and_cleared_once(db: Database) -> None:
    await raised(db, "missed")
    said = {"site_id": 1, "subject": "round:7", "condition": "round_missed", "priority": 3, "at": 5, "detail": {}}
    async with db.write() as connection:
        assert [await raise_own(connection, key="round/7", **said) for _ in range(2)] == [True, False]
        assert [await clear_own(connection, "round/7", 9) for _ in range(2)] == [True, False]
