"""Gateways and devices: invited, heard of, watched."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server import audit
from central_server.alarms import store as alarm_store
from central_server.alarms.store import GATEWAY_SILENT
from central_server.clock import now_ms
from central_server.db import Database
from central_server.devices import store
from central_server.devices.store import DeviceRow, GatewayRow
from central_server.errors import BadRequest, Conflict, Forbidden, NotFound
from central_server.live import Hub
from central_server.rbac import Actor, system
from central_server.sync.enrolment import revoke_certificates
from central_server.sync.service import secret_hash
from protocols.sync import is_edge_id

log = logging.getLogger("central.devices")

SILENT_MS = 15_000
_SELF = system("gateway watch")
_WATCH_S = 2.0


class _Device(BaseModel):
    model_config = ConfigDict(extra="allow")

    id: Annotated[str, Field(min_length=1, max_length=64)]
    name: str = ""
    kind: str = ""
    bus: str = ""
    profile: str = ""
    address: str = ""
    state: str = "unknown"
    breaker: str = "closed"
    error: str | None = None


class Status(BaseModel):
    """What is used of a gateway's status; the rest is kept as it came."""

    model_config = ConfigDict(extra="allow")

    edge_id: str
    devices: list[_Device] = []
    buses: list[dict[str, Any]] = []


@dataclass(frozen=True, slots=True)
class DeviceView:
    """A device with its state as the gateway last told it."""

    device: DeviceRow
    gateway: GatewayRow
    is_silent: bool
    state: Mapping[str, Any]

    @property
    def bus_state(self) -> Mapping[str, Any]:
        buses: list[Mapping[str, Any]] = list(self.gateway.status.get("buses", []))
        return next((bus for bus in buses if bus.get("id") == self.device.bus), {})


def read_status(edge_id: str, status: Any) -> Status:
    """Read what a gateway says of itself.

    Raises: BadRequest for a status of another shape, Forbidden for another gateway's.
    """
    try:
        read = Status.model_validate(status)
    except ValidationError as error:
        text = "The status has another shape than this version expects: {detail}."
        raise BadRequest("sync_broken_status", text, detail=error.errors()[0]["msg"]) from None
    if read.edge_id != edge_id:
        text = "Gateway '{caller}' may not report for '{edge_id}'."
        raise Forbidden("sync_wrong_gateway", text, caller=edge_id, edge_id=read.edge_id)
    return read


async def note_status(
    connection: AsyncConnection, gateway_id: int, read: Status, told: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Keep a gateway's status as it told it, and its devices; give the state of each for the live stream."""
    keys = ("name", "kind", "bus", "profile", "address")
    described = [{"code": found.id, **{key: getattr(found, key)[:128] for key in keys}} for found in read.devices]
    await store.save_status(connection, gateway_id, told, now_ms())
    ids = await store.save_devices(connection, gateway_id, described, now_ms())
    return [
        {"device": ids[found.id], "state": found.state, "breaker": found.breaker, "error": found.error}
        for found in read.devices
    ]


async def list_gateways(db: Database, actor: Actor) -> list[GatewayRow]:
    """Give the gateways of the actor's site, by their id."""
    async with db.read() as connection:
        return await store.gateways(connection, actor)


async def list_devices(db: Database, actor: Actor, now: int | None = None) -> list[DeviceView]:
    """Give the devices of the actor's site with their state, by gateway and code."""
    async with db.read() as connection:
        gateways = {row.id: row for row in await store.gateways(connection, actor)}
        rows = await store.devices(connection, actor)
    return _views(rows, gateways, now or now_ms())


async def get_device(db: Database, actor: Actor, device_id: int, now: int | None = None) -> DeviceView:
    """Give one device. Raises: NotFound, also for one of another site."""
    async with db.read() as connection:
        gateways = {row.id: row for row in await store.gateways(connection, actor)}
        rows = await store.devices(connection, actor, device_id)
    if not rows:
        raise NotFound("no_device", "There is no such device.")
    return _views(rows, gateways, now or now_ms())[0]


def _views(rows: list[DeviceRow], gateways: Mapping[int, GatewayRow], now: int) -> list[DeviceView]:
    states = {(key, found.get("id")): found for key, row in gateways.items() for found in row.status.get("devices", [])}
    return [
        DeviceView(
            row,
            gateways[row.gateway_id],
            is_silent(gateways[row.gateway_id], now),
            states.get((row.gateway_id, row.code), {}),
        )
        for row in rows
    ]


def is_silent(gateway: GatewayRow, now: int) -> bool:
    """Tell whether a gateway has not been heard for longer than it may be."""
    return gateway.last_seen_at is None or now - gateway.last_seen_at > SILENT_MS


async def invite(db: Database, site_code: str, edge_id: str, name: str = "") -> str:
    """Let a gateway in: give its new secret, which is kept here as a hash only.

    A gateway known already gets a new secret and loses the old one.

    Raises: BadRequest for an id, NotFound for a site, Conflict for a gateway of another site.
    """
    if not is_edge_id(edge_id):
        text = "'{edge_id}' cannot name a gateway: small letters, digits and dashes, 32 at most."
        raise BadRequest("edge_id_form", text, edge_id=edge_id)
    secret = secrets.token_urlsafe(32)
    hashed = secret_hash(secret)
    try:
        async with db.write() as connection:
            site_id = await store.site_id(connection, site_code)
            if site_id is None:
                text = "There is no site '{site}'. Import it with 'central records import' first."
                raise NotFound("no_site", text, site=site_code)
            known = {row.edge_id: row for row in await store.gateways(connection, _SELF)}.get(edge_id)
            if known is not None and known.site_id != site_id:
                text = "Gateway '{edge_id}' belongs to site '{site}'. Choose another id."
                raise Conflict("edge_of_another_site", text, edge_id=edge_id, site=known.site_code)
            if known is None:
                await store.add_gateway(
                    connection, edge_id=edge_id, site_id=site_id, name=name or edge_id, secret_hash=hashed, at=now_ms()
                )
            else:
                await store.renew_secret(connection, edge_id, hashed)
    except IntegrityError:
        raise Conflict("edge_taken", "Gateway '{edge_id}' was invited a moment ago.", edge_id=edge_id) from None
    return secret


async def revoke(db: Database, edge_id: str) -> None:
    """Shut a gateway out at once. Raises: NotFound."""
    async with db.write() as connection:
        if not await store.revoke(connection, edge_id, now_ms()):
            text = "There is no gateway '{edge_id}' that could be revoked."
            raise NotFound("no_gateway", text, edge_id=edge_id)
        await revoke_certificates(connection, edge_id, now_ms())
        await audit.note(connection, system("command line"), "gateways.revoke", f"gateway:{edge_id}")


class GatewayWatch:
    """Raise an alarm for a gateway that has fallen silent, and clear it when it is heard again."""

    def __init__(self, db: Database, hub: Hub, now: Callable[[], int] = now_ms) -> None:
        self._db = db
        self._hub = hub
        self._now = now
        self._started_at = now()

    async def run(self) -> None:
        """Look every two seconds until cancelled."""
        while True:
            try:
                await self.look()
            except Exception:
                log.exception("looking for silent gateways failed")
            await asyncio.sleep(_WATCH_S)

    async def look(self) -> None:
        """Compare every gateway's last sign of life with the clock."""
        now = self._now()
        async with self._db.read() as connection:
            rows = [row for row in await store.gateways(connection, _SELF) if row.last_seen_at is not None]
            lasting = await alarm_store.open_by_gateway(connection, GATEWAY_SILENT)
        changes = [row for row in rows if self._changes(row, now, is_lasting=row.id in lasting)]
        for row in changes:
            async with self._db.write() as connection:
                if (key := lasting.get(row.id)) is not None:
                    await alarm_store.clear_alarm(connection, key, now)
                    continue
                await alarm_store.raise_alarm(
                    connection,
                    key=f"{row.edge_id}/gateway:{row.edge_id}/{GATEWAY_SILENT}/{now}",
                    gateway_id=row.id,
                    subject=f"gateway:{row.edge_id}",
                    condition=GATEWAY_SILENT,
                    priority=1,
                    raised_at=now,
                    detail={"last_seen_at": row.last_seen_at},
                )
        for site_id in {row.site_id for row in changes}:
            self._hub.publish({"type": "alarms"}, site_id=site_id)

    def _changes(self, row: GatewayRow, now: int, *, is_lasting: bool) -> bool:
        """A centre that has just started gives every gateway time to come back before it complains."""
        is_gone = row.revoked_at is None and is_silent(row, now)
        return not is_gone if is_lasting else is_gone and now - self._started_at > SILENT_MS
