"""The way down on a real network: what a gateway does when it is cut, silent, crowded or shut."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType, web

from edge_agent.credential import Secret
from edge_agent.downlink import Downlink
from protocols.down import MAX_DOWN_BYTES, MAX_UP_BYTES, PATH_DOWN
from protocols.errors import ProtocolError

Talk = Callable[[web.WebSocketResponse], Awaitable[None]]


class Turned(Secret):
    """A credential that can be exchanged."""

    number = 1

    def generation(self) -> object:
        return self.number


@dataclass
class Peer:
    """Something that answers at the centre's address; ``talk`` is what it does with a link."""

    talk: Talk | None = None
    links: int = 0
    heard: list[dict[str, Any]] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.links += 1
        self.headers = request.headers
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "hello", "server_time": 1_000_000})
        if self.talk is not None:
            await self.talk(socket)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                self.heard.append(json.loads(message.data))
        return socket


@asynccontextmanager
async def linked(peer: Peer, **more: Any) -> AsyncIterator[tuple[Downlink, Turned]]:
    app = web.Application()
    app.router.add_get(PATH_DOWN, peer.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    credential = Turned("gw-1", "secret")
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    settings: dict[str, Any] = {"beat_s": 0.1, "silent_s": 0.6, "wait": lambda most: 0.01, **more}
    down = Downlink(url, credential, "ab" * 32, **settings)
    task = asyncio.create_task(down.run())
    try:
        yield down, credential
    finally:
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled(), task.exception()
        await runner.cleanup()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


async def beating(socket: web.WebSocketResponse) -> None:
    """Answer every beat, until the link ends."""
    async for message in socket:
        told = json.loads(message.data)
        if told["type"] == "beat":
            await socket.send_json({"type": "beat", "at": told["at"], "server_time": 2_000_000})


async def test_a_gateway_proves_itself_beats_and_learns_the_time() -> None:
    peer = Peer(beating)
    async with linked(peer) as (down, _):
        await until(lambda: down.centre.now(0) is not None and down.is_connected)
        first = down.centre.now(0)
        await until(lambda: down.centre.now(0) != first)
        await asyncio.sleep(0.8)
        assert peer.links == 1, "answered beats keep it open"
    assert peer.headers["Authorization"] == "Gateway gw-1:secret"


async def test_a_centre_that_says_nothing_more_is_left_and_looked_for_again() -> None:
    peer = Peer()
    async with linked(peer):
        await until(lambda: peer.links == 3)
    assert peer.heard[0] == {"type": "hello"}


async def test_messages_reach_who_asked_for_them_and_the_rest_is_passed_over() -> None:
    async def talk(socket: web.WebSocketResponse) -> None:
        for text in ('{"type": "dance"}', "no json", "[1]", '{"type": "config", "n": 1}', '{"type": "config", "n": 2}'):
            await socket.send_str(text)

    peer, told = Peer(talk), []

    async def note(message: Mapping[str, Any]) -> None:
        told.append(message["n"])
        if message["n"] == 1:
            raise ValueError("this one cannot be taken")

    async with linked(peer, silent_s=5) as (down, _):
        down.on("config", note)
        await until(lambda: told == [1, 2])
        assert down.send({"type": "config_result", "n": 2})
        await until(lambda: {"type": "config_result", "n": 2} in peer.heard)
        with pytest.raises(ValueError, match="has more than"):
            down.send({"type": "x", "text": "y" * MAX_UP_BYTES})
        assert peer.links == 1


async def test_a_message_that_is_too_large_ends_the_link() -> None:
    async def talk(socket: web.WebSocketResponse) -> None:
        await socket.send_json({"type": "config", "text": "x" * MAX_DOWN_BYTES})

    peer, told = Peer(talk), []
    refused: list[str] = []

    async def note(message: Mapping[str, Any]) -> None:
        told.append(message)

    async def refuse(error: ProtocolError) -> None:
        refused.append(error.kind)

    async with linked(peer) as (down, _):
        down.on("config", note)
        down.on_refused(refuse)
        await until(lambda: peer.links >= 2)
    assert told == []
    assert refused[0] == "length"


async def test_a_centre_that_sends_it_elsewhere_is_not_followed() -> None:
    elsewhere, told = Peer(beating), []

    async def away(request: web.Request) -> web.StreamResponse:
        told.append(request.path)
        raise web.HTTPTemporaryRedirect(f"{there._url}{PATH_DOWN}")

    peer = Peer()
    peer.serve = away  # type: ignore[method-assign]
    async with linked(elsewhere) as (there, _), linked(peer) as (down, _):
        await until(lambda: len(told) > 2)
        assert "sends this gateway elsewhere" in str(down.as_json()["error"])
        assert elsewhere.links == 1, "the one of its own"


async def test_a_link_that_ends_at_the_very_moment_stops_when_it_is_told_to() -> None:
    async def talk(socket: web.WebSocketResponse) -> None:
        await socket.close()

    for turn in range(40):
        async with asyncio.timeout(5), linked(Peer(talk), wait=lambda most: 0):
            await asyncio.sleep(0.01 + turn / 10_000)


async def test_another_certificate_is_shown_on_another_link() -> None:
    peer = Peer(beating)
    async with linked(peer) as (down, credential):
        await until(lambda: down.is_connected)
        credential.number = 2
        await until(lambda: peer.links == 2)


async def test_waits_grow_and_have_full_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(_: Downlink) -> None:
        raise aiohttp.ClientConnectionError

    asked: list[float] = []

    def wait(most: float) -> float:
        asked.append(most)
        return 0.001

    monkeypatch.setattr(Downlink, "_connect", refuse)
    async with linked(Peer(), wait=wait):
        await until(lambda: len(asked) > 9)
    assert asked[:9] == [2, 4, 8, 16, 32, 60, 60, 60, 60]
    down = Downlink("http://127.0.0.1:1", Secret("gw-1", "x"), "")
    found = [down._wait(10) for _ in range(200)]
    assert min(found) < 1, "full jitter, not a part of the wait only"
    assert 9 < max(found) <= 10
