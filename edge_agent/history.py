"""Readings that the centre has, kept at the gateway for a while; and what of them a person asks for."""

import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from edge_agent.store_file import reading
from protocols.quantity import Quality, from_scaled
from protocols.record import Lane

VERSION = 10
KEPT_MS = 7 * 86_400_000
_SLICE = 5_000  # rows to a delete: the writer has alarms to store


class Shown(NamedTuple):
    """A reading for people. Units: ``at`` in milliseconds UTC as it was stamped."""

    at: int
    device: str
    point: str
    value: Decimal | None
    unit: str
    quality: Quality
    is_sent: bool


def keep(connection: sqlite3.Connection, lane: Lane, up_to: int, now_ms: int) -> None:
    """Keep the readings of a lane that are about to be deleted, and let go of the oldest. For the writer's thread."""
    if lane in (Lane.BILLING, Lane.TELEMETRY):
        connection.execute(
            "INSERT INTO history (series_id, at, mantissa, exponent, quality) "
            "SELECT series_id, at, mantissa, exponent, quality FROM record "
            "WHERE lane = ? AND seq <= ? AND series_id IS NOT NULL AND at > ?",
            (int(lane), up_to, now_ms - KEPT_MS),
        )
        connection.execute(
            "DELETE FROM history WHERE id IN (SELECT id FROM history ORDER BY id LIMIT ?) AND at <= ?",
            (_SLICE, now_ms - KEPT_MS),
        )


def shed(connection: sqlite3.Connection) -> int:
    """Let go of some of the oldest; give how many. For the writer's thread."""
    return connection.execute(
        "DELETE FROM history WHERE id IN (SELECT id FROM history ORDER BY id LIMIT ?)", (_SLICE,)
    ).rowcount


_QUERY = """
SELECT at, device, point, mantissa, exponent, unit, quality, is_sent FROM (
    SELECT r.at, s.device, s.point, r.mantissa, r.exponent, s.unit, r.quality, 0 AS is_sent
    FROM record AS r CROSS JOIN series AS s ON s.id = r.series_id
    WHERE r.lane IN (2, 3) AND s.device = ?1 AND (?2 IS NULL OR s.point = ?2) AND r.at >= ?3
    {history}
) ORDER BY at DESC LIMIT ?4
"""
_SENT = """
    UNION ALL
    SELECT h.at, s.device, s.point, h.mantissa, h.exponent, s.unit, h.quality, 1 AS is_sent
    FROM history AS h CROSS JOIN series AS s ON s.id = h.series_id
    WHERE s.device = ?1 AND (?2 IS NULL OR s.point = ?2) AND h.at >= ?3
"""


def read_history(path: Path, device: str, point: str | None, since_ms: int, limit: int) -> list[Shown]:
    """Read a device's newest readings, whether the service runs or not.

    Raises: StoreError.
    """
    with reading(path) as connection:
        has_history = connection.execute("PRAGMA user_version").fetchone()[0] >= VERSION
        query = _QUERY.format(history=_SENT if has_history else "")
        rows = connection.execute(query, (device, point, since_ms, limit)).fetchall()
    return [
        Shown(
            at,
            of,
            name,
            None if mantissa is None else from_scaled(mantissa, exponent),
            unit,
            Quality(quality),
            bool(sent),
        )
        for at, of, name, mantissa, exponent, unit, quality, sent in rows
    ]
