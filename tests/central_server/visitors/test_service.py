"""A resident asks, the guard decides, and what nobody comes for ends by itself."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from central_server.clock import now_ms
from central_server.db import Database
from central_server.errors import Conflict, NotFound
from central_server.form import Invalid
from central_server.live import Hub, everything
from central_server.rbac import Role, system
from central_server.visitors import jobs, service
from central_server.visitors.model import MOST_OPEN, Ask, State, Step
from central_server.visitors.store import Visit
from tests.central_server.neighbours import Neighbours, move_in, resident, staff

GUARD = staff(Role.GUARD, 1)
HOUR = 3_600_000


@pytest.fixture
async def neighbours(db: Database) -> Neighbours:
    return await move_in(db)


def in_hours(hours: float) -> datetime:
    """Give a time on the wall of the site, as a phone's form sends it."""
    local = datetime.now(UTC).astimezone(ZoneInfo("Asia/Shanghai")) + timedelta(hours=hours)
    return local.replace(tzinfo=None, second=0, microsecond=0)


async def ask(db: Database, person: int, once: int = 1, **more: Any) -> int:
    wanted = {"name": "陈晨", "comes_at": in_hours(2), "hours": 4, "once": f"{once:016x}"} | more
    return await service.ask(db, resident(person), Ask.model_validate(wanted), "2026-11-23")


async def visit(db: Database, key: int) -> Visit:
    async with db.read() as connection:
        return await service.get_visit(connection, GUARD, key)


async def test_a_visit_goes_from_the_phone_through_the_gate_and_out_again(db: Database, neighbours: Neighbours) -> None:
    key = await ask(db, neighbours.wang, plate="京A12345")
    asked = await visit(db, key)
    assert (asked.name, asked.plate, asked.unit, asked.host) == ("陈晨", "京A12345", "1-101", "王芳")
    assert asked.until_at - asked.from_at == 4 * HOUR
    for step in (Step.APPROVE, Step.ARRIVE, Step.LEAVE):
        await service.decide(db, GUARD, key, step, (await visit(db, key)).version)
    left = await visit(db, key)
    assert left.state is State.LEFT
    assert left.decided_by == GUARD.login
    assert None not in (left.arrived_at, left.left_at)


async def test_of_two_guards_who_decide_at_once_one_is_told(db: Database, neighbours: Neighbours) -> None:
    key = await ask(db, neighbours.wang)
    done = await asyncio.gather(
        service.decide(db, GUARD, key, Step.APPROVE, 1),
        service.decide(db, GUARD, key, Step.REFUSE, 1, "不认识"),
        return_exceptions=True,
    )
    assert sorted(type(each) for each in done if isinstance(each, Exception)) == [Conflict]
    assert (await visit(db, key)).version == 2


async def test_a_form_that_was_sent_twice_asks_once(db: Database, neighbours: Neighbours) -> None:
    assert await ask(db, neighbours.wang) == await ask(db, neighbours.wang)


async def test_nobody_but_the_host_takes_a_visit_back_and_nobody_after_it_began(
    db: Database, neighbours: Neighbours
) -> None:
    key = await ask(db, neighbours.wang)
    with pytest.raises(NotFound):
        await service.cancel(db, resident(neighbours.li), key, 1)
    await service.decide(db, GUARD, key, Step.APPROVE, 1)
    await service.decide(db, GUARD, key, Step.ARRIVE, 2)
    with pytest.raises(Conflict):
        await service.cancel(db, resident(neighbours.wang), key, 3)


async def test_the_guard_of_another_site_knows_nothing_of_it(db: Database, neighbours: Neighbours) -> None:
    key = await ask(db, neighbours.wang)
    other = staff(Role.GUARD, neighbours.hill)
    with pytest.raises(NotFound):
        await service.decide(db, other, key, Step.APPROVE, 1)
    async with db.read() as connection:
        assert not any((await service.at_the_gate(connection, other)).values())


async def test_what_nobody_came_for_ends_by_itself_and_who_is_here_stays(db: Database, neighbours: Neighbours) -> None:
    keys = [await ask(db, neighbours.wang, number) for number in range(3)]
    for key in keys[1:]:
        await service.decide(db, GUARD, key, Step.APPROVE, 1)
    await service.decide(db, GUARD, keys[2], Step.ARRIVE, 2)
    assert await service.expire(db, system("scheduler"), now_ms()) == set()
    later = now_ms() + 7 * HOUR
    assert await service.expire(db, system("scheduler"), later) == {1}
    assert await service.expire(db, system("scheduler"), later) == set()
    assert [(await visit(db, key)).state for key in keys] == [State.EXPIRED, State.EXPIRED, State.ARRIVED]


async def test_a_time_that_is_over_or_too_far_or_anothers_unit_is_refused(db: Database, neighbours: Neighbours) -> None:
    for more in ({"comes_at": in_hours(-3)}, {"comes_at": in_hours(31 * 24)}):
        with pytest.raises(Invalid) as refused:
            await ask(db, neighbours.wang, **more)
        assert list(refused.value.problems) == ["comes_at"]
    with pytest.raises(Invalid):
        await ask(db, 999)
    # Who has one unit cannot name another's: the visit goes to their own.
    assert (await visit(db, await ask(db, neighbours.li, unit=neighbours.unit_101))).unit == "2-201"


async def test_so_many_visitors_and_no_more(db: Database, neighbours: Neighbours) -> None:
    for number in range(MOST_OPEN):
        await ask(db, neighbours.wang, number)
    with pytest.raises(Invalid) as refused:
        await ask(db, neighbours.wang, 99)
    assert refused.value.problems[""].fields == {"most": MOST_OPEN}


async def test_a_visitors_name_phone_and_plate_lie_sealed(db: Database, neighbours: Neighbours) -> None:
    await ask(db, neighbours.wang, name="CanaryName", phone="13800138000", plate="京A12345")
    async with db.read() as connection:
        row = (await connection.execute(text("SELECT * FROM visitor"))).one()
    assert not [value for value in row if value in ("CanaryName", b"CanaryName", "13800138000", "京A12345")]


async def test_the_pages_are_told_that_a_visit_has_ended(db: Database, neighbours: Neighbours) -> None:
    await ask(db, neighbours.wang)
    hub = Hub()
    async with hub.subscribe(everything) as heard:
        await jobs.expire(db, hub, now_ms() + 7 * HOUR)
        assert await heard.get() == '{"type":"visitors"}'
        assert heard.empty()
