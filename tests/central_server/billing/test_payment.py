"""Money is taken once, never more than is owed, and given back without a trace being lost."""

import asyncio
from collections.abc import Sequence
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from central_server.billing.payment import (
    Method,
    Reversal,
    Taking,
    due,
    payments_between,
    received,
    reverse_payment,
    take_payment,
)
from central_server.billing.service import list_bills
from central_server.billing.view import Wanted
from central_server.errors import Conflict, NotFound
from central_server.form import Invalid
from central_server.rbac import Actor, Role
from tests.central_server.billing.conftest import billed, ms

CLERK = Actor("clerk-1", "陈", Role.CLERK)
NOON = ms("2026-12-02T12:00")
FORMS = count()


def taking(fen: int, method: Method = Method.CASH, once: str | None = None) -> Taking:
    return Taking(amount=f"{fen // 100}.{fen % 100:02d}", method=method, once=once or f"form-{next(FORMS):06d}")


async def take(town: Any, number: str, fen: int, **more: Any) -> Any:
    return await take_payment(town.db, CLERK, number, taking(fen, **more), NOON)


async def balance(town: Any, number: str) -> int:
    async with town.db.read() as connection:
        return (await list_bills(connection, CLERK, Wanted(number))).items[0].balance_fen


async def test_a_bill_is_paid_in_parts_and_then_no_more_is_taken(town: Any) -> None:
    number = await billed(town, 10000)
    first = await take(town, number, 4000)
    assert (first.reference, first.taken_by, await balance(town, number)) == ("R20261202-0001", "clerk-1", 6000)
    with pytest.raises(Invalid) as refused:
        await take(town, number, 6001)
    assert refused.value.problems["amount"].fields == {"most": "60.00"}
    await take(town, number, 6000)
    with pytest.raises(Invalid):
        await take(town, number, 1)
    assert await balance(town, number) == 0


async def test_a_form_sent_twice_takes_the_money_once(town: Any) -> None:
    number = await billed(town, 10000)
    taken = await asyncio.gather(*(take(town, number, 4000, once="the-same-form") for _ in range(5)))
    assert {each.reference for each in taken} == {"R20261202-0001"}
    assert await balance(town, number) == 6000


async def test_two_clerks_at_once_take_no_more_than_is_owed(town: Any) -> None:
    number = await billed(town, 10000)
    results = await asyncio.gather(*(take(town, number, 10000) for _ in range(4)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in results) == ["Invalid", "Invalid", "Invalid", "Payment"]


async def test_a_payment_is_given_back_once_by_a_second_entry(town: Any) -> None:
    number = await billed(town, 10000)
    taken = await take(town, number, 4000)
    back = await reverse_payment(town.db, CLERK, taken.reference, Reversal(reason="wrong unit"), NOON)
    assert (back.amount_fen, back.reverses, back.reason) == (-4000, taken.reference, "wrong unit")
    assert await balance(town, number) == 10000
    for reference in (taken.reference, back.reference):
        with pytest.raises(Conflict):
            await reverse_payment(town.db, CLERK, reference, Reversal(reason="again"), NOON)
    assert [row.amount_fen for row in await town.rows("payment")] == [4000, -4000]
    assert [row.action for row in await town.rows("audit")][-2:] == ["payments.take", "payments.reverse"]


async def test_the_reason_is_not_readable_in_the_database(town: Any) -> None:
    number = await billed(town, 100)
    taken = await take(town, number, 100)
    await reverse_payment(town.db, CLERK, taken.reference, Reversal(reason="王芳 came herself"), NOON)
    files = town.db.path.parent.glob(f"{town.db.path.name}*")  # its log of newest writes as well
    assert not [file.name for file in files if b"came herself" in file.read_bytes()]


async def test_a_clerk_of_another_site_finds_neither_bill_nor_payment(town: Any) -> None:
    number = await billed(town, 10000)
    taken = await take(town, number, 4000)
    stranger = Actor("clerk-2", "李", Role.CLERK, site_id=99)
    with pytest.raises(NotFound):
        await take_payment(town.db, stranger, number, taking(1), NOON)
    with pytest.raises(NotFound):
        await reverse_payment(town.db, stranger, taken.reference, Reversal(reason="mine"), NOON)
    async with town.db.read() as connection:
        assert (await list_bills(connection, stranger)).total == 0
        assert (await payments_between(connection, stranger, 0, NOON + 1)).payments == []


async def test_a_day_is_summed_by_the_way_of_paying(town: Any) -> None:
    number = await billed(town, 10000)
    await take(town, number, 1000)
    wrong = await take(town, number, 2000, method=Method.WECHAT)
    await take(town, number, 3000, method=Method.ALIPAY)
    await reverse_payment(town.db, CLERK, wrong.reference, Reversal(reason="twice"), NOON)
    async with town.db.read() as connection:
        day = await payments_between(connection, CLERK, NOON, NOON + 1)
        sums = await received(connection, 1, NOON, NOON + 1)
        owing = await due(connection, 1, "2026-12-01", "2027-01-01")
    assert (day.by_method, day.total_fen) == ({"cash": 1000, "wechat": 0, "alipay": 3000}, 4000)
    assert (sums, owing) == ((4000, 3000), (10000, 4000))


async def test_overdue_bills_are_listed_the_longest_due_first(town: Any) -> None:
    number = await billed(town, 10000)
    await take(town, number, 4000)
    on = (await town.rows("bill"))[0].due_on
    async with town.db.read() as connection:
        not_yet = await list_bills(connection, CLERK, Wanted(state="overdue", on=on))
        late = await list_bills(connection, CLERK, Wanted(state="overdue", on="2027-01-01"))
    assert (not_yet.total, [each.number for each in late.items], late.owed_fen) == (0, [number], 6000)


# What is tried lies about what is owed just then, where the edge is.
STEPS = st.lists(st.tuples(st.booleans(), st.integers(-3, 2)), max_size=8)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(total=st.integers(1, 100), steps=STEPS)
async def test_whatever_is_tried_the_balance_stays_between_nothing_and_the_total(
    town: Any, total: int, steps: Sequence[tuple[bool, int]]
) -> None:
    number = await billed(town, total, f"order:{next(FORMS)}")
    held: list[tuple[str, int]] = []
    for is_taking, offset in steps:
        owed = total - sum(amount for _, amount in held)
        fen = max(1, owed + offset)
        if is_taking and fen <= owed:
            held.append(((await take(town, number, fen)).reference, fen))
        elif is_taking:
            with pytest.raises(Invalid):
                await take(town, number, fen)
        elif held:
            reference, _ = held.pop(offset % len(held))
            await reverse_payment(town.db, CLERK, reference, Reversal(reason="a try"), NOON)
        assert await balance(town, number) == total - sum(amount for _, amount in held)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.integers(1, 50), min_size=1, max_size=5), data=st.data())
async def test_the_order_of_payments_does_not_matter(town: Any, parts: list[int], data: st.DataObject) -> None:
    number = await billed(town, sum(parts) + 7, f"order:{next(FORMS)}")
    for fen in data.draw(st.permutations(parts)):
        await take(town, number, fen)
    assert await balance(town, number) == 7
