"""A charge reaches one bill, once, however often it is told."""

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.billing.charge import add_charge, bill_of_charge
from central_server.billing.service import get_bill
from central_server.rbac import system
from tests.central_server.billing.conftest import charged

DESK = system("desk")


async def test_a_charge_told_again_is_noted_once(town: Any) -> None:
    assert [await charged(town, 8000), await charged(town, 8000), await charged(town, 9900)] == [True, False, False]
    assert [row.amount_fen for row in await town.rows("charge")] == [8000]


async def test_a_charge_is_billed_once_with_its_evidence(town: Any) -> None:
    await charged(town, 8000)
    result = await town.bill()
    assert [(bill.unit_code, bill.owner, bill.total_fen) for bill in result.bills] == [("1-101", "王芳", 8000)]
    assert (await town.bill()).bills == []
    async with town.db.read() as connection:
        bill = await get_bill(connection, DESK, "B-2026-10-0001")
        assert await bill_of_charge(connection, "order:1") == "B-2026-10-0001"
    assert bill is not None
    (line,) = bill.lines
    assert (line.kind, line.amount_fen, line.opening, line.source_key) == ("charge", 8000, None, "order:1")
    assert line.trace["evidence"] == {"steps": [{"key": "labour", "amount_fen": 8000}]}


async def test_charges_stand_on_the_bill_beside_the_meters(home: Any) -> None:
    await home.town.read(home.electricity, ("2026-10-01T00:15", "0"), ("2026-10-31T23:45", "100"))
    await charged(home.town, 8000)
    (bill,) = (await home.town.bill()).bills
    assert (bill.total_fen, [row["kind"] for row in bill.rows]) == (8000 + 4883, ["metered", "charge"])
    assert {(row.position, row.source_key) for row in await home.town.rows("bill_line")} == {(1, None), (2, "order:1")}


async def test_a_charge_of_an_earlier_month_is_not_forgotten_and_one_of_a_later_month_waits(town: Any) -> None:
    await charged(town, 100, "order:1", period="2026-08")
    await charged(town, 200, "order:2", period="2026-11")
    assert (await town.bill("2026-10")).total_fen == 100
    assert (await town.bill("2026-11")).total_fen == 200


async def test_units_without_a_meter_are_billed_in_order_of_their_codes(town: Any) -> None:
    await charged(town, 100, "order:2", unit=2)
    await charged(town, 200, "order:1", unit=1)
    assert [(bill.number, bill.unit_code) for bill in (await town.bill()).bills] == [
        ("B-2026-10-0001", "1-101"),
        ("B-2026-10-0002", "1-102"),
    ]


async def test_runs_at_the_same_time_bill_a_charge_once(town: Any) -> None:
    await charged(town, 100)
    await asyncio.gather(*(town.bill() for _ in range(4)))
    assert [row.total_fen for row in await town.rows("bill")] == [100]


async def test_issuing_is_on_the_audit(town: Any) -> None:
    await charged(town, 100)
    await town.bill()
    (entry,) = await town.rows("audit")
    assert (entry.login, entry.action, json.loads(entry.detail)["total_fen"]) == ("desk", "bills.issue", 100)


@pytest.mark.parametrize(
    "wrong",
    [{"amount_fen": 0}, {"amount_fen": -1}, {"kind": "gift"}, {"key": ""}, {"description": {}}, {"period": "now"}],
)
async def test_what_can_never_be_billed_is_refused(town: Any, wrong: dict[str, Any]) -> None:
    right: dict[str, Any] = {"key": "order:1", "site_id": 1, "unit_id": 1, "kind": "repair", "amount_fen": 1}
    right |= {"description": {"key": "repair"}, "period": "2026-10", "trace": {}}

    async def add(connection: AsyncConnection) -> None:
        await add_charge(connection, **(right | wrong))

    async with town.db.write() as connection:
        with pytest.raises(ValueError, match=r"charge|period"):
            await add(connection)
    assert await town.rows("charge") == []
