"""Readings that the centre has, kept at the gateway for a while; and what of them a person asks for."""

import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from edge_agent.span_log import clock_spans, has_clock, load_stretches
from edge_agent.store_file import reading
from protocols.quantity import Quality, from_scaled
from protocols.record import Lane

VERSION, SHIFT_VERSION = 10, 11
KEPT_MS = 7 * 86_400_000
_SLICE = 5_000  # rows to a delete: the writer has alarms to store
_LANES = (Lane.BILLING, Lane.TELEMETRY)
_LAST = 2**62


class Shown(NamedTuple):
    """A reading for people.

    Units: ``at`` in milliseconds UTC as it was stamped; ``shift_ms`` is what has to be added, None where nobody knows.
    """

    at: int
    device: str
    point: str
    value: Decimal | None
    unit: str
    quality: Quality
    is_sent: bool
    shift_ms: int | None

    @property
    def true_at(self) -> int:
        return self.at + (self.shift_ms or 0)


def keep(connection: sqlite3.Connection, lane: Lane, first: int, up_to: int, now_ms: int) -> None:
    """Keep the readings of a lane that are about to be deleted, and let go of the oldest. For the writer's thread."""
    if lane in _LANES:
        for since, until, shift_ms in _shifts(connection, lane, first, up_to):
            values = (shift_ms, int(lane), since, until, now_ms - KEPT_MS, int(Quality.FROZEN))
            connection.execute(_KEEP, values)
        connection.execute(
            "DELETE FROM history WHERE id IN (SELECT id FROM history ORDER BY id LIMIT ?) "
            "AND at + coalesce(shift_ms, 0) <= ?",
            (_SLICE, now_ms - KEPT_MS),
        )


# What a device has frozen bears the device's own instant.
_KEEP = """
INSERT INTO history (series_id, at, mantissa, exponent, quality, shift_ms)
SELECT series_id, at, mantissa, exponent, quality, CASE quality WHEN ?6 THEN 0 ELSE ?1 END FROM record
WHERE lane = ?2 AND seq BETWEEN ?3 AND ?4 AND series_id IS NOT NULL AND at + coalesce(?1, 0) > ?5
"""


def _shifts(connection: sqlite3.Connection, lane: Lane, first: int, last: int) -> Iterator[tuple[int, int, int | None]]:
    """Give the stretches of a lane with what has to be added to their stamps."""
    spans = clock_spans(load_stretches(connection), lane, first, last)
    starts = [*(span.first_seq for span in spans), last + 1]
    if first < starts[0]:
        yield first, starts[0] - 1, 0  # from before the clock was watched
    for span, after in zip(spans, starts[1:], strict=True):
        yield span.first_seq, after - 1, span.shift_ms


def shed(connection: sqlite3.Connection) -> int:
    """Let go of some of the oldest; give how many. For the writer's thread."""
    return connection.execute(
        "DELETE FROM history WHERE id IN (SELECT id FROM history ORDER BY id LIMIT ?)", (_SLICE,)
    ).rowcount


_PENDING = """
SELECT r.at, s.device, s.point, r.mantissa, r.exponent, s.unit, r.quality, 0, CASE r.quality WHEN ?9 THEN 0 ELSE ?1 END
FROM record AS r CROSS JOIN series AS s ON s.id = r.series_id
WHERE r.lane = ?2 AND r.seq BETWEEN ?3 AND ?4 AND s.device = ?5 AND (?6 IS NULL OR s.point = ?6)
    AND r.at + coalesce(?1, 0) >= ?7
ORDER BY r.at DESC LIMIT ?8
"""
_SENT = """
SELECT h.at, s.device, s.point, h.mantissa, h.exponent, s.unit, h.quality, 1, {shift}
FROM history AS h CROSS JOIN series AS s ON s.id = h.series_id
WHERE s.device = ?1 AND (?2 IS NULL OR s.point = ?2) AND h.at + coalesce({shift}, 0) >= ?3
ORDER BY h.at + coalesce({shift}, 0) DESC LIMIT ?4
"""


def read_history(path: Path, device: str, point: str | None, since_ms: int, limit: int) -> list[Shown]:
    """Read a device's newest readings, newest first, whether the service runs or not.

    Raises: StoreError.
    """
    with reading(path) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        rows = []
        for lane in _LANES:
            shifts = _shifts(connection, lane, 1, _LAST) if has_clock(version) else [(1, _LAST, 0)]
            for first, last, shift_ms in shifts:
                values = (shift_ms, int(lane), first, last, device, point, since_ms, limit, int(Quality.FROZEN))
                rows += connection.execute(_PENDING, values).fetchall()
        if version >= VERSION:
            sent = _SENT.format(shift="h.shift_ms" if version >= SHIFT_VERSION else "0")
            rows += connection.execute(sent, (device, point, since_ms, limit)).fetchall()
    found = [
        Shown(
            at,
            of,
            name,
            None if mantissa is None else from_scaled(mantissa, exponent),
            unit,
            Quality(quality),
            bool(sent),
            shift_ms,
        )
        for at, of, name, mantissa, exponent, unit, quality, sent, shift_ms in rows
    ]
    return sorted(found, key=lambda it: it.true_at, reverse=True)[:limit]
