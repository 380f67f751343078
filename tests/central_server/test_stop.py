"""A server that is told to stop does so within two seconds, whoever is listening."""

import asyncio
import re
import signal
import sys
import time
from pathlib import Path

import pytest

from central_server.auth import add_account, sign_in
from central_server.db import Database
from central_server.migrate import migrate
from central_server.rbac import Role, system
from tests.central_server.vault import VAULT, write_key


async def stream(port: int, token: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a live stream as a browser does, and hear its first beat."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /live HTTP/1.1\r\nHost: x\r\nCookie: gatehouse_session={token}\r\n\r\n".encode())
    await reader.readuntil(b'"beat"')
    return reader, writer


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_open_streams_and_half_sent_requests_do_not_keep_the_server(
    tmp_path: Path, number: signal.Signals
) -> None:
    db = Database(f"sqlite:///{tmp_path / 'data' / 'central.db'}", VAULT)
    await migrate(db)
    await add_account(db, "ann", "Ann", "en", "correct horse 7", Role.ADMINISTRATOR, actor=system("test"))
    token = (await sign_in(db, "ann", "correct horse 7", f"stop-{number}")).token
    await db.close()
    (tmp_path / "central.toml").write_text('[central]\nlisten = "127.0.0.1:0"\n')
    write_key(tmp_path)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "central_server", "-c", str(tmp_path / "central.toml"), "run",
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    async with asyncio.timeout(30):
        while not (
            found := re.search(r"ready: http://127\.0\.0\.1:(\d+)/", line := (await process.stderr.readline()).decode())
        ):
            assert line, "it ended before it was ready"
    port = int(found[1])
    streams = [await stream(port, token) for _ in range(20)]
    half = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
    for _, writer in half:
        writer.write(b"POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nlogin=")
    await asyncio.sleep(0.2)
    process.send_signal(number)
    started = time.monotonic()
    async with asyncio.timeout(10):
        assert await process.wait() == 0
    assert time.monotonic() - started < 2
    for reader, writer in streams:
        await reader.read()  # the server ended the stream; the browser is not left waiting
        writer.close()
    assert b"Traceback" not in await process.stderr.read()
