"""The quarantine's pages: what is set aside, its bytes, another try and the end of it."""

import asyncio
from decimal import Decimal
from typing import Any, TypeAlias

from central_server import auth
from central_server.quarantine import service, views
from central_server.rbac import GRANTS, Right, Role
from central_server.sync import quarantine
from central_server.sync.views import EXPANDER
from protocols.sync import Lane, Reading, Series
from tests.central_server.sync.test_views import readings

Centre: TypeAlias = Any  # the fixtures' classes, in conftest
Gateway: TypeAlias = Any


async def settled(centre: Centre) -> None:
    """Wait until the log is expanded."""
    async with asyncio.timeout(10):
        while any(row.packed_at is None and row.error is None for row in await centre.rows("batch")):
            await asyncio.sleep(0.01)


async def poisoned(centre: Centre, gateway: Gateway) -> None:
    """Have a batch in the log that does not unpack, between two that do."""
    await gateway.send(Lane.TELEMETRY, *readings(1, 2))
    await gateway.send(Lane.TELEMETRY, *readings(3, 2))
    await gateway.send(Lane.TELEMETRY, *readings(5, 2))
    await settled(centre)


async def spoil(centre: Centre) -> None:
    """Put a batch back that nothing can read, as a newer gateway's would be."""
    async with centre.db.write() as connection:
        await connection.exec_driver_sql(
            "UPDATE batch SET body = x'4748423905', expanded_at = NULL, packed_at = NULL WHERE id = 2"
        )
    centre.app[EXPANDER].wake()
    await settled(centre)


async def posted(centre: Centre, session: Any, path: str, **data: str) -> Any:
    view = await auth.session_for(centre.db, session.token)
    assert view is not None
    return await centre.ask("POST", path, token=session.token, data={"csrf": view.csrf, **data})


async def test_nothing_set_aside_says_so(centre: Centre) -> None:
    token = (await centre.signed_in()).token
    answer = await centre.ask("GET", "/quarantine", token=token)
    assert (answer.status, "没有隔离数据" in answer.text) == (200, True)


async def test_a_batch_that_cannot_be_read_is_listed_with_its_bytes_and_holds_nothing_up(
    centre: Centre, gateway: Gateway
) -> None:
    session = await centre.signed_in()
    await poisoned(centre, gateway)
    await spoil(centre)
    await gateway.send(Lane.TELEMETRY, *readings(7, 2))
    await settled(centre)
    (row,) = await centre.rows("quarantine")
    assert (row.batch_id, row.seq, row.reason) == (2, 0, "truncated")
    assert "无法解读" in (await centre.ask("GET", "/quarantine", token=session.token)).text
    assert "无法解读" not in (await centre.ask("GET", "/quarantine?q=elsewhere", token=session.token)).text
    page = (await centre.ask("GET", f"/quarantine/{row.id}", token=session.token)).text
    assert "000000  47 48 42 39 05" in page
    assert "GHB9." in page


async def test_another_try_that_succeeds_settles_it_and_one_that_fails_opens_it_again(
    centre: Centre, gateway: Gateway
) -> None:
    session = await centre.signed_in()
    await poisoned(centre, gateway)
    (good,) = [bytes(row.body) for row in await centre.rows("batch") if row.id == 2]
    await spoil(centre)
    assert (await posted(centre, session, "/quarantine/1/retry")).status == 303
    await settled(centre)
    (row,) = await centre.rows("quarantine")
    assert (row.settled_at, row.tries) == (None, 2)
    async with centre.db.write() as connection:
        await connection.exec_driver_sql("UPDATE batch SET body = ? WHERE id = 2", (good,))
    assert (await posted(centre, session, "/quarantine/1/retry")).status == 303
    await settled(centre)
    (row,) = await centre.rows("quarantine")
    assert (row.outcome, row.settled_by) == ("retried", "前台")
    assert all(batch.packed_at and not batch.error for batch in await centre.rows("batch"))
    assert [entry.action for entry in await centre.rows("audit")].count("quarantine.retry") == 2
    assert (await posted(centre, session, "/quarantine/1/retry")).status == 409


async def test_what_is_dismissed_needs_a_remark_and_stays_dismissed(centre: Centre, gateway: Gateway) -> None:
    session = await centre.signed_in()
    await poisoned(centre, gateway)
    await spoil(centre)
    assert (await posted(centre, session, "/quarantine/1/dismiss", remark=" ")).status == 422
    assert (await posted(centre, session, "/quarantine/1/dismiss", remark="旧版本的试验数据")).status == 303
    async with centre.db.write() as connection:
        await quarantine.note(connection, 1, 2, quarantine.WHOLE, "unreadable", "again")
    (row,) = await centre.rows("quarantine")
    assert (row.outcome, row.remark) == ("dismissed", "旧版本的试验数据")
    page = (await centre.ask("GET", "/quarantine/1", token=session.token)).text
    assert "旧版本的试验数据" in page
    assert "没有隔离数据" in (await centre.ask("GET", "/quarantine", token=session.token)).text


async def test_a_single_record_is_shown_as_what_it_is(centre: Centre, gateway: Gateway) -> None:
    session = await centre.signed_in()
    await gateway.send(Lane.BILLING, *readings(41, 3))
    async with centre.db.write() as connection:
        await quarantine.note(connection, 1, 1, 2, "absurd-time", "year 58000")
    page = (await centre.ask("GET", "/quarantine/1", token=session.token)).text
    assert "energyImportTotal" in page
    assert "1970" in page
    assert '<dd class="mono">42</dd>' in page
    assert "/quarantine/1/retry" not in page
    far = Reading(Series("em-2", "energyImportTotal", "kWh"), 2**53, Decimal(1))
    await gateway.send(Lane.BILLING, far)
    async with centre.db.write() as connection:
        await quarantine.note(connection, 1, 2, 4, "absurd-time", "far")
    assert (await centre.ask("GET", "/quarantine/2", token=session.token)).status == 200
    assert (await posted(centre, session, "/quarantine/1/retry")).status == 409


async def test_long_lists_come_in_pages(centre: Centre, gateway: Gateway) -> None:
    token = (await centre.signed_in()).token
    await gateway.send(Lane.BILLING, *readings(1, 1))
    async with centre.db.write() as connection:
        for seq in range(1, service.PAGE + 3):
            await quarantine.note(connection, 1, 1, seq, "absurd-time", "far")
    first = (await centre.ask("GET", "/quarantine", token=token)).text
    second = (await centre.ask("GET", "/quarantine?page=2", token=token)).text
    assert (first.count('href="/quarantine/'), second.count('href="/quarantine/')) == (service.PAGE, 2)


def test_only_administrators_and_the_control_room_settle() -> None:
    changing = {route.policy for route in views.routes() if route.method == "POST"}
    assert changing == {Right.QUARANTINE_SETTLE}
    assert GRANTS[Right.QUARANTINE_SETTLE] == {Role.ADMINISTRATOR, Role.CONTROL_ROOM}
