"""The SQL of gateways and devices."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.rbac import Actor
from central_server.schema import certificate, device, gateway, site
from central_server.telemetry.store import device_ids


@dataclass(frozen=True, slots=True)
class GatewayRow:
    """A gateway and what it last said of itself; ``status`` is empty until it has."""

    id: int
    edge_id: str
    name: str
    site_id: int
    site_code: str
    created_at: int
    revoked_at: int | None
    last_seen_at: int | None
    status: Mapping[str, Any]
    certificate_until: int | None


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A device as its gateway describes it; ``code`` is its name there."""

    id: int
    gateway_id: int
    edge_id: str
    code: str
    name: str
    kind: str
    bus: str
    profile: str
    address: str
    first_seen_at: int


# What people read stands under a gateway of its own that has no secret: it is no box, and never silent.
IS_BOX = gateway.c.secret_hash != ""


async def gateways(connection: AsyncConnection, actor: Actor) -> list[GatewayRow]:
    own = certificate.c
    until = select(func.max(own.expires_at)).where(own.gateway_id == gateway.c.id, own.revoked_at.is_(None))
    query = select(gateway, site.c.code.label("site_code"), until.scalar_subquery().label("until"))
    query = query.join(site, site.c.id == gateway.c.site_id).where(actor.sees_site(gateway.c.site_id), IS_BOX)
    return [
        GatewayRow(
            row.id,
            row.edge_id,
            row.name,
            row.site_id,
            row.site_code,
            row.created_at,
            row.revoked_at,
            row.last_seen_at,
            json.loads(row.status) if row.status else {},
            row.until,
        )
        for row in await connection.execute(query.order_by(gateway.c.edge_id))
    ]


async def devices(connection: AsyncConnection, actor: Actor, device_id: int | None = None) -> list[DeviceRow]:
    query = select(device, gateway.c.edge_id).join(gateway, gateway.c.id == device.c.gateway_id)
    query = query.where(actor.sees_site(gateway.c.site_id), IS_BOX).order_by(gateway.c.edge_id, device.c.code)
    if device_id is not None:
        query = query.where(device.c.id == device_id)
    return [
        DeviceRow(
            row.id,
            row.gateway_id,
            row.edge_id,
            row.code,
            row.name,
            row.kind,
            row.bus,
            row.profile,
            row.address,
            row.first_seen_at,
        )
        for row in await connection.execute(query)
    ]


_SAVE = update(gateway).where(gateway.c.id == bindparam("of_gateway"))
_SAVE = _SAVE.values(last_seen_at=bindparam("seen_at"), status=bindparam("told"))
_OF_GATEWAY = select(device).where(device.c.gateway_id == bindparam("of_gateway"))


async def save_status(connection: AsyncConnection, gateway_id: int, status: Mapping[str, Any], at: int) -> None:
    text = json.dumps(status, ensure_ascii=False)
    await connection.execute(_SAVE, {"of_gateway": gateway_id, "seen_at": at, "told": text})


async def save_devices(
    connection: AsyncConnection, gateway_id: int, described: Sequence[Mapping[str, str]], at: int
) -> dict[str, int]:
    """Note new devices and what has changed of known ones; give the ids of those described."""
    wanted = {found["code"]: found for found in described}
    before = await _rows_of(connection, gateway_id)
    if wanted.keys() - before.keys():
        await device_ids(connection, gateway_id, wanted, at)
        before = await _rows_of(connection, gateway_id)
    for code, found in wanted.items():
        if any(before[code][key] != value for key, value in found.items()):
            await connection.execute(update(device).where(device.c.id == before[code]["id"]).values(**found))
    return {code: before[code]["id"] for code in wanted}


async def _rows_of(connection: AsyncConnection, gateway_id: int) -> dict[str, Mapping[Any, Any]]:
    rows = (await connection.execute(_OF_GATEWAY, {"of_gateway": gateway_id})).mappings()
    return {row["code"]: row for row in rows}


async def add_gateway(
    connection: AsyncConnection, *, edge_id: str, site_id: int, name: str, secret_hash: str, at: int
) -> None:
    values = {"edge_id": edge_id, "site_id": site_id, "name": name, "secret_hash": secret_hash, "created_at": at}
    await connection.execute(insert(gateway).values(values))


async def renew_secret(connection: AsyncConnection, edge_id: str, secret_hash: str) -> bool:
    """Give a gateway a new secret and let it in again; False if there is none of that id."""
    done = await connection.execute(
        update(gateway)
        .where(gateway.c.edge_id == edge_id)
        .values(secret_hash=secret_hash, revoked_at=None, sign_key=None)
    )
    return done.rowcount == 1


async def revoke(connection: AsyncConnection, edge_id: str, at: int) -> bool:
    done = await connection.execute(
        update(gateway).where(gateway.c.edge_id == edge_id, gateway.c.revoked_at.is_(None)).values(revoked_at=at)
    )
    return done.rowcount == 1


async def site_id(connection: AsyncConnection, code: str) -> int | None:
    return (await connection.execute(select(site.c.id).where(site.c.code == code))).scalar_one_or_none()
