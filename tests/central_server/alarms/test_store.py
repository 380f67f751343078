"""What a gateway's events do to alarms."""

from typing import Any

from central_server.alarms import store
from protocols.sync import Event
from tests.central_server.lake import MINUTE, NOVEMBER, Lake, alarm


class Ear:
    """Hears a gateway's events and applies them."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake

    async def hear(self, *events: Event, edge_id: str = "gw-1") -> list[bool]:
        gateway = {row.edge_id: row.id for row in await self.lake.rows("gateway")}[edge_id]
        async with self.lake.db.write() as connection:
            return [await store.apply_event(connection, gateway, edge_id, event) for event in events]

    async def cleared(self) -> dict[str, Any]:
        return {row.key: row.cleared_at for row in await self.lake.rows("alarm")}


def started(at: int, edge_id: str = "gw-1") -> Event:
    return Event("started", f"gateway:{edge_id}", at, {"version": "0.1.0"})


async def test_a_start_clears_what_the_gateway_had_raised_and_it_raises_again_what_holds(lake: Lake) -> None:
    ear = Ear(lake)
    now = NOVEMBER + MINUTE
    offline, down = alarm("raised", NOVEMBER, NOVEMBER), alarm("raised", now, now, "bus:b", "bus_down")
    again = alarm("raised", now + 1, now + 1, "bus:b", "bus_down")
    assert await ear.hear(offline, down, started(now), again) == [True] * 4
    assert list((await ear.cleared()).values()) == [now, now, None]


async def test_a_start_leaves_what_was_cleared_before_as_it_is(lake: Lake) -> None:
    ear = Ear(lake)
    await ear.hear(alarm("raised", NOVEMBER, NOVEMBER), alarm("cleared", NOVEMBER, NOVEMBER + 1))
    assert await ear.hear(started(NOVEMBER + MINUTE)) == [False]
    assert list((await ear.cleared()).values()) == [NOVEMBER + 1]


async def test_a_start_clears_no_silence_which_is_the_centres_to_clear(lake: Lake) -> None:
    ear = Ear(lake)
    (gateway,) = await lake.rows("gateway")
    common = {"subject": "x", "priority": 1, "raised_at": NOVEMBER, "detail": "{}", "gateway_id": gateway.id}
    await lake.add("alarm", key="silent", condition=store.GATEWAY_SILENT, **common)
    assert await ear.hear(started(NOVEMBER + MINUTE)) == [False]
    assert await ear.cleared() == {"silent": None}


async def test_a_start_clears_no_alarm_of_another_gateway(lake: Lake) -> None:
    ear = Ear(lake)
    await lake.invite("gw-2")
    await ear.hear(alarm("raised", NOVEMBER, NOVEMBER))
    forged, own = started(NOVEMBER + MINUTE, "gw-1"), started(NOVEMBER + MINUTE, "gw-2")
    assert await ear.hear(forged, own, edge_id="gw-2") == [False, False]
    assert list((await ear.cleared()).values()) == [None]


async def test_a_start_that_was_before_an_alarm_does_not_clear_it(lake: Lake) -> None:
    ear = Ear(lake)
    await ear.hear(alarm("raised", NOVEMBER + 1, NOVEMBER + 1), started(NOVEMBER))
    assert list((await ear.cleared()).values()) == [None]


async def test_events_of_other_kinds_touch_no_alarm(lake: Lake) -> None:
    assert await Ear(lake).hear(Event("door", "device:d", NOVEMBER, {"alarm_id": "x"})) == [False]
    assert await lake.rows("alarm") == []


async def test_neither_a_cleared_event_nor_a_restart_ends_an_entrapment(lake: Lake) -> None:
    ear = Ear(lake)
    said = ("device:lift-1", "lift_entrapment")
    raised, cleared = alarm("raised", NOVEMBER, NOVEMBER, *said), alarm("cleared", NOVEMBER, NOVEMBER + 5, *said)
    assert await ear.hear(raised, cleared, cleared, started(NOVEMBER + MINUTE)) == [True, True, False, False]
    (row,) = await lake.rows("alarm")
    (gateway,) = await lake.rows("gateway")
    assert (row.cleared_at, row.gone_at, row.site_id) == (None, NOVEMBER + 5, gateway.site_id)
