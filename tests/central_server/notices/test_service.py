"""A notice reaches those it is for, each counts once, and the office sees who has not read it."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from central_server.db import Database
from central_server.errors import Conflict, NotFound
from central_server.form import Invalid
from central_server.notices import service
from central_server.notices.model import Draft, State, end_of, state_of
from central_server.rbac import Actor, Role
from tests.central_server.neighbours import Neighbours, add, move_in, resident, staff

MANAGER = staff(Role.MANAGER, 1)
ON = "2026-11-23"


@pytest.fixture
async def neighbours(db: Database) -> Neighbours:
    return await move_in(db)


async def home(db: Database, person: int) -> Actor:
    """Give a resident an account."""
    known = {"name": "住户", "password_hash": "x", "language": "zh", "is_disabled": False, "created_at": 0}
    account = await add(db, "account", login=f"home-{person}", role="resident", person_id=person, **known)
    return resident(person, account)


async def out(db: Database, **more: Any) -> int:
    """Write a notice and publish it."""
    key = await service.draft(db, MANAGER, Draft.model_validate({"title": "停水", "body": "周三停水。"} | more))
    await service.publish(db, MANAGER, key, 1)
    return key


async def titles(db: Database, actor: Actor) -> list[str]:
    async with db.read() as connection:
        return [letter.notice.title for letter in await service.letters(connection, actor, ON)]


async def test_a_notice_is_found_by_those_of_its_buildings_and_nobody_else(
    db: Database, neighbours: Neighbours
) -> None:
    await out(db, title="全小区")
    await out(db, title="二号楼", buildings=[neighbours.building_2])
    await service.draft(db, MANAGER, Draft(title="草稿", body="还没好"))
    assert await titles(db, await home(db, neighbours.wang)) == ["全小区"]
    assert await titles(db, await home(db, neighbours.li)) == ["二号楼", "全小区"]
    assert await titles(db, await home(db, neighbours.zhao)) == []


async def test_an_emergency_stands_first(db: Database, neighbours: Neighbours) -> None:
    await out(db, title="燃气", is_emergency=True, last_day=datetime.now(UTC).date() + timedelta(days=2))
    await out(db, title="停水")
    assert await titles(db, await home(db, neighbours.wang)) == ["燃气", "停水"]


async def test_reading_counts_once_for_each_person_and_says_who_is_missing(
    db: Database, neighbours: Neighbours
) -> None:
    key, wang = await out(db), await home(db, neighbours.wang)
    opened = await asyncio.gather(*(service.open_letter(db, wang, key, ON) for _ in range(4)))
    assert sum(is_new for _, is_new in opened) == 1
    async with db.read() as connection:
        found = await service.get_notice(connection, MANAGER, key)
        reading = await service.reading_of(connection, found, limit=10)
    assert (found.reads, reading.people, reading.unread) == (1, 2, 1)
    assert [(each.name, each.unit, each.has_account) for each in reading.missing] == [("李雷", "2-201", False)]


async def test_a_notice_of_another_building_cannot_be_opened_or_counted(db: Database, neighbours: Neighbours) -> None:
    key = await out(db, buildings=[neighbours.building_2])
    with pytest.raises(NotFound):
        await service.open_letter(db, await home(db, neighbours.wang), key, ON)


async def test_what_is_out_is_not_changed_only_withdrawn(db: Database, neighbours: Neighbours) -> None:
    key, wang = await out(db), await home(db, neighbours.wang)
    with pytest.raises(Conflict):
        await service.edit(db, MANAGER, key, Draft(title="另一个", body="另一个", version=2))
    await service.withdraw(db, MANAGER, key, 2)
    assert await titles(db, wang) == []


async def test_two_who_change_a_draft_are_told(db: Database, neighbours: Neighbours) -> None:
    key = await service.draft(db, MANAGER, Draft(title="草稿", body="还没好"))
    await service.edit(db, MANAGER, key, Draft(title="草稿二", body="好了", version=1))
    with pytest.raises(Conflict):
        await service.edit(db, MANAGER, key, Draft(title="草稿三", body="也好了", version=1))
    with pytest.raises(Conflict):  # what was looked at is not what would go out
        await service.publish(db, MANAGER, key, 1)


async def test_the_office_writes_only_for_its_own_site(db: Database, neighbours: Neighbours) -> None:
    far = await service.draft(db, staff(Role.MANAGER, neighbours.hill), Draft(title="山上", body="山上的事"))
    with pytest.raises(NotFound):
        await service.publish(db, MANAGER, far, 1)
    with pytest.raises(Invalid) as refused:
        await service.draft(db, MANAGER, Draft(title="停水", body="停水", buildings=[99]))
    assert list(refused.value.problems) == ["buildings"]


async def test_an_emergency_needs_a_last_day_that_is_not_over(db: Database, neighbours: Neighbours) -> None:
    for last_day in (None, date(2020, 1, 1)):
        with pytest.raises(Invalid) as refused:
            await service.draft(db, MANAGER, Draft(title="燃气", body="燃气泄漏", is_emergency=True, last_day=last_day))
        assert list(refused.value.problems) == ["last_day"]


def test_a_notice_is_over_with_the_end_of_its_last_day_at_the_site() -> None:
    end = end_of(date(2026, 11, 23), "Asia/Shanghai")
    assert end == 1_795_449_600_000  # 2026-11-24T00:00:00+08:00
    assert state_of(1, None, end, end - 1) is State.PUBLISHED
    assert state_of(1, None, end, end) is State.EXPIRED
