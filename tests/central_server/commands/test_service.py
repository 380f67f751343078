"""Commands from the page to the gateway and back: a real server, a gateway's voice, people of several roles."""

import asyncio
import json
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from central_server.clock import now_ms
from central_server.commands.model import Orderable
from central_server.commands.views import COMMANDS
from central_server.rbac import Role
from central_server.sync.down import DOWN
from protocols.command import OPEN, WRITE, read_command
from protocols.sync import Event, Lane
from scripts.roles import Visitor
from tests.central_server.conftest import Answer, Gateway
from tests.central_server.matrix import visitor
from tests.central_server.sync.test_down import heard, link

LOGIN = "manager-all"
DOOR = {
    "id": "door-1",
    "name": "East gate",
    "kind": "door",
    "state": "ok",
    "commands": [{"action": "open", "class": "door"}],
}
VALVE = {
    "id": "valve-1",
    "kind": "valve",
    "state": "ok",
    "commands": [
        {"action": "write", "class": "valve", "point": "valveState", "states": {"0": "open", "1": "closed"}},
        {"action": "write", "class": "setting", "point": "flowLimit", "unit": "m3/h", "min": "0.5", "max": "10"},
        {"action": "write", "class": "bomb", "point": "x", "states": {}},
        "nonsense",
    ],
}


@pytest.fixture
async def manager(gateway: Gateway) -> Visitor:
    assert (await gateway.report(devices=[DOOR, VALVE])).status == 200
    return await visitor(gateway.centre.db, Role.MANAGER)


async def order(gateway: Gateway, who: Visitor, path: str, **fields: str) -> Answer:
    return await gateway.centre.ask("POST", path, token=who.token, data={"csrf": who.csrf, **fields})


async def opened(gateway: Gateway, who: Visitor) -> str:
    answer = await order(gateway, who, "/devices/1/open", reason="courier at the gate")
    assert answer.status == 303, answer.text
    return str(answer.headers["Location"]).rpartition("/")[2]


async def commanded(socket: aiohttp.ClientWebSocketResponse) -> dict[str, Any]:
    told = await heard(socket)
    assert told["type"] == "command"
    found: dict[str, Any] = told["command"]
    return found


async def row(gateway: Gateway, made: str) -> Any:
    return next(each for each in await gateway.centre.rows("command") if each.id == made)


async def until_state(gateway: Gateway, made: str, state: str) -> Any:
    async with asyncio.timeout(5):
        while (found := await row(gateway, made)).state != state:
            await asyncio.sleep(0.02)
    return found


def result(made: str, state: str, **more: Any) -> Event:
    return Event("command", "device:door-1", now_ms(), {"id": made, "state": state, "error": None, **more})


async def test_a_door_is_opened_from_its_page(gateway: Gateway, manager: Visitor) -> None:
    centre = gateway.centre
    async with link(gateway) as socket:
        made = await opened(gateway, manager)
        wire = await commanded(socket)
        command = read_command(wire, "gw-1", centre.app[DOWN].command_key)
        assert (command.id, command.device, command.action, command.actor) == (made, "door-1", OPEN, LOGIN)
        assert 0 < command.expires_at - now_ms() <= 10_000
        page = await centre.ask("GET", f"/commands/{made}", token=manager.token)
        assert "on its way" in page.text
        await gateway.send(Lane.CONTROL, result(made, "done", read_back={"door": "open"}))
        found = await until_state(gateway, made, "done")
        assert json.loads(found.read_back) == {"door": "open"}
        # What a gateway tells twice, or otherwise, changes nothing any more.
        await gateway.send(Lane.CONTROL, result(made, "done"), result(made, "failed"), result("nonsense", "done"))
        await asyncio.sleep(0.2)
        assert (await row(gateway, made)) == found
    page = await centre.ask("GET", f"/commands/{made}", token=manager.token)
    assert ("The device has carried it out." in page.text, "courier at the gate" in page.text) == (True, True)
    noted = {each.action: each for each in await centre.rows("audit")}
    assert noted["commands.issue"].login == LOGIN
    assert json.loads(noted["commands.issue"].detail)["reason"] == "courier at the gate"
    assert noted["commands.end"].subject == f"command:{made}"


async def test_a_command_to_a_gateway_that_is_away_waits_and_then_is_dropped_for_ever(
    gateway: Gateway, manager: Visitor
) -> None:
    commands = gateway.centre.app[COMMANDS]
    first, second = await opened(gateway, manager), await opened(gateway, manager)
    assert first < second
    assert (await row(gateway, first)).state == "queued"
    commands._now = lambda: now_ms() + 10_001
    await until_state(gateway, second, "expired")
    commands._now = now_ms
    async with link(gateway) as socket:
        await socket.send_json({"type": "hello"})
        await socket.send_json({"type": "beat", "at": 1})
        assert (await heard(socket))["type"] == "beat", "and no command before it"


async def test_a_link_that_comes_back_brings_what_still_holds(gateway: Gateway, manager: Visitor) -> None:
    commands = gateway.centre.app[COMMANDS]
    made = await opened(gateway, manager)
    for _ in range(2):  # sent once more, because nobody knows whether it had arrived
        async with link(gateway) as socket:
            await socket.send_json({"type": "hello"})
            assert (await commanded(socket))["id"] == made
        assert (await row(gateway, made)).state == "sent"
    commands._now = lambda: now_ms() + 41_000
    await until_state(gateway, made, "unknown")
    commands._now = now_ms
    async with link(gateway) as socket:
        await socket.send_json({"type": "command_result", "id": made, "state": "done", "read_back": None})
        await until_state(gateway, made, "done")


async def test_a_valve_is_set_to_what_its_profile_lists_and_to_nothing_else(gateway: Gateway, manager: Visitor) -> None:
    path = "/devices/2/write?point=valveState"
    for told, fields in (
        ("Choose one of the list.", {"value": "7", "reason": "leak"}),
        ("Fill this in.", {"value": "1"}),
    ):
        answer = await order(gateway, manager, path, **fields)
        assert (answer.status, told in answer.text) == (422, True)
    answer = await order(gateway, manager, "/devices/2/write?point=flowLimit", value="11", reason="leak")
    assert (answer.status, "Write a number from 0.5 to 10." in answer.text) == (422, True)
    assert (await order(gateway, manager, "/devices/2/write?point=x", value="1", reason="leak")).status == 404
    assert (await order(gateway, manager, "/devices/2/open", reason="leak")).status == 404
    assert await gateway.centre.rows("command") == []
    async with link(gateway) as socket:
        assert (await order(gateway, manager, path, value="1", reason="leak")).status == 303
        wire = await commanded(socket)
        assert (wire["action"], wire["args"]) == (WRITE, {"point": "valveState", "value": "1"})
        assert (wire["class"], 100_000 < wire["expires_at"] - now_ms() <= 120_000) == ("valve", True)
    page = await gateway.centre.ask("GET", "/devices/2", token=manager.token)
    assert "/devices/2/write?point=valveState" in page.text


async def test_who_may_not_may_not(gateway: Gateway, manager: Visitor) -> None:
    guard, auditor = await visitor(gateway.centre.db, Role.GUARD), await visitor(gateway.centre.db, Role.AUDITOR)
    assert (await order(gateway, guard, "/devices/1/open", reason="courier")).status == 303
    assert (await order(gateway, guard, "/devices/2/write?point=valveState", value="1", reason="leak")).status == 403
    assert (await order(gateway, auditor, "/devices/1/open", reason="courier")).status == 403
    answer = await gateway.centre.ask("GET", "/commands", token=auditor.token)
    assert (answer.status, "East gate" in answer.text) == (200, True)
    assert (await gateway.centre.ask("POST", "/devices/1/open", token=guard.token, data={"reason": "x"})).status == 403


async def test_what_a_gateway_did_not_believe_is_in_the_audit_once(gateway: Gateway) -> None:
    refused = Event("command_refused", "gateway:gw-1", now_ms(), {"reason": "security", "times": 3, "id": "?"})
    await gateway.send(Lane.CONTROL, refused, refused)
    async with asyncio.timeout(5):
        while not (found := [each for each in await gateway.centre.rows("audit") if each.action == "commands.refused"]):
            await asyncio.sleep(0.02)
    assert [(each.subject, each.outcome) for each in found] == [("gateway:gw-1", "denied")]


async def test_a_gateway_speaks_for_its_own_commands_only(gateway: Gateway, manager: Visitor) -> None:
    made = await opened(gateway, manager)
    other = await gateway.centre.gateway("gw-2")
    await other.send(Lane.CONTROL, result(made, "done"))
    await asyncio.sleep(0.3)
    assert (await row(gateway, made)).state == "queued"


def test_a_number_is_taken_within_its_ends() -> None:
    limit = Orderable(WRITE, "setting", "flowLimit", "m3/h", None, Decimal("0.5"), Decimal(10))
    assert [limit.takes(text) for text in ("0.5", "10", "10.1", "NaN", "Infinity", "", "1e0")] == [
        True, True, False, False, False, False, True,
    ]  # fmt: skip
