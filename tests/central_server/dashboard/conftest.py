"""A real application on a real database, and a browser's worth of HTTP."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer
from argon2 import PasswordHasher
from sqlalchemy import insert

from central_server import auth, schema
from central_server.app import build_app
from central_server.clock import now_ms
from central_server.config import Config
from central_server.db import Database
from central_server.migrate import migrate
from central_server.web import COOKIE, HUB
from protocols.quantity import to_scaled
from tests.central_server.blocks import put_reading
from tests.central_server.vault import KEY_FILE, VAULT

PASSWORD = "correct horse 7"


@dataclass
class Desk:
    """Somebody at a browser; ``get`` gives status and text."""

    client: Any
    db: Database

    async def get(self, path: str, **more: Any) -> tuple[int, str]:
        async with self.client.get(path, allow_redirects=False, **more) as answer:
            return answer.status, await answer.text()

    async def page(self, path: str) -> str:
        status, text = await self.get(path)
        assert status == 200, text
        return text

    async def csrf(self) -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', await self.page("/"))
        assert found
        return found[1]

    async def post(self, path: str, **fields: str) -> Any:
        return await self.client.post(path, data=fields, allow_redirects=False)

    async def sign_in(self, login: str = "desk-1", password: str = PASSWORD) -> Any:
        return await self.post("/sign-in", login=login, password=password, next="/")

    def publish(self, message: dict[str, Any]) -> None:
        self.client.app[HUB].publish(message)

    async def add(self, table: str, **values: Any) -> int:
        async with self.db.write() as conn:
            made = await conn.execute(insert(schema.metadata.tables[table]).values(**values))
            return int(made.inserted_primary_key[0]) if made.inserted_primary_key else 0

    async def read(self, series_id: int, at: int, value: str | None, quality: int = 0) -> None:
        """Store a reading and make it the latest."""
        mantissa, exponent = (None, None) if value is None else to_scaled(Decimal(value))
        scaled = {"mantissa": mantissa, "exponent": exponent, "quality": quality, "taken_at": at}
        gateway = {"gateway_id": 1, "epoch": "1", "lane": 2, "digest": "ab" * 32, "received_at": at, "body": b""}
        batch = await self.add("batch", **gateway, first_seq=at, last_seq=at, from_seq=series_id * 10**15 + at)
        async with self.db.write() as conn:
            await put_reading(conn, series_id=series_id, batch_id=batch, seq=at, **scaled)
            await conn.execute(schema.latest.delete().where(schema.latest.c.series_id == series_id))
        await self.add("latest", series_id=series_id, batch_id=batch, **scaled)

    async def series(self, code: str, kind: str, *points: tuple[str, str], name: str = "") -> list[int]:
        """Make a device of gateway gw-1 with series of these points and units."""
        described = {"code": code, "name": name or code, "kind": kind, "bus": "line-1", "profile": "p", "address": "7"}
        device = await self.add("device", gateway_id=1, first_seen_at=0, **described)
        return [await self.add("series", device_id=device, point=point, unit=unit) for point, unit in points]

    async def alarm(self, code: str, raised_at: int, **more: Any) -> int:
        values = {"priority": 2, "condition": "device_offline", "detail": "{}"} | more
        key = f"gw-1/device:{code}/{values['condition']}/{raised_at}"
        return await self.add("alarm", key=key, gateway_id=1, subject=f"device:{code}", raised_at=raised_at, **values)


@cache
def password_hash() -> str:
    """Hash the password once for all tests; it is slow, as it must be."""
    return PasswordHasher().hash(PASSWORD)


@pytest.fixture
async def stranger(tmp_path: Path) -> AsyncIterator[Desk]:
    """A browser that is not signed in, on an empty centre with one account."""
    db = Database(f"sqlite:///{tmp_path / 'central.db'}", VAULT)
    await migrate(db)
    known = {
        "login": "desk-1",
        "name": "值班台 1",
        "language": "en",
        "is_disabled": False,
        "role": "administrator",
        "created_at": 0,
    }
    async with db.write() as conn:
        await conn.execute(insert(schema.account).values(**known, password_hash=password_hash()))
    config = Config(tmp_path / "central.toml", "127.0.0.1", 0, str(db.url), "zh", "Asia/Shanghai", KEY_FILE)
    async with TestClient(TestServer(build_app(config, db)), cookie_jar=CookieJar(unsafe=True)) as client:
        yield Desk(client, db)
    await db.close()


@pytest.fixture
async def newcomer(stranger: Desk) -> Desk:
    """Somebody signed in on an empty centre."""
    now, token = now_ms(), "token-of-desk-1"
    times = {"created_at": now, "last_seen_at": now, "expires_at": now + 3_600_000}
    await stranger.add(
        "session", token_hash=auth.token_hash(token), account_id=1, csrf="csrf-of-desk-1", peer="", **times
    )
    stranger.client.session.cookie_jar.update_cookies({COOKIE: token}, stranger.client.make_url("/"))
    return stranger


@pytest.fixture
async def desk(newcomer: Desk) -> Desk:
    """Somebody signed in on a centre with one site, one building and gateway gw-1, heard just now."""
    site = await newcomer.add("site", code="lake", name="湖畔家园", zone="Asia/Shanghai")
    building = await newcomer.add("building", site_id=site, code="1", name="1 号楼")
    await newcomer.add("unit", building_id=building, code="1-101")
    await newcomer.add(
        "gateway", edge_id="gw-1", site_id=site, name="地下室", secret_hash="ab", created_at=0, last_seen_at=now_ms()
    )
    return newcomer
