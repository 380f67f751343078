"""The outages in the store, for ``edge gaps``: written with the very events that tell the centre of them."""

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

from edge_agent.guard import from_note
from edge_agent.outage import Cause, Outage, from_event
from edge_agent.store_file import reading
from protocols.record import Event, Record

_KEPT_MS = 400 * 86_400_000  # a bill of a year ago may be asked about


def keep_outages(connection: sqlite3.Connection, records: Sequence[Record]) -> None:
    """Note the outages among the records that are being stored, and forget the oldest."""
    found = [from_event(record) for record in records if isinstance(record, Event)]
    rows = [(it.device, it.since, it.until, it.cause.value) for it in found if it is not None]
    if rows:
        connection.executemany("INSERT OR REPLACE INTO outage (device, since, until, cause) VALUES (?, ?, ?, ?)", rows)
        connection.execute("DELETE FROM outage WHERE until < ?", (max(row[2] or 0 for row in rows) - _KEPT_MS,))


def read_outages(path: Path, since: int, device: str | None = None) -> list[Outage]:
    """Read the outages that ended after an instant, oldest first, whether the service runs or not.

    Raises: StoreError.
    """
    query = (
        "SELECT device, since, until, cause FROM outage WHERE until > ?1 AND (?2 IS NULL OR device = ?2) ORDER BY since"
    )
    with reading(path) as connection:
        has_table = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'outage'").fetchone()
        rows = connection.execute(query, (since, device)).fetchall() if has_table else []
    return [Outage(row[0], row[1], row[2], Cause(row[3])) for row in rows]


def read_last_reads(path: Path) -> dict[str, int]:
    """Read when the registers of each meter were last read, in milliseconds UTC.

    Raises: StoreError.
    """
    with reading(path) as connection:
        rows = connection.execute("SELECT device, point, state FROM note WHERE point != ''").fetchall()
    return last_reads({(device, point): state for device, point, state in rows})


def last_reads(notes: Mapping[tuple[str, str], str]) -> dict[str, int]:
    """Give by device the last instant of which the counter guard's notes speak."""
    found: dict[str, int] = {}
    for (device, _), note in notes.items():
        try:
            state = from_note(note)
        except (ValueError, ArithmeticError):
            continue
        at = state.at if state.doubt is None else max(state.at, state.doubt.at)
        found[device] = max(at, found.get(device, at))
    return found
