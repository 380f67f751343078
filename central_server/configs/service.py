"""Settings for a gateway: written down and audited first, then signed and offered until it has told their end."""

import asyncio
import logging
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from central_server import audit
from central_server.clock import now_ms
from central_server.configs import store
from central_server.configs.store import ConfigRow, Open
from central_server.db import Database
from central_server.errors import BadRequest, Conflict, NotFound
from central_server.rbac import Actor
from central_server.sync.down import Down
from central_server.sync.store import GatewayRow, find_gateway
from protocols.config_offer import MAX_TEXT_BYTES, Offer, signed_offer

log = logging.getLogger("central.configs")

_LOOK_S = 2.0


class Configs:
    """Carry settings down; ``run`` it in a task."""

    def __init__(self, db: Database, down: Down, sign: Callable[[bytes], bytes]) -> None:
        self._db = db
        self._down = down
        self._sign = sign
        self._sent: dict[int, int] = {}

    async def run(self) -> None:
        """Send what is on offer to gateways that are there, until cancelled; it may come from the command line."""
        while True:
            try:
                await self.look()
            except (SQLAlchemyError, OSError):
                log.exception("looking for settings on offer failed")
            await asyncio.sleep(_LOOK_S)

    async def look(self) -> None:
        """Send what has not been sent on a link that is up; by its status a gateway finds it as well."""
        async with self._db.read() as connection:
            numbers = await store.numbers_on_offer(connection)
        for gateway_id in numbers.keys() & self._down.connected():
            if self._sent.get(gateway_id) != numbers[gateway_id]:
                await self._send(gateway_id)

    async def greeted(self, gateway: GatewayRow, _message: Mapping[str, Any]) -> None:
        """Send a gateway whose link has come up what is on offer for it."""
        await self._send(gateway.id)

    async def _send(self, gateway_id: int) -> None:
        async with self._db.read() as connection:
            found = await store.on_offer(connection, gateway_id)
        for each in found:
            if self._down.send(gateway_id, {"type": "config", "offer": self._signed(each)}):
                self._sent[gateway_id] = each.number

    async def offer_for(self, gateway_id: int) -> dict[str, Any] | None:
        """Give what is on offer for a gateway, signed."""
        async with self._db.read() as connection:
            found = await store.on_offer(connection, gateway_id)
        return self._signed(found[0]) if found else None

    def _signed(self, found: Open) -> dict[str, Any]:
        offer = Offer(found.edge_id, found.number, found.text, found.actor, found.issued_at)
        return signed_offer(offer, self._sign)


async def push(db: Database, actor: Actor, edge_id: str, text: str) -> int:
    """Offer settings to a gateway; gives the revision's number. What they say is for the gateway to judge.

    Raises: BadRequest for what no gateway could take; NotFound; Conflict for one that is shut out.
    """
    _check(edge_id, text)
    async with db.write() as connection:
        found = await find_gateway(connection, edge_id)
        if found is None:
            raise NotFound("no_gateway", "There is no gateway '{edge_id}'.", edge_id=edge_id)
        if found.is_revoked:
            raise Conflict(
                "gateway_revoked_config",
                "Gateway '{edge_id}' is shut out, so it takes no settings. Invite it again first.",
                edge_id=edge_id,
            )
        number, now = await store.next_number(connection, found.id), now_ms()
        offer = Offer(edge_id, number, text, actor.login[:64], now)
        values = {"number": number, "hash": offer.hash, "body": text, "actor": offer.actor, "issued_at": now}
        await store.add(connection, found.id, **values)
        await audit.note(connection, actor, "configs.push", f"gateway:{edge_id}", revision=number, hash=offer.hash)
    return number


async def history(db: Database, edge_id: str) -> list[ConfigRow]:
    """Give what was meant for a gateway, newest first. Raises: NotFound."""
    async with db.read() as connection:
        found = await find_gateway(connection, edge_id)
        if found is None:
            raise NotFound("no_gateway", "There is no gateway '{edge_id}'.", edge_id=edge_id)
        return await store.listed(connection, found.id)


def _check(edge_id: str, text: str) -> None:
    """Refuse what no gateway could take. Raises: BadRequest."""
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise BadRequest("config_large", "Settings have at most {most} bytes.", most=MAX_TEXT_BYTES)
    try:
        edge = tomllib.loads(text).get("edge")
    except tomllib.TOMLDecodeError as error:
        raise BadRequest(
            "config_no_toml",
            "The settings are not TOML: {reason}. Check them with 'edge config check'.",
            reason=str(error),
        ) from None
    named = edge.get("id") if isinstance(edge, dict) else None
    if named != edge_id:
        raise BadRequest(
            "config_other",
            "These are the settings of gateway '{named}', not of '{edge_id}'. Name the right file.",
            named=str(named),
            edge_id=edge_id,
        )
