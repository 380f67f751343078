"""Looking around: bounded in time, at one time, and harmless to the lines in use."""

import asyncio
import http.server
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge_agent.check.fact.centre import ask_centre
from edge_agent.check.fact.clock import is_synchronised
from edge_agent.check.fact.look import look
from edge_agent.check.fact.parallel import together
from edge_agent.check.fact.reach import reach
from edge_agent.control import ControlServer
from tests.edge_agent.check.world import HEAD, tcp

Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def centre(date: str | None = None) -> Answer:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response_only(200)
        handler.send_header("Date", date or handler.date_time_string())
        handler.send_header("Content-Type", "application/json")
        handler.end_headers()
        handler.wfile.write(b'{"ok": true}')

    return answer


def portal(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_response(302)
    handler.send_header("Location", "http://login.test/")
    handler.end_headers()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_centre_is_told_from_a_sign_in_page_and_its_clock_is_read() -> None:
    with serving(centre()) as url:
        found = ask_centre(url, 2)
    assert (found.error, found.status, found.is_ours) == (None, 200, True)
    assert found.offset_s is not None
    assert abs(found.offset_s) < 3
    with serving(centre("Thu, 01 Jan 1970 00:00:00 GMT")) as url:
        assert (ask_centre(url, 2).offset_s or 0) < -1e9
    with serving(portal) as url:
        found = ask_centre(url, 2)
    assert (found.status, found.is_ours, found.location) == (302, False, "http://login.test/")
    assert ask_centre(url, 2).error == "refused"
    with serving(centre()) as url:
        assert ask_centre(url.replace("http:", "https:"), 2).error == "tls"


def test_why_a_place_is_not_reached_is_told_apart() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert reach("127.0.0.1", server.getsockname()[1]).error is None
    assert reach("127.0.0.1", free_port()).error == "refused"
    assert reach("no-such-name.invalid", 502).error == "name"


def test_looks_go_on_together_and_one_that_hangs_is_left_out() -> None:
    began = time.monotonic()

    def slow() -> int:
        time.sleep(0.3)
        return 1

    def hang() -> int:
        time.sleep(30)
        return 2

    def fail() -> int:
        raise OSError("no")

    heard: list[str] = []
    found = together({"a": slow, "b": slow, "c": hang, "d": fail}, 1.0, heard.append)
    assert time.monotonic() - began < 2
    assert (found["a"], found["b"], "c" in found) == (1, 1, False)
    assert isinstance(found["d"], OSError)
    assert sorted(heard) == ["a", "b", "d"]
    assert together({}, 1.0) == {}


def test_a_look_that_hangs_does_not_keep_the_program_from_ending() -> None:
    script = (
        "import time; from edge_agent.check.fact.parallel import together;"
        "print(together({'a': lambda: time.sleep(60)}, 0.1))"
    )
    done = subprocess.run([sys.executable, "-c", script], timeout=30, capture_output=True, check=True)
    assert done.stdout == b"{}\n"


def test_the_kernel_says_whether_its_clock_is_kept() -> None:
    assert is_synchronised() in (True, False, None)


async def test_a_line_that_the_gateway_holds_is_not_connected_to(tmp_path: Path) -> None:
    """Many converters take one connection only: a second one would cut the gateway's."""
    called: list[int] = []
    rung = asyncio.Event()

    def ring(port: int, writer: asyncio.StreamWriter) -> None:
        called.append(port)
        rung.set()
        writer.close()

    lines: list[int] = []
    for number in range(2):
        server = await asyncio.start_server(
            lambda _, writer, number=number: ring(lines[number], writer), "127.0.0.1", 0
        )  # type: ignore[misc]
        lines.append(server.sockets[0].getsockname()[1])
    held, lost = lines
    buses = tcp("127.0.0.1", "held").replace('modbus-tcp"', f'modbus-tcp"\nport = {held}')
    buses += tcp("127.0.0.1", "lost").replace('modbus-tcp"', f'modbus-tcp"\nport = {lost}')
    (tmp_path / "edge.toml").write_text(HEAD + buses)
    (tmp_path / "data").mkdir()

    async def status(_: Mapping[str, Any]) -> Any:
        return {"buses": [{"id": "held", "state": "up"}, {"id": "lost", "state": "down"}]}

    async def doubts(_: Mapping[str, Any]) -> Any:
        return []

    control = ControlServer(tmp_path / "data/edge.sock", {"status": status, "guard": doubts})
    await control.open()
    scene = await asyncio.to_thread(look, tmp_path / "edge.toml")
    await control.close()
    assert list(scene.places) == [("127.0.0.1", lost)]
    assert scene.places[("127.0.0.1", lost)].error is None
    async with asyncio.timeout(5):
        await rung.wait()
    assert (scene.is_running, scene.doubts, called) == (True, [], [lost])


async def test_a_gateway_that_does_not_answer_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agent.check.fact.look.LONGEST_S", 0.3)
    (tmp_path / "edge.toml").write_text(HEAD)
    (tmp_path / "data").mkdir()

    async def hang(_: Mapping[str, Any]) -> Any:
        await asyncio.sleep(30)

    control = ControlServer(tmp_path / "data/edge.sock", {"status": hang})
    await control.open()
    scene = await asyncio.to_thread(look, tmp_path / "edge.toml")
    await control.close()
    assert (scene.is_running, "has not answered" in (scene.silence or "")) == (False, True)


def test_broken_settings_are_faults_and_the_machine_is_looked_at_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "edge.toml").write_text(HEAD + "[[bus]\n")
    scene = look(tmp_path / "edge.toml")
    assert scene.settings is None
    assert [fault.line for fault in scene.faults] == [4]
    assert scene.sqlite > (3, 0)
    assert json.dumps(scene.account.name)
