"""A gap has a cause: the gateway where it was away, else the meter or its line."""

from pathlib import Path

from edge_agent.outage import Cause, Outage, from_event, is_gap, lasting, outage_between, to_event
from edge_agent.outage_log import read_outages
from edge_agent.store import Store
from protocols.record import Event, Lane

MINUTE = 60_000
DAY = 86_400_000


def test_a_missed_poll_is_no_gap_and_three_are() -> None:
    assert not is_gap(0, 2 * 900_000, 900)
    assert is_gap(0, 4 * 900_000, 900)
    assert not is_gap(0, 80_000, 1), "a fast poll may be late without a report"


def test_what_began_before_the_gateway_was_up_is_the_gateways_and_else_the_meters() -> None:
    assert outage_between("em-1", 0, 3 * DAY, 60, edge_since=2 * DAY) == Outage("em-1", 0, 3 * DAY, Cause.EDGE)
    assert outage_between("em-1", 0, 3 * DAY, 60, edge_since=-1) == Outage("em-1", 0, 3 * DAY, Cause.DEVICE)
    assert outage_between("em-1", 0, MINUTE, 60, edge_since=-1) is None


def test_what_lasts_is_the_gateways_while_it_does_not_run() -> None:
    reads, periods = {"em-1": 0, "em-2": 9 * MINUTE, "gone": 0}, {"em-1": 60.0, "em-2": 60.0}
    assert lasting(reads, periods, 10 * MINUTE, None) == [Outage("em-1", 0, None, Cause.DEVICE)]
    assert lasting(reads, periods, 10 * MINUTE, 10 * MINUTE) == [Outage("em-1", 0, None, Cause.EDGE)]


def test_an_event_says_an_outage_and_a_strangers_says_none() -> None:
    outage = Outage("em-1", 5, 10, Cause.DEVICE)
    assert from_event(to_event(outage)) == outage
    for body in ({}, {"since": 5}, {"since": 5, "until": 10, "cause": "weather"}, {"since": "5", "until": 10}):
        assert from_event(Event("gap", "device:em-1", 1, body)) is None
    assert from_event(Event("alarm", "device:em-1", 1, to_event(outage).body)) is None


async def test_the_store_keeps_outages_when_their_events_are_delivered_and_gone(tmp_path: Path) -> None:
    path = tmp_path / "edge.db"
    async with await Store.open(path, "gw-1") as store:
        outages = [Outage("em-1", 5, 10, Cause.DEVICE), Outage("em-2", 7, 12, Cause.EDGE)]
        last = await store.append(Lane.CONTROL, [to_event(it) for it in outages])
        await store.ack(Lane.CONTROL, last)
        assert read_outages(path, 0) == outages
        assert read_outages(path, 10) == outages[1:]
        assert read_outages(path, 0, "em-1") == outages[:1]
