"""What a gateway is told: it follows the records by itself, rises by one, and goes to nobody else."""

from typing import Any

from sqlalchemy import update

from central_server import schema
from central_server.access import rule_store, rules, service
from central_server.access.entry import DoorForm, NewCard
from central_server.clock import now_ms
from central_server.db import Database
from drivers.base import CardRead
from edge_agent.access import decide, open_book
from protocols.access import PATH_RULES, Rules, decode_rules, rules_hash
from protocols.access_delta import apply_delta, decode_delta, is_delta
from protocols.wiegand import encode_card
from tests.central_server.access.conftest import MANAGER, House, furnish
from tests.central_server.conftest import Centre, Gateway

LI = CardRead(1, 26, encode_card(26, 12, 345))
DAY = 86_400_000


async def told(db: Database) -> Rules:
    body = await rules.body_for(db, 1)
    assert body
    return decode_rules(body)


async def reason(db: Database, at: int | None = None, door: str = "door-n") -> str:
    return decide(LI, door, at or now_ms(), open_book(await told(db))).reason


async def test_a_card_is_in_the_rules_before_the_page_comes_back_and_so_is_its_end(db: Database, house: House) -> None:
    assert (await reason(db), await reason(db, door="door-s")) == ("granted", "no_right")
    before = (await told(db)).version
    await service.revoke(db, MANAGER, house.card)
    assert (await told(db)).version == before + 1
    assert await reason(db) == "revoked"


async def test_an_ended_tenancy_denies_though_nobody_touched_the_card(db: Database, house: House) -> None:
    async with db.write() as connection:
        await connection.execute(update(schema.tenancy).values(to_on="2026-10-31"))
    assert await rules.refresh_all(db) == [1]
    assert await reason(db, 1_793_375_999_999) == "granted", "a millisecond before midnight in Shanghai"
    assert await reason(db, 1_793_376_000_000) == "expired"


async def test_nothing_changed_is_no_new_version_and_a_vehicle_changes_nothing(db: Database, house: House) -> None:
    before = await rules.body_for(db, 1)
    async with db.write() as connection:
        values = {"person_id": house.people.li, "plate": "京A12345", "plate_index": "x", "kind": "car", "created_at": 0}
        await connection.execute(schema.vehicle.insert().values(**values))
    assert await rules.refresh_all(db) == []
    assert await rules.body_for(db, 1) == before


async def test_of_two_who_hand_down_at_once_the_older_is_told_to_look_again(db: Database, house: House) -> None:
    version = (await told(db)).version
    said: dict[str, Any] = {"digest": "x", "issued_at": 1, "body": "{}"}
    async with db.write() as connection:
        assert not await rule_store.hand_down(connection, 1, before=version - 1, version=version + 1, **said)
        assert await rule_store.hand_down(connection, 1, before=version, version=version + 1, **said)
    assert await rules.refresh(db, 1)
    assert (await told(db)).version == version + 2


async def test_how_a_door_is_worked_goes_with_the_rules(db: Database, house: House) -> None:
    await service.save_door(db, MANAGER, house.north, DoorForm(pulse_ms=5000, held_open_s=60))
    worked = {rule.code: (rule.pulse_ms, rule.held_open_s) for rule in (await told(db)).doors}
    assert worked == {"door-n": (5000, 60), "door-s": (3000, 30)}


async def test_a_gateway_asks_for_its_rules_by_version(centre: Centre, gateway: Gateway) -> None:
    async def ask(have: str = "", secret: str = gateway.secret) -> Any:
        headers = {"Authorization": f"Gateway {gateway.edge_id}:{secret}"}
        return await centre.ask("GET", f"{PATH_RULES}{have}", headers=headers)

    assert (await ask()).status == 204, "there are no doors"
    assert (await gateway.report()).json["rules_version"] is None
    await furnish(centre.db, 1)
    version = (await gateway.report()).json["rules_version"]
    assert version >= 1
    answer = await ask("?have=0")
    assert (answer.status, decode_rules(answer.text.encode()).version) == (200, version)
    assert (await ask(f"?have={version}")).status == 304
    assert (await ask(secret="wrong")).status == 401
    other = await centre.gateway("gw-2")
    mine = await centre.ask("GET", PATH_RULES, headers={"Authorization": f"Gateway gw-2:{other.secret}"})
    assert mine.status == 204, "another gateway's rules are not its own"


async def test_card_numbers_stand_nowhere_in_the_file(db: Database, house: House) -> None:
    async with db.read() as connection:
        raw = await connection.exec_driver_sql("SELECT number FROM credential")
        body = await connection.exec_driver_sql("SELECT body FROM door_rules")
        seen = b"".join(bytes(row[0]) for row in (*raw, *body))
    assert f"{LI.number:x}".encode() not in seen


async def test_a_centre_that_was_restored_from_an_older_copy_counts_on_from_what_its_gateway_has(
    centre: Centre, gateway: Gateway
) -> None:
    await furnish(centre.db, 1)
    await rules.refresh_all(centre.db)
    ours = (await told(centre.db)).version
    for odd in ("9", -1, 2**60, None, [3]):
        assert (await gateway.report(access={"rules_version": odd})).json["rules_version"] == ours
    assert (await gateway.report(access={"rules_version": ours + 7})).json["rules_version"] == ours + 7
    await rules.refresh_all(centre.db)
    assert (await told(centre.db)).version == ours + 8
    await rules.refresh_all(centre.db)
    assert (await told(centre.db)).version == ours + 8, "once"


async def test_a_gateway_that_says_what_it_has_is_sent_what_has_changed_since(centre: Centre, gateway: Gateway) -> None:
    house = await furnish(centre.db, 1)
    for number in range(400, 430):
        card = NewCard(site_id=1, person="李雷", facility=12, card=number)
        await service.enrol(centre.db, MANAGER, card, {house.group: None})
    had = await told(centre.db)
    await service.revoke(centre.db, MANAGER, house.card)
    await service.save_door(centre.db, MANAGER, house.north, DoorForm(pulse_ms=5000, held_open_s=60))

    async def ask(have: str) -> bytes:
        headers = {"Authorization": f"Gateway {gateway.edge_id}:{gateway.secret}"}
        return (await centre.ask("GET", f"{PATH_RULES}?have={have}", headers=headers)).text.encode()

    whole, ours = await ask("0"), await told(centre.db)
    delta = await ask(f"{had.version}/{rules_hash(had)}")
    assert is_delta(delta)
    assert len(delta) < len(whole) / 5
    assert rules_hash(apply_delta(had, decode_delta(delta))) == rules_hash(ours)
    for other in (f"{had.version}/{'0' * 64}", str(had.version), f"{had.version - 99}/{rules_hash(had)}", "x/y"):
        assert await ask(other) == whole, "who has something else is sent the whole"
    assert b"b40" not in (await _raw_steps(centre.db)), "card numbers are sealed there too"


async def _raw_steps(db: Database) -> bytes:
    async with db.read() as connection:
        rows = await connection.exec_driver_sql("SELECT body FROM door_rules_step")
        return b"".join(bytes(row[0]) for row in rows)
