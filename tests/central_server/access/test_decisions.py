"""What the doors decided, as the gateways tell it: once each, and about nobody else's doors."""

from typing import Any

from central_server.access import decisions
from central_server.access.decisions import Wanted
from central_server.clock import now_ms
from central_server.db import Database
from central_server.rbac import Actor, Role
from protocols.access import DECISION
from protocols.sync import Event
from tests.central_server.access.conftest import House

GUARD = Actor("guard", "保安", Role.GUARD, site_id=1)
FAR = Actor("far", "远", Role.GUARD, site_id=2)


def decision(number: int, **more: Any) -> Event:
    body = {"decision_id": f"gw-1/door-n/{number}", "door": "door-n", "granted": True, "reason": "granted"} | more
    return Event(DECISION, f"door:{body['door']}", now_ms() + number, body)


async def take(db: Database, *events: Event, edge_id: str = "gw-1") -> list[bool]:
    async with db.write() as connection:
        return [await decisions.take_in(connection, 1, edge_id, 1, event) for event in events]


async def seen(db: Database, actor: Actor = GUARD, **wanted: Any) -> list[decisions.DecisionRow]:
    async with db.read() as connection:
        return await decisions.listed(connection, actor, Wanted(**wanted), limit=50, offset=0)


async def test_a_decision_is_kept_once_with_who_it_was(db: Database, house: House) -> None:
    event = decision(1, credential=f"{house.card}.1", rules_version=3, offline=True)
    assert await take(db, event, event) == [True, False]
    (row,) = await seen(db)
    assert (row.door, row.person, row.is_granted, row.is_offline) == ("北门", "李雷", True, True)
    assert await seen(db, FAR) == [], "another site's guard"


async def test_an_unknown_card_keeps_its_number_so_that_it_can_be_given_to_somebody(db: Database, house: House) -> None:
    said = {"granted": False, "reason": "unknown_card", "card": {"bits": 26, "number": "2A5"}}
    await take(db, decision(1, **said), decision(2))
    (row,) = await seen(db, is_refused=True)
    assert (row.card_bits, row.card_number) == (26, "2a5")
    assert [found.id for found in await seen(db, who="02a5")] == [row.id]


async def test_people_are_found_by_their_whole_name_or_number_and_by_their_card(db: Database, house: House) -> None:
    await take(db, decision(1, credential=str(house.card)), decision(2))
    for who in ("李雷", "P2"):
        assert len(await seen(db, who=who)) == 1
    assert await seen(db, who="李") == []


async def test_a_gateway_speaks_for_its_own_doors_only_and_nonsense_is_passed_over(db: Database, house: House) -> None:
    assert await take(db, decision(1), decision(1), edge_id="gw-9") == [True, False]
    async with db.read() as connection:
        (key,) = (await connection.exec_driver_sql("SELECT decision_id FROM door_decision")).scalars()
    assert key == "gw-9/gw-1/door-n/1"
    broken = ({"reason": "because"}, {"door": 7}, {"door": ""}, {"reason": ["granted"]})
    assert await take(db, *(decision(2, **body) for body in broken)) == [False] * 4
    odd = decision(3, card={"bits": 26, "number": "zz"}, credential=["x"], rules_version="9")
    assert await take(db, odd) == [True]
