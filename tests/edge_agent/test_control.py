"""The local socket answers its owner, and survives whatever it is sent."""

import asyncio
import json
import stat
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import pytest

from edge_agent.control import ControlClient, ControlError, ControlServer, NotRunning


async def echo(question: Mapping[str, Any]) -> Any:
    return {"heard": question.get("word")}


async def refuse(_question: Mapping[str, Any]) -> Any:
    raise ControlError("there is no such device")


async def stumble(_question: Mapping[str, Any]) -> Any:
    raise RuntimeError("a fault of ours")


ended: list[str] = []


async def count(question: Mapping[str, Any]) -> AsyncGenerator[Any]:
    try:
        for number in range(question["to"]):
            yield number
            if question.get("pause"):
                await asyncio.sleep(question["pause"])
        if question.get("then") == "refuse":
            raise ControlError("no further than that")
        if question.get("then") == "stumble":
            raise RuntimeError("a fault of ours")
    finally:
        ended.append("count")


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[Path]:
    server = ControlServer(
        tmp_path / "edge.sock", {"echo": echo, "refuse": refuse, "stumble": stumble}, {"count": count}
    )
    await server.open()
    yield tmp_path / "edge.sock"
    await server.close()


async def raw(path: Path, line: bytes) -> dict[str, Any]:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(line)
    answer: dict[str, Any] = json.loads(await reader.readline())
    writer.close()
    return answer


async def test_a_question_is_answered(path: Path) -> None:
    assert await ControlClient(path).ask("echo", word="水表") == {"heard": "水表"}


async def test_a_refusal_comes_in_the_gateways_own_words(path: Path) -> None:
    with pytest.raises(ControlError, match="no such device"):
        await ControlClient(path).ask("refuse")


async def test_only_the_owner_may_ask(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("line", [b"garbage\n", b"[1]\n", b"{}\n", b'{"op": "nothing"}\n', b"\xff\xfe\n", b"null\n"])
async def test_garbage_gets_an_answer_and_harms_nobody(path: Path, line: bytes) -> None:
    assert (await raw(path, line))["ok"] is False
    assert await ControlClient(path).ask("echo", word="still here") == {"heard": "still here"}


async def test_without_a_gateway_the_asker_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotRunning):
        await ControlClient(tmp_path / "edge.sock").ask("echo")


async def test_a_fault_in_the_gateway_is_answered_and_the_next_question_too(path: Path) -> None:
    with pytest.raises(ControlError, match="its log has it"):
        await ControlClient(path).ask("stumble")
    assert await ControlClient(path).ask("echo") == {"heard": None}


async def test_a_line_without_end_does_not_fill_the_memory(path: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(path)
    with suppress(ConnectionError):
        for _ in range(8):
            writer.write(b"x" * 1024 * 1024)
            await writer.drain()
        await reader.read()
    writer.close()
    assert await ControlClient(path).ask("echo") == {"heard": None}


@pytest.mark.parametrize("answer", [b"pong\n", b"[]\n", b"{}\n", b'{"ok": true}\n', b'{"ok": false}\n', b"\xff\n"])
async def test_an_answer_of_another_version_is_told_as_such(tmp_path: Path, answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(answer)
        writer.close()

    async with await asyncio.start_unix_server(serve, tmp_path / "edge.sock"):
        with pytest.raises(ControlError, match="another version"):
            await ControlClient(tmp_path / "edge.sock").ask("status")


async def test_a_gateway_that_stops_while_it_is_asked_is_not_running(tmp_path: Path) -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_unix_server(serve, tmp_path / "edge.sock"):
        with pytest.raises(NotRunning):
            await ControlClient(tmp_path / "edge.sock").ask("status")


async def test_a_gateway_that_hangs_does_not_hang_its_asker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    monkeypatch.setattr("edge_agent.control._PATIENCE_S", 0.05)
    async with await asyncio.start_unix_server(serve, tmp_path / "edge.sock"):
        with pytest.raises(ControlError, match="has not answered"):
            await ControlClient(tmp_path / "edge.sock").ask("status")


async def test_a_socket_that_cannot_be_made_is_told_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="Choose another"):
        await ControlServer(tmp_path / "nowhere/edge.sock", {}).open()
    with pytest.raises(ControlError, match="too long"):
        await ControlServer(tmp_path / ("x" * 120), {}).open()


async def test_a_socket_left_by_a_killed_gateway_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "edge.sock").touch()
    server = ControlServer(tmp_path / "edge.sock", {"echo": echo})
    await server.open()
    assert await ControlClient(tmp_path / "edge.sock").ask("echo") == {"heard": None}
    await server.close()
    assert not (tmp_path / "edge.sock").exists()


async def test_a_stream_tells_one_after_the_other_and_ends(path: Path) -> None:
    assert [told async for told in ControlClient(path).follow("count", to=3)] == [0, 1, 2]


@pytest.mark.parametrize(("then", "words"), [("refuse", "no further"), ("stumble", "its log has it")])
async def test_a_stream_that_ends_badly_says_why_after_what_it_told(path: Path, then: str, words: str) -> None:
    stream = ControlClient(path).follow("count", to=2, then=then)
    assert [await anext(stream), await anext(stream)] == [0, 1]
    with pytest.raises(ControlError, match=words):
        await anext(stream)


async def test_whoever_has_heard_enough_ends_the_stream_at_the_gateway_too(path: Path) -> None:
    ended.clear()
    async with aclosing(ControlClient(path).follow("count", to=1_000, pause=30)) as stream:
        assert await anext(stream) == 0
    async with asyncio.timeout(3):
        while not ended:
            await asyncio.sleep(0.01)
    assert await ControlClient(path).ask("echo", word="still here") == {"heard": "still here"}


async def test_a_stream_that_is_not_known_and_a_gateway_that_is_not_there_are_told(path: Path, tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="does not know that question"):
        await anext(ControlClient(path).follow("dance"))
    with pytest.raises(NotRunning):
        await anext(ControlClient(tmp_path / "nowhere.sock").follow("count"))
