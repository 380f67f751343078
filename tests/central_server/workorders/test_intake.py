"""How orders begin by themselves: devices' alarms over HTTP and what inspections find."""

import asyncio

from central_server.clock import now_ms
from central_server.photos import service as photos
from central_server.photos.picture import Picture
from central_server.rbac import system
from central_server.workorders import service
from central_server.workorders.model import Source, State, Urgency
from central_server.workorders.store import Order
from protocols.sync import Event, Lane
from tests.central_server.conftest import Centre, Gateway
from tests.central_server.workorders.conftest import Estate


def alarm(condition: str, at: int, state: str = "raised") -> Event:
    body = {"alarm_id": f"device:lift-1/{condition}/{at}", "condition": condition, "state": state, "priority": 1}
    return Event("alarm", "device:lift-1", at, body)


async def orders(centre: Centre, count: int) -> list[Order]:
    """Wait until so many orders are there, then a little longer, as one too many would come late."""
    for _ in range(100):
        if len(await centre.rows("work_order")) >= count:
            break
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.1)
    async with centre.db.read() as connection:
        _, found = await service.list_orders(
            connection, system("test"), service.Wanted(group="all", sort="number"), now_ms(), limit=50
        )
    assert len(found) == count
    return [each.order for each in found]


async def test_somebody_trapped_is_an_emergency_that_every_technician_sees_at_once(
    centre: Centre, gateway: Gateway, estate: Estate
) -> None:
    now = now_ms()
    await gateway.send(Lane.SAFETY, alarm("lift_entrapment", now))
    (order,) = await orders(centre, 1)
    assert (order.facts.state, order.facts.urgency, order.source) == (State.POOL, Urgency.EMERGENCY, Source.ALARM)
    assert order.facts.respond_due_at - order.created_at == 5 * 60_000
    async with centre.db.read() as connection:
        _, pool = await service.work_of(connection, estate.technicians[0], now)
    assert [each.order.id for each in pool] == [order.id]


async def test_a_fault_that_comes_again_while_its_order_is_open_is_a_word_in_it(
    centre: Centre, gateway: Gateway, estate: Estate
) -> None:
    now = now_ms()
    await gateway.send(Lane.SAFETY, alarm("lift_fault", now), alarm("lift_fault", now, "cleared"))
    await gateway.send(Lane.SAFETY, alarm("lift_fault", now + 1), alarm("lift_fault", now + 1, "cleared"))
    (order,) = await orders(centre, 1)
    async with centre.db.read() as connection:
        kinds = [each.kind for each in await service.events(connection, order.id)]
    assert kinds == ["open", "triage", "pool", "repeat"]

    await service.cancel(centre.db, estate.desk, order.id, None)
    await gateway.send(Lane.SAFETY, alarm("lift_fault", now + 2))
    await orders(centre, 2)


async def test_an_alarm_that_needs_no_hands_opens_nothing(centre: Centre, gateway: Gateway, estate: Estate) -> None:
    await gateway.send(Lane.SAFETY, alarm("device_offline", now_ms()), alarm("lift_fault", now_ms(), "cleared"))
    await orders(centre, 0)


async def test_the_same_device_number_at_two_gateways_is_two_faults(
    centre: Centre, gateway: Gateway, estate: Estate
) -> None:
    await gateway.send(Lane.SAFETY, alarm("lift_fault", now_ms()))
    await (await centre.gateway("gw-2")).send(Lane.SAFETY, alarm("lift_fault", now_ms()))
    await orders(centre, 2)


async def test_what_an_inspection_finds_twice_is_one_order_with_both_photos(centre: Centre, estate: Estate) -> None:
    async with centre.db.write() as connection:
        picture = Picture(b"jpeg", 2, 2, "0" * 64)
        kept = [
            await photos.add(connection, [picture], kind="check", kind_id=at, site_id=1, actor=system("inspector"))
            for at in (1, 2)
        ]
        finding = {"site_id": 1, "building_id": 1, "equipment_id": None, "subject": "pump-1/seal", "at": now_ms()}
        first, second = [
            await service.open_from_finding(
                connection, estate.desk, **finding, title="密封渗水", detail=f"第 {at} 次", photo_ids=ids
            )
            for at, ids in enumerate(kept, start=1)
        ]
    assert first == second
    async with centre.db.read() as connection:
        view = await service.get_order(connection, estate.desk, first, now_ms())
    assert [each.kind for each in view.entries] == ["open", "repeat"]
    assert view.entries[1].note == "第 2 次"
    assert len(view.photos) == 2
