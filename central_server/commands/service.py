"""Have a gateway do something: written down and audited first, then signed and sent, then followed to its end."""

import asyncio
import json
import logging
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from central_server import audit
from central_server.clock import now_ms
from central_server.commands import store
from central_server.commands.model import QUEUED, SENT, CommandRow, Orderable
from central_server.db import Database
from central_server.devices import service as devices
from central_server.errors import Conflict, NotFound
from central_server.live import Hub
from central_server.rbac import Actor
from central_server.sync.down import Down
from central_server.sync.store import GatewayRow
from protocols.command import LIVES_MS, WRITE, Command, command_id, signed

log = logging.getLogger("central.commands")

_SWEEP_S = 1.0


class Commands:
    """Issue commands and follow them; ``run`` it in a task, and give it what gateways say of them."""

    def __init__(
        self, db: Database, hub: Hub, down: Down, sign: Callable[[bytes], bytes], now: Callable[[], int] = now_ms
    ) -> None:
        self._db = db
        self._hub = hub
        self._down = down
        self._sign = sign
        self._now = now
        self._last_at = 0

    async def run(self) -> None:
        """End what has had its time, every second until cancelled."""
        while True:
            try:
                await self.sweep()
            except (SQLAlchemyError, OSError):
                log.exception("looking for commands that are over failed")
            await asyncio.sleep(_SWEEP_S)

    async def issue(self, actor: Actor, device_id: int, wanted: Orderable, value: str, reason: str) -> str:
        """Order something of a device; give the command's id.

        Raises: NotFound for a device of another site; Conflict where its gateway is shut out.
        """
        view = await devices.get_device(self._db, actor, device_id)
        if view.gateway.revoked_at is not None:
            text = "Gateway '{edge_id}' is shut out, so it takes no commands. Invite it again first."
            raise Conflict("gateway_revoked", text, edge_id=view.gateway.edge_id)
        # Of two commands the later has the greater id, also within one millisecond and after a step back.
        now = self._now()
        self._last_at = max(now, self._last_at + 1)
        made = command_id(self._last_at, secrets.token_bytes(8))
        args = {"point": wanted.point, "value": value} if wanted.action == WRITE else {}
        async with self._db.write() as connection:
            about = {"gateway_id": view.gateway.id, "device_id": device_id, "action": wanted.action}
            times = {"issued_at": now, "expires_at": now + LIVES_MS[wanted.kind]}
            who = {"actor": actor.login[:64], "reason": reason}
            args_text = json.dumps(args, ensure_ascii=False, sort_keys=True)
            await store.add(connection, {"id": made, "args": args_text, "kind": wanted.kind, **about, **times, **who})
            subject = f"device:{view.gateway.edge_id}/{view.device.code}"
            await audit.note(
                connection, actor, "commands.issue", subject, command=made, what=wanted.action, args=args, reason=reason
            )
        row = await self._get(made, actor)
        self._publish(row)
        await self._send(row)
        return made

    async def get(self, actor: Actor, made: str) -> CommandRow:
        """Give one command. Raises: NotFound, also for one of another site."""
        return await self._get(made, actor)

    async def greeted(self, gateway: GatewayRow, _message: Mapping[str, Any]) -> None:
        """Send a gateway whose link has come up what is still to be done; what it knows it does not do again."""
        async with self._db.read() as connection:
            rows = await store.alive(connection, gateway.id, self._now())
        for row in rows:
            await self._send(row)

    async def answered(self, gateway: GatewayRow, message: Mapping[str, Any]) -> None:
        """Note what a gateway answers to a command that it knew already."""
        async with self._db.write() as connection:
            is_new = await store.take_result(connection, gateway.id, gateway.edge_id, message, self._now())
        if is_new:
            self._hub.publish({"type": "commands", "id": message["id"]}, site_id=gateway.site_id)

    async def sweep(self) -> None:
        """End what nobody will carry out any more, and what nobody has told of."""
        async with self._db.read() as connection:
            rows = await store.overdue(connection, self._now())
        if not rows:
            return
        async with self._db.write() as connection:
            ended = [row for row in rows if await store.give_up(connection, row)]
        for row in ended:
            self._publish(row)

    async def _send(self, row: CommandRow) -> None:
        """Send a command down where its gateway is there; written down as sent before it is."""
        if row.gateway_id not in self._down.connected() or row.expires_at <= self._now():
            return
        if row.state == QUEUED:
            async with self._db.write() as connection:
                if not await store.move(connection, row.id, QUEUED, SENT, sent_at=self._now()):
                    return
        command = Command(
            row.id, row.edge_id, row.device, row.action, row.actor, row.kind, row.expires_at, dict(row.args)
        )
        message = {"type": "command", "command": signed(command, self._sign)}
        if not self._down.send(row.gateway_id, message) and row.state == QUEUED:
            async with self._db.write() as connection:
                await store.move(connection, row.id, SENT, QUEUED, sent_at=None)
        self._publish(row)

    async def _get(self, made: str, actor: Actor) -> CommandRow:
        async with self._db.read() as connection:
            row = await store.find(connection, made, actor)
        if row is None:
            raise NotFound("no_command", "There is no such command.")
        return row

    def _publish(self, row: CommandRow) -> None:
        self._hub.publish({"type": "commands", "id": row.id}, site_id=row.site_id)
