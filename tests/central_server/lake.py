"""A small centre for tests: a real database file, records of one site, a gateway's voice, a server on loopback."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse, ClientSession, web
from sqlalchemy import insert, select, text

from central_server import schema
from central_server import web as shell
from central_server.config import Config
from central_server.db import Database
from central_server.devices.service import invite
from central_server.errors import CentralError
from central_server.live import Hub
from central_server.migrate import migrate
from protocols.quantity import Quality
from protocols.sync import (
    CONTENT_TYPE,
    PATH_BATCHES,
    PATH_STATUS,
    Batch,
    Event,
    Lane,
    Reading,
    Record,
    Series,
    encode_batch,
)
from tests.central_server.blocks import kept_readings
from tests.central_server.vault import KEY_FILE, VAULT

MINUTE = 60_000
# 2026-11-01T00:00:00+08:00
NOVEMBER = 1_793_462_400_000


def energy(at: int, value: str | None, device: str = "em-1", quality: Quality = Quality.GOOD) -> Reading:
    """Make a reading of an energy register."""
    return Reading(Series(device, "energyImportTotal", "kWh"), at, None if value is None else Decimal(value), quality)


def energies(first: int, count: int, device: str = "em-1") -> tuple[Reading, ...]:
    """Make a minute's readings each, whose value is their number."""
    return tuple(energy(NOVEMBER + number * MINUTE, str(number), device) for number in range(first, first + count))


def alarm(
    state: str, raised_at: int, at: int, subject: str = "device:em-1", condition: str = "device_offline"
) -> Event:
    body = {
        "alarm_id": f"gw-1/{subject}/{condition}/{raised_at}",
        "condition": condition,
        "state": state,
        "priority": 2,
        "detail": {"error": "no answer"},
    }
    return Event("alarm", subject, at, body)


def batch_of(
    records: Iterable[Record], first_seq: int = 1, lane: Lane = Lane.BILLING, edge_id: str = "gw-1", epoch: int = 2**63
) -> bytes:
    """Encode a batch; the epoch needs all of its 64 bits."""
    return encode_batch(Batch(edge_id, epoch, lane, first_seq, tuple(records)))


def status_of(edge_id: str = "gw-1", **changes: Any) -> dict[str, Any]:
    device: dict[str, Any] = {"id": "em-1", "name": "1-101", "bus": "tcp-1", "profile": "electricity/eastron-sdm630"}
    device |= {"kind": "electricity", "address": "1", "state": "ok", "breaker": "closed", "error": None}
    bus = {"id": "tcp-1", "kind": "modbus-tcp", "state": "up", "utilisation": 0.1}
    return {"edge_id": edge_id, "epoch": 7, "uptime_s": 3, "devices": [device], "buses": [bus]} | changes


@dataclass
class Lake:
    """A migrated database with a site ``lake`` and its gateway ``gw-1``."""

    db: Database
    config: Config
    secret: str = ""
    seen: list[Mapping[str, Any]] = field(default_factory=list)

    async def rows(self, table: str) -> list[Any]:
        if table == "reading":  # packed: there is no such table
            return await kept_readings(self.db)
        found = schema.metadata.tables[table]
        async with self.db.read() as connection:
            return list((await connection.execute(select(found).order_by(*found.primary_key.columns))).all())

    async def add(self, table: str, **values: Any) -> int:
        async with self.db.write() as connection:
            made = await connection.execute(insert(schema.metadata.tables[table]).values(**values))
            assert made.inserted_primary_key
            return int(made.inserted_primary_key[0])

    async def sql(self, statement: str, **values: Any) -> None:
        async with self.db.write() as connection:
            await connection.execute(text(statement), values)

    async def invite(self, edge_id: str) -> str:
        return await invite(self.db, "lake", edge_id)


@asynccontextmanager
async def opened_lake(folder: Path, url: str = "") -> AsyncIterator[Lake]:
    url = url or f"sqlite:///{folder / 'central.db'}"
    db = Database(url, VAULT)
    await migrate(db)
    config = Config(folder / "central.toml", "127.0.0.1", 0, url, "en", "Asia/Shanghai", KEY_FILE)
    lake = Lake(db, config)
    try:
        await lake.add("site", code="lake", name="Lake side", zone="Asia/Shanghai")
        lake.secret = await lake.invite("gw-1")
        yield lake
    finally:
        await db.close()


@dataclass
class Caller:
    """Speaks HTTP to a running server."""

    http: ClientSession
    url: str
    secret: str

    def authorization(self, edge_id: str = "gw-1", secret: str | None = None) -> dict[str, str]:
        return {"Authorization": f"Gateway {edge_id}:{self.secret if secret is None else secret}"}

    async def call(self, method: str, path: str, **more: Any) -> ClientResponse:
        answer = await self.http.request(method, self.url + path, allow_redirects=False, **more)
        await answer.read()
        return answer

    async def send(self, body: bytes, headers: Mapping[str, str] | None = None) -> ClientResponse:
        """Post a batch as gw-1 does, or with other headers."""
        sent = {**self.authorization(), "Content-Type": CONTENT_TYPE, **(headers or {})}
        return await self.call("POST", PATH_BATCHES, data=body, headers=sent)

    async def report(self, status: Any, headers: Mapping[str, str] | None = None) -> ClientResponse:
        return await self.call("POST", PATH_STATUS, json=status, headers={**self.authorization(), **(headers or {})})


@asynccontextmanager
async def serving(app: web.Application, secret: str = "") -> AsyncIterator[Caller]:
    """Serve an application on a free loopback port."""
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with ClientSession() as http:
            yield Caller(http, f"http://127.0.0.1:{runner.addresses[0][1]}", secret)
    finally:
        await runner.cleanup()


def bare_app(lake: Lake, routes: Iterable[shell.Route]) -> web.Application:
    """Make an application of the shell and the routes of a test; it has no pages."""

    async def error_page(_request: web.Request, error: CentralError, message: str) -> web.Response:
        return web.Response(status=error.status, text=message)

    app = web.Application(middlewares=[shell.error_boundary, shell.access], client_max_size=1024 * 1024)
    app[shell.DB], app[shell.CONFIG], app[shell.HUB] = lake.db, lake.config, Hub()
    app[shell.ROUTES] = {}
    app[shell.ERROR_PAGE] = error_page
    app.on_response_prepare.append(shell.add_security_headers)
    shell.add_routes(app, routes)
    return app
