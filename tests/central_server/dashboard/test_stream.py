"""The live stream."""

import asyncio
import json
from typing import Any

import pytest

from central_server.dashboard import stream
from central_server.rbac import Right
from central_server.web import HUB


async def next_message(answer: Any) -> dict[str, Any]:
    async with asyncio.timeout(5):
        while True:
            line = await answer.content.readline()
            if line.startswith(b"data: "):
                message: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
                return message


async def test_a_listener_hears_a_beat_at_once_and_then_what_happens(newcomer: Any) -> None:
    async with newcomer.client.get("/live") as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        assert answer.headers["Cache-Control"] == "no-store"
        assert (await next_message(answer))["type"] == "beat"
        newcomer.publish({"type": "alarms"})
        assert await next_message(answer) == {"type": "alarms"}


async def test_beats_go_on_while_nothing_happens(newcomer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "BEAT_S", 0.05)
    async with newcomer.client.get("/live") as answer:
        beats = [await next_message(answer) for _ in range(3)]
    assert [beat["type"] for beat in beats] == ["beat"] * 3
    assert beats[0]["at"] < beats[2]["at"]


async def test_the_stream_of_an_ended_session_says_so_and_ends(newcomer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "BEAT_S", 0.05)
    async with newcomer.client.get("/live") as answer:
        assert (await next_message(answer))["type"] == "beat"
        async with newcomer.db.write() as conn:
            await conn.exec_driver_sql("UPDATE session SET ended_at = 1")
        while (message := await next_message(answer))["type"] == "beat":
            pass
        assert message == {"type": "signed-out"}
        async with asyncio.timeout(5):
            assert await answer.content.read() == b"\n"


async def test_a_listener_hears_only_what_their_role_and_site_may_know(newcomer: Any) -> None:
    await newcomer.add("site", code="lake", name="湖畔", zone="Asia/Shanghai")
    async with newcomer.db.write() as conn:
        await conn.exec_driver_sql("UPDATE account SET role = 'technician', site_id = 1")
    hub = newcomer.client.app[HUB]
    async with newcomer.client.get("/live") as answer:
        await next_message(answer)
        hub.publish({"type": "alarms", "of": "another site"}, site_id=2)
        hub.publish({"type": "doors"}, site_id=1)
        hub.publish({"type": "orders", "of": "the clerks"}, right=Right.BILLS_SEE)
        hub.publish({"type": "alarms", "of": "mine"}, site_id=1)
        assert await next_message(answer) == {"type": "alarms", "of": "mine"}


async def test_a_role_that_is_taken_away_is_gone_from_an_open_stream_at_once(newcomer: Any) -> None:
    hub = newcomer.client.app[HUB]
    async with newcomer.client.get("/live") as answer:
        await next_message(answer)
        async with newcomer.db.write() as conn:
            await conn.exec_driver_sql("UPDATE account SET role = 'resident'")
        hub.recheck()
        assert (await next_message(answer))["type"] == "beat"
        hub.publish({"type": "alarms"})
        hub.publish({"type": "notices"})
        assert await next_message(answer) == {"type": "notices"}
        async with newcomer.db.write() as conn:
            await conn.exec_driver_sql("UPDATE account SET is_disabled = 1")
        hub.recheck()
        assert await next_message(answer) == {"type": "signed-out"}


async def test_an_open_stream_keeps_nobody_signed_in(newcomer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "BEAT_S", 0.02)
    async with newcomer.db.write() as conn:
        await conn.exec_driver_sql("UPDATE session SET last_seen_at = last_seen_at - 600000")
        before = (await conn.exec_driver_sql("SELECT last_seen_at FROM session")).scalar_one()
    async with newcomer.client.get("/live") as answer:
        for _ in range(3):
            await next_message(answer)
    await newcomer.get("/me", headers={"X-Background": "1"})
    async with newcomer.db.read() as conn:
        assert (await conn.exec_driver_sql("SELECT last_seen_at FROM session")).scalar_one() == before
    await newcomer.get("/me")
    async with newcomer.db.read() as conn:
        assert (await conn.exec_driver_sql("SELECT last_seen_at FROM session")).scalar_one() > before
