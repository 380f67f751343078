"""The whole server: its table of routes, its start and its end."""

import asyncio
import re
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from aiohttp import web

from central_server.app import routes
from central_server.migrate import newest_version
from central_server.rbac import Right
from central_server.web import ROUTES, SAFE_METHODS, Policy

Centre: TypeAlias = Any  # the fixture's class, in conftest


def test_every_route_of_the_table_has_a_policy() -> None:
    table = routes()
    assert all(isinstance(route.policy, Policy | Right) for route in table)
    assert len({(route.method, route.path) for route in table}) == len(table)


async def test_every_route_of_the_server_is_in_the_table(app: web.Application) -> None:
    assert [route for route in app.router.routes() if route not in app[ROUTES]] == []


def test_what_is_open_to_everyone_is_this_and_nothing_more() -> None:
    assert {f"{route.method} {route.path}" for route in routes() if route.policy is Policy.PUBLIC} == {
        "GET /healthz",
        "GET /readyz",
        "GET /static/{name:.+}",
        "GET /sign-in",
        "GET /sign-in/code",
        "POST /sign-in/code",
        "POST /sign-in/code/send",
        "POST /sign-in",
        "POST /language",
        "POST /theme",
    }


async def test_no_route_lets_in_who_may_not(centre: Centre) -> None:
    session = await centre.signed_in("walker")
    for route in routes():
        path = re.sub(r"\{[^}]+\}", "1", route.path)
        if route.policy is Policy.PUBLIC:
            continue
        anonymous = await centre.ask(route.method, path)
        assert anonymous.status in (303, 401), (route.method, path)
        if route.policy is Policy.GATEWAY:
            assert (await centre.ask(route.method, path, token=session.token)).status == 401, path
        elif route.method not in SAFE_METHODS:
            assert (await centre.ask(route.method, path, token=session.token)).status == 403, path


async def test_health_is_told_apart_from_readiness(centre: Centre) -> None:
    assert (await centre.ask("GET", "/healthz")).json == {"ok": True}
    assert (await centre.ask("GET", "/readyz")).json == {"ok": True}
    await centre.db.close()
    assert centre.db.path is not None
    centre.db.path.unlink()
    centre.db.path.mkdir()
    ready = await centre.ask("GET", "/readyz")
    assert (ready.status, ready.json["error"]["key"]) == (503, "not_ready")
    assert ready.headers["Retry-After"] == "5"
    assert (await centre.ask("GET", "/healthz")).status == 200


async def start(folder: Path, listen: str = "127.0.0.1:0") -> tuple[asyncio.subprocess.Process, str]:
    """Start the real command; give it and its last line of log."""
    (folder / "central.toml").write_text(f'[central]\nlisten = "{listen}"\n')
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "central_server", "-c", str(folder / "central.toml"), "run",
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    line = ""
    async with asyncio.timeout(30):
        while "ready: " not in line and (read := await process.stderr.readline()):
            line = read.decode()
    return process, line


async def test_the_command_makes_its_database_serves_and_ends_cleanly(tmp_path: Path) -> None:
    process, line = await start(tmp_path)
    found = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
    assert found
    reader, writer = await asyncio.open_connection("127.0.0.1", int(found[1]))
    writer.write(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert b"200 OK" in await reader.read()
    writer.close()
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(10):
        assert await process.wait() == 0
    connection = sqlite3.connect(tmp_path / "data" / "central.db")
    assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (newest_version(),)
    connection.close()
    assert not list((tmp_path / "data").glob("*-wal")), "nothing is left to be recovered"


async def test_a_port_in_use_is_one_clear_sentence(tmp_path: Path) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    process, line = await start(tmp_path, f"127.0.0.1:{port}")
    assert await process.wait() == 2
    assert f"127.0.0.1:{port} is in use by another program" in line
    assert f"change 'listen' in {tmp_path / 'central.toml'}" in line
    server.close()


@pytest.mark.parametrize("listen", ["0.0.0.0:8470", "nonsense"])
async def test_settings_that_cannot_be_used_end_the_start(tmp_path: Path, listen: str) -> None:
    process, line = await start(tmp_path, listen)
    assert await process.wait() == 2
    assert f"{tmp_path / 'central.toml'}:2: central.listen:" in line
    assert not (tmp_path / "data").exists()
