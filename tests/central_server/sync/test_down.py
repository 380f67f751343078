"""The way down as a gateway meets it: a real server, real WebSockets."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType

from central_server.clock import now_ms
from central_server.devices.service import invite, revoke
from central_server.sync.down import DOWN
from protocols.down import CLOSE_REPLACED, CLOSE_REVOKED, MAX_UP_BYTES, PATH_DOWN
from tests.central_server.conftest import Gateway


@asynccontextmanager
async def link(gateway: Gateway) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """Open the way down of a gateway and hear the centre's first word."""
    headers = {"Authorization": f"Gateway {gateway.edge_id}:{gateway.secret}"}
    async with gateway.centre.client.ws_connect(gateway.centre.url + PATH_DOWN, headers=headers) as socket:
        hello = await heard(socket)
        assert (hello["type"], len(hello["command_key"])) == ("hello", 64)
        assert abs(hello["server_time"] - now_ms()) < 5_000
        yield socket


async def heard(socket: aiohttp.ClientWebSocketResponse) -> dict[str, Any]:
    message = await socket.receive(timeout=5)
    assert message.type is WSMsgType.TEXT, message
    found: dict[str, Any] = json.loads(message.data)
    return found


async def closed(socket: aiohttp.ClientWebSocketResponse) -> float:
    """Wait until the centre closes; say how long it took."""
    began = time.monotonic()
    while (await socket.receive(timeout=5)).type is WSMsgType.TEXT:
        pass
    return time.monotonic() - began


async def gateway_id(gateway: Gateway) -> int:
    return next(row.id for row in await gateway.centre.rows("gateway") if row.edge_id == gateway.edge_id)


async def test_a_gateway_is_spoken_to_as_long_as_its_link_is_open(gateway: Gateway) -> None:
    down, key = gateway.centre.app[DOWN], await gateway_id(gateway)
    assert not down.send(key, {"type": "config"})
    async with link(gateway) as socket:
        assert down.connected() == {key}
        assert down.send(key, {"type": "config", "revision": 3})
        assert await heard(socket) == {"type": "config", "revision": 3}
        await socket.send_json({"type": "beat", "at": 12})
        beat = await heard(socket)
        assert (beat["type"], beat["at"]) == ("beat", 12)
    for _ in range(100):
        if not down.connected():
            break
        await asyncio.sleep(0.01)
    assert not down.send(key, {"type": "config"})


async def test_whoever_is_shut_out_is_out_within_a_second(gateway: Gateway) -> None:
    async with link(gateway) as socket:
        await revoke(gateway.centre.db, gateway.edge_id)
        assert await closed(socket) < 1
        assert socket.close_code == CLOSE_REVOKED
    with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
        async with link(gateway):
            pass
    noted = [row for row in await gateway.centre.rows("audit") if row.action == "gateways.refused"]
    assert len(noted) == 1


async def test_a_new_secret_ends_the_link_that_the_old_one_opened(gateway: Gateway) -> None:
    async with link(gateway) as socket:
        await invite(gateway.centre.db, "lake", gateway.edge_id)
        assert await closed(socket) < 1


async def test_the_newest_link_counts(gateway: Gateway) -> None:
    down, key = gateway.centre.app[DOWN], await gateway_id(gateway)
    async with link(gateway) as old, link(gateway) as new:
        await closed(old)
        assert old.close_code == CLOSE_REPLACED
        assert down.send(key, {"type": "rules"})
        assert (await heard(new))["type"] == "rules"


async def test_what_nobody_knows_is_passed_over_and_what_is_too_large_ends_the_link(gateway: Gateway) -> None:
    async with link(gateway) as socket:
        for text in ('{"type": "dance"}', "not json", "[]", '{"type": 3}', "[" * 5_000):
            await socket.send_str(text)
        await socket.send_json({"type": "beat", "at": 1})
        assert (await heard(socket))["type"] == "beat"
        await socket.send_str("x" * (MAX_UP_BYTES + 1))
        await closed(socket)
        assert socket.close_code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG


async def test_a_gateway_that_says_nothing_is_given_up(gateway: Gateway) -> None:
    gateway.centre.app[DOWN]._silent_s = 0.3
    async with link(gateway) as socket:
        assert await closed(socket) < 2


async def test_a_gateway_that_does_not_read_is_given_up_and_holds_nobody_up(gateway: Gateway) -> None:
    down, key = gateway.centre.app[DOWN], await gateway_id(gateway)
    async with link(gateway):
        said = 0
        while down.send(key, {"type": "config", "text": "x" * 500_000}) and said < 500:
            said += 1
            await asyncio.sleep(0)
        assert said < 500
        assert down.connected() == frozenset()


async def test_a_server_that_stops_waits_for_no_link(gateway: Gateway) -> None:
    async with link(gateway) as open_before:
        gateway.centre.app[DOWN].close()
        assert await closed(open_before) < 1
    async with link(gateway) as opened_after:
        assert await closed(opened_after) < 1


async def test_a_fault_in_one_message_leaves_the_link_open(gateway: Gateway) -> None:
    told: list[str] = []

    async def note(known: Any, message: Any) -> None:
        told.append(known.edge_id)
        raise ValueError(message)

    gateway.centre.app[DOWN].on("config_result", note)
    async with link(gateway) as socket:
        await socket.send_json({"type": "config_result"})
        await socket.send_json({"type": "beat", "at": 1})
        assert (await heard(socket))["type"] == "beat"
    assert told == ["gw-1"]
