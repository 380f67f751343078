"""Places are let to as many as they have spaces, and each month's fee is charged once."""

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from central_server import schema
from central_server.billing.period import parse_instant
from central_server.clock import now_ms
from central_server.db import Database
from central_server.errors import Conflict, NotFound
from central_server.form import Invalid
from central_server.live import Hub
from central_server.parking import jobs, service
from central_server.parking.model import Kind, NewLease, NewPlace, NewPrice
from central_server.rbac import Role, system
from tests.central_server.neighbours import Neighbours, move_in, staff

CLERK = staff(Role.CLERK)
DAY = 24 * 3600 * 1000


@pytest.fixture
async def neighbours(db: Database) -> Neighbours:
    return await move_in(db)


async def charges(db: Database) -> list[Any]:
    async with db.read() as connection:
        return list((await connection.execute(select(schema.charge).order_by(schema.charge.c.key))).all())


async def a_place(db: Database, code: str = "B1-023", **more: Any) -> int:
    wanted = {"code": code, "kind": Kind.FIXED, "price": Decimal("300.50"), "price_from": "2025-01"} | more
    return await service.add_place(db, CLERK, NewPlace.model_validate(wanted), 1)


async def a_lease(db: Database, place: int, unit: str = "1-101", **more: Any) -> int:
    return await service.let(db, CLERK, place, NewLease.model_validate({"unit": unit, "from_period": "2025-09"} | more))


async def test_a_months_fee_is_charged_once_however_often_and_by_how_many(db: Database, neighbours: Neighbours) -> None:
    lease = await a_lease(db, await a_place(db))
    made = await asyncio.gather(*(service.make_fees(db, CLERK, "2025-11") for _ in range(5)))
    assert sum(made) == 1
    (charge,) = await charges(db)
    assert (charge.key, charge.unit_id, charge.amount_fen) == (f"parking:{lease}:2025-11", neighbours.unit_101, 30_050)
    assert json.loads(charge.description) == {"key": "parking", "place": "B1-023"}


async def test_a_new_price_leaves_earlier_months_and_made_fees_alone(db: Database, neighbours: Neighbours) -> None:
    place = await a_place(db)
    await a_lease(db, place)
    await service.make_fees(db, CLERK, "2025-10")
    await service.set_price(db, CLERK, place, NewPrice(price=Decimal(400), price_from="2025-11"))
    for month in ("2025-10", "2025-11", "2025-09"):
        await service.make_fees(db, CLERK, month)
    assert {(row.period, row.amount_fen) for row in await charges(db)} == {
        ("2025-09", 30_050),
        ("2025-10", 30_050),
        ("2025-11", 40_000),
    }


async def test_a_fixed_place_is_let_to_one_and_a_lot_to_as_many_as_it_has_spaces(
    db: Database, neighbours: Neighbours
) -> None:
    own = await a_place(db)
    await a_lease(db, own)
    with pytest.raises(Invalid) as refused:
        await a_lease(db, own, "2-201", from_period="2026-05")
    assert "from_period" in refused.value.problems
    lot = await a_place(db, "LOT", kind=Kind.SHARED, spaces=2)
    for unit in ("1-101", "2-201"):
        await a_lease(db, lot, unit)
    with pytest.raises(Invalid):
        await a_lease(db, lot)


async def test_only_one_of_many_who_let_a_place_at_once_gets_it(db: Database, neighbours: Neighbours) -> None:
    place = await a_place(db)
    tries = await asyncio.gather(*(a_lease(db, place) for _ in range(8)), return_exceptions=True)
    assert sum(not isinstance(each, Exception) for each in tries) == 1


async def test_an_ended_lease_frees_the_place_with_the_next_month(db: Database, neighbours: Neighbours) -> None:
    place = await a_place(db)
    lease = await a_lease(db, place)
    await service.make_fees(db, CLERK, "2025-10")
    with pytest.raises(Invalid, match="another look") as refused:
        await service.end_lease(db, CLERK, place, lease, "2025-09")
    assert refused.value.problems["to_period"].fields == {"period": "2025-10"}
    await service.end_lease(db, CLERK, place, lease, "2025-10")
    await a_lease(db, place, "2-201", from_period="2025-11")
    assert await service.make_fees(db, CLERK, "2025-11") == 1
    assert [row.unit_id for row in await charges(db)] == [neighbours.unit_101, neighbours.unit_201]


async def test_a_lease_by_mistake_can_be_taken_back_until_it_is_charged(db: Database, neighbours: Neighbours) -> None:
    place = await a_place(db)
    lease = await a_lease(db, place)
    await service.withdraw_lease(db, CLERK, place, lease)
    second = await a_lease(db, place)
    await service.make_fees(db, CLERK, "2025-11")
    with pytest.raises(Conflict, match="End it instead"):
        await service.withdraw_lease(db, CLERK, place, second)


async def test_fees_come_by_themselves_a_day_later_and_for_missed_months(db: Database, neighbours: Neighbours) -> None:
    job = system("scheduler")
    lease = await a_lease(db, await a_place(db), from_period="2020-01")
    now = now_ms() + DAY + 1
    assert await service.catch_up(db, job, 1, "Asia/Shanghai", now - DAY) == 0
    assert await service.catch_up(db, job, 1, "Asia/Shanghai", now) >= 1  # two where the day after is another month
    # The server was off for two turns of the month; the month is the site's own, not that of UTC.
    month = service.this_month("Asia/Shanghai", now - DAY)
    third = service.months(month, "9998-01")[2]
    begins = parse_instant(f"{third}-01T00:00:00+08:00")
    await service.catch_up(db, job, 1, "Asia/Shanghai", begins)
    assert [row.key for row in await charges(db)] == [
        f"parking:{lease}:{each}" for each in service.months(month, third)
    ]


async def test_the_office_of_one_site_neither_sees_nor_charges_anothers_places(
    db: Database, neighbours: Neighbours
) -> None:
    place = await a_place(db)
    await a_lease(db, place)
    stranger = staff(Role.CLERK, neighbours.hill)
    async with db.read() as connection:
        with pytest.raises(NotFound):
            await service.get_place(connection, stranger, place)
    with pytest.raises(NotFound):
        await service.let(db, stranger, place, NewLease(unit="1-101", from_period="2026-01"))
    assert await service.make_fees(db, stranger, "2025-11") == 0


async def test_a_unit_or_a_person_that_is_not_there_is_said_beside_the_field(
    db: Database, neighbours: Neighbours
) -> None:
    place = await a_place(db)
    for more, field in (
        ({"unit": "9-999"}, "unit"),
        ({"person": "赵敏"}, "person"),
        ({"to_period": "2025-01"}, "to_period"),
    ):
        with pytest.raises(Invalid) as refused:
            await a_lease(db, place, **more)
        assert list(refused.value.problems) == [field]
    assert await a_lease(db, place, person=" 王芳")


async def test_the_job_makes_the_fees_of_every_site_and_comes_again_for_nothing(
    db: Database, neighbours: Neighbours
) -> None:
    await a_lease(db, await a_place(db), from_period="2020-01")
    for _ in range(2):
        await jobs.make_fees(db, Hub(), now_ms() + DAY + 1)
    assert len(await charges(db)) == 1
