"""The journal of commands in the store: what is begun is written down first, and never begun again.

    (nothing) --> begun --> done, failed, unknown
              --> expired, failed                  what is not begun at all

What a crash leaves at begun may have happened: it ends as unknown.
"""

import json
import sqlite3
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from edge_agent.store import Store
from protocols.command import FAILED, UNKNOWN, Command

BEGUN = "begun"
# A command that is long over cannot be done again, so it need not be remembered longer.
KEPT_MS = 7 * 86_400_000
_NEWER = "A newer command for this device has been carried out already; this one came too late."


class Entry(NamedTuple):
    """How a command stands; ``told`` is what goes up of it, empty before its end."""

    state: str
    told: Mapping[str, Any]
    is_new: bool = False


class CommandLog:
    """One store's journal."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def begin(self, command: Command, now: int, end: tuple[str, Mapping[str, Any]] | None) -> Entry:
        """Write a command down before anything is done, or with its ``end`` where nothing will be.

        Shape: for an id that stands there already, how it stands.

        Raises: StoreError.
        """
        found: list[Entry] = []
        await self._store.change(partial(_begin, found, command, now, end))
        return found[-1]

    async def finish(self, command_id: str, state: str, told: Mapping[str, Any]) -> None:
        """Write down how it ended. Raises: StoreError."""
        await self._store.change(partial(_finish, command_id, state, _json(told)))

    async def mark_told(self, command_id: str) -> None:
        """Note that its end stands in the control lane. Raises: StoreError."""
        await self._store.change(partial(_mark_told, command_id))

    async def recover(self) -> list[Mapping[str, Any]]:
        """End what a crash has left begun as unknown; give all that is still to be told.

        Raises: StoreError.
        """
        found: list[Mapping[str, Any]] = []
        await self._store.change(partial(_recover, found))
        return found


def _begin(
    found: list[Entry],
    command: Command,
    now: int,
    end: tuple[str, Mapping[str, Any]] | None,
    connection: sqlite3.Connection,
    _: object,
) -> None:
    row = connection.execute("SELECT state, body FROM command WHERE id = ?", (command.id,)).fetchone()
    if row is not None:
        found.append(Entry(row[0], json.loads(row[1]) if row[0] != BEGUN else {}))
        return
    connection.execute("DELETE FROM command WHERE expires_at < ? AND is_told = 1", (now - KEPT_MS,))
    about = about_command(command)
    if end is None:
        newer = "SELECT 1 FROM command WHERE device = ? AND id > ? AND expires_at > ? LIMIT 1"
        if connection.execute(newer, (command.device, command.id, now)).fetchone():
            end = (FAILED, {**about, "state": FAILED, "error": _NEWER, "read_back": None})
    state, told = (BEGUN, about) if end is None else end
    connection.execute(
        "INSERT INTO command (id, device, state, expires_at, at, body, is_told) VALUES (?, ?, ?, ?, ?, ?, 0)",
        (command.id, command.device, state, command.expires_at, now, _json(told)),
    )
    found.append(Entry(state, {} if end is None else told, is_new=True))


def _finish(command_id: str, state: str, body: str, connection: sqlite3.Connection, _: object) -> None:
    connection.execute(
        "UPDATE command SET state = ?, body = ? WHERE id = ? AND state = ?", (state, body, command_id, BEGUN)
    )


def _mark_told(command_id: str, connection: sqlite3.Connection, _: object) -> None:
    connection.execute("UPDATE command SET is_told = 1 WHERE id = ?", (command_id,))


def _recover(found: list[Mapping[str, Any]], connection: sqlite3.Connection, _: object) -> None:
    found.clear()
    reason = "The gateway stopped while it was carried out: look at the device, it may have acted or not."
    for command_id, body in connection.execute("SELECT id, body FROM command WHERE state = ?", (BEGUN,)).fetchall():
        told = {**json.loads(body), "state": UNKNOWN, "error": reason, "read_back": None}
        _finish(command_id, UNKNOWN, _json(told), connection, None)
    found += [
        json.loads(row[0]) for row in connection.execute("SELECT body FROM command WHERE is_told = 0 ORDER BY id")
    ]


def about_command(command: Command) -> dict[str, Any]:
    """Give what every word about a command says of it."""
    return {
        "id": command.id,
        "device": command.device,
        "action": command.action,
        "args": dict(command.args),
        "actor": command.actor,
    }


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
