"""A real centre: a SQLite file, an aiohttp server on loopback and gateways that speak to it over HTTP."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from sqlalchemy import insert, select

from central_server import auth, schema
from central_server.app import build_app
from central_server.config import Config
from central_server.db import Database
from central_server.devices.service import invite
from central_server.migrate import migrate
from central_server.rbac import Role, system
from protocols.sync import CONTENT_TYPE, PATH_BATCHES, PATH_STATUS, Batch, Lane, Record, encode_batch
from tests.central_server.blocks import kept_readings
from tests.central_server.lake import Caller, Lake, opened_lake, serving
from tests.central_server.vault import KEY_FILE, VAULT

LOGIN, PASSWORD = "desk-1", "correct horse 7"


@dataclass
class Answer:
    """What the server said, read to its end."""

    status: int
    headers: Any
    text: str
    json: Any = None


@dataclass
class Centre:
    """A running server and a client that keeps no cookies of its own."""

    url: str
    app: web.Application
    db: Database
    client: aiohttp.ClientSession
    gateways: dict[str, "Gateway"] = field(default_factory=dict)

    async def ask(self, method: str, path: str, *, token: str | None = None, **more: Any) -> Answer:
        headers = dict(more.pop("headers", {}))
        if token is not None:
            headers["Cookie"] = f"gatehouse_session={token}"
        async with self.client.request(
            method, self.url + path, headers=headers, allow_redirects=False, **more
        ) as response:
            text = await response.text()
            is_json = response.content_type == "application/json"
            return Answer(response.status, response.headers, text, await response.json() if is_json else None)

    async def rows(self, table: str) -> list[Any]:
        if table == "reading":  # packed: there is no such table
            return await kept_readings(self.db)
        async with self.db.read() as connection:
            return list((await connection.execute(select(schema.metadata.tables[table]))).all())

    async def signed_in(self, login: str = LOGIN, role: Role = Role.ADMINISTRATOR, **more: Any) -> auth.Session:
        """Open an account and sign it in."""
        await auth.add_account(self.db, login, "前台", "zh", PASSWORD, role, actor=system("test"), **more)
        return await auth.sign_in(self.db, login, PASSWORD, "127.0.0.1")

    async def gateway(self, edge_id: str = "gw-1") -> "Gateway":
        return Gateway(self, edge_id, await invite(self.db, "lake", edge_id))


@dataclass
class Gateway:
    """Speaks the sync protocol as an edge does."""

    centre: Centre
    edge_id: str
    secret: str
    epoch: int = 2**64 - 1
    seqs: dict[Lane, int] = field(default_factory=dict)

    async def post(self, path: str, body: bytes, secret: str | None = None, **headers: str) -> Answer:
        all_headers = {"Authorization": f"Gateway {self.edge_id}:{secret or self.secret}"} | headers
        return await self.centre.ask("POST", path, data=body, headers=all_headers)

    def batch(self, lane: Lane, first: int, *records: Record) -> bytes:
        return encode_batch(Batch(self.edge_id, self.epoch, lane, first, records))

    async def deliver(self, body: bytes) -> Answer:
        return await self.post(PATH_BATCHES, body, **{"Content-Type": CONTENT_TYPE})

    async def send(self, lane: Lane, *records: Record) -> None:
        """Deliver the next records of a lane and see them acknowledged."""
        first = self.seqs.get(lane, 0) + 1
        answer = await self.deliver(self.batch(lane, first, *records))
        self.seqs[lane] = first + len(records) - 1
        assert (answer.status, answer.json["acked"]) == (200, self.seqs[lane])

    async def report(self, **status: Any) -> Answer:
        return await self.centre.ask(
            "POST",
            PATH_STATUS,
            json={"edge_id": self.edge_id, **status},
            headers={"Authorization": f"Gateway {self.edge_id}:{self.secret}"},
        )


Start = Callable[[], Awaitable[Centre]]


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    """A new database with one site."""
    made = Database(f"sqlite:///{tmp_path / 'central.db'}", VAULT)
    await migrate(made)
    async with made.write() as connection:
        await connection.execute(insert(schema.site).values(code="lake", name="湖畔", zone="Asia/Shanghai"))
    yield made
    await made.close()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(tmp_path / "central.toml", "127.0.0.1", 0, "", "zh", "Asia/Shanghai", KEY_FILE)


@pytest.fixture
async def app(config: Config, db: Database) -> web.Application:
    """The server's application, not started yet: a test may add to it."""
    return build_app(config, db)


@pytest.fixture
async def centre(app: web.Application, db: Database) -> AsyncIterator[Centre]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client:
        yield Centre(f"http://127.0.0.1:{runner.addresses[0][1]}", app, db, client)
    await runner.cleanup()


@pytest.fixture
async def gateway(centre: Centre) -> Gateway:
    return await centre.gateway()


@pytest.fixture
async def lake(tmp_path: Path) -> AsyncIterator[Lake]:
    """A database with a site and its gateway, and no server on it."""
    async with opened_lake(tmp_path) as opened:
        yield opened


@pytest.fixture
async def caller(lake: Lake) -> AsyncIterator[Caller]:
    """Speak to the whole server, with its background tasks at work."""
    async with serving(build_app(lake.config, lake.db), lake.secret) as speaking:
        yield speaking
