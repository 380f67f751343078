"""The centre's report shows what gateways told of gaps, and what lasts now."""

from central_server.gaps.service import Gap, gaps_of, totals
from central_server.live import Hub
from central_server.rbac import Actor, Role, system
from central_server.sync.service import authenticate, take_batch
from central_server.telemetry.expansion import Expander
from protocols.sync import Event, Lane
from tests.central_server.lake import MINUTE, NOVEMBER, Lake, batch_of, energy

HOUR = 60 * MINUTE
MONTH = (NOVEMBER, NOVEMBER + 30 * 24 * HOUR)
NOW = NOVEMBER + 10 * HOUR
US = system("test")


async def feed(lake: Lake, *records: Event, lane: Lane = Lane.CONTROL) -> None:
    gateway = await authenticate(lake.db, f"Gateway gw-1:{lake.secret}")
    await take_batch(lake.db, gateway, batch_of([energy(NOVEMBER, "1"), energy(NOVEMBER, "1", device="em-2")]))
    await take_batch(lake.db, gateway, batch_of(records, lane=lane))
    expander = Expander(lake.db, Hub(), lambda: NOW)
    while await expander.expand_next():
        pass


def gap(device: str, since: int, until: int, cause: str) -> Event:
    return Event("gap", f"device:{device}", until, {"since": since, "until": until, "cause": cause})


async def test_what_gateways_told_is_listed_by_month_with_its_cause(lake: Lake) -> None:
    await feed(
        lake,
        gap("em-1", NOVEMBER + HOUR, NOVEMBER + 3 * HOUR, "device"),
        gap("em-2", NOVEMBER - HOUR, NOVEMBER + HOUR, "edge"),
        gap("em-2", NOVEMBER - 9 * HOUR, NOVEMBER - 8 * HOUR, "edge"),
        Event("gap", "device:em-1", NOVEMBER + HOUR, {"since": "?", "until": 1, "cause": "weather"}),
    )
    found = await gaps_of(lake.db, US, *MONTH, NOVEMBER - 1)
    assert [(it.code, it.since - NOVEMBER, it.lasted_ms(NOW), it.cause) for it in found] == [
        ("em-1", HOUR, 2 * HOUR, "device"),
        ("em-2", -HOUR, 2 * HOUR, "edge"),
    ]
    assert totals(found, NOW) == {"device": 2 * HOUR, "edge": 2 * HOUR, "link": 0}
    assert [it.code for it in await gaps_of(lake.db, US, *MONTH, NOVEMBER - 1, "EM-2")] == ["em-2"]
    elsewhere = Actor("a", "a", Role.MANAGER, site_id=99)
    assert await gaps_of(lake.db, elsewhere, *MONTH, NOVEMBER - 1) == []


async def test_a_meter_not_heard_now_is_the_links_where_its_gateway_is_silent_and_else_its_own(lake: Lake) -> None:
    await feed(lake, Event("note", "gateway:gw-1", 1, {}))
    await lake.sql("UPDATE gateway SET last_seen_at = :at WHERE edge_id = 'gw-1'", at=NOW - HOUR)
    lasting = await gaps_of(lake.db, US, *MONTH, NOW)
    assert {(it.code, it.since, it.until, it.cause) for it in lasting} == {
        ("em-1", NOVEMBER, None, "link"),
        ("em-2", NOVEMBER, None, "link"),
    }
    assert isinstance(lasting[0], Gap)
    assert lasting[0].lasted_ms(NOW) == 10 * HOUR
    await lake.sql("UPDATE gateway SET last_seen_at = :at WHERE edge_id = 'gw-1'", at=NOW)
    assert {it.cause for it in await gaps_of(lake.db, US, *MONTH, NOW)} == {"device"}
