"""The live stream."""

import asyncio
import json
from typing import Any

import pytest

from central_server.dashboard import stream


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
