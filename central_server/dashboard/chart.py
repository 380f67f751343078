"""A device's history as the browser draws it: registers as use in bars, everything else as a line."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from central_server.alarms import service as alarms
from central_server.dashboard import queries, usage, words
from central_server.dashboard.cards import Card, Cell
from central_server.dashboard.feed import condition_name
from central_server.dashboard.i18n import N_
from central_server.dashboard.show import Show
from central_server.db import Database
from central_server.telemetry import service as telemetry
from central_server.telemetry.service import HistoryPoint

RANGES = {"hour": N_("Hour"), "day": N_("Day"), "week": N_("Week"), "month": N_("Month")}
_REGISTERS = ("energyImportTotal", "energyExportTotal", "energyTotal", "volumeTotal")
_COUNT = 480


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time and the marks between its bars; ``shift`` leads back to what it is compared with."""

    start: int
    end: int
    marks: Sequence[int]
    shift: int


def window(name: str, show: Show) -> Window:
    """Lay a range on the clock: the last hour, today, or the last 7 or 30 local days."""
    today = usage.local(show.now, show.zone)
    if name == "hour":
        marks = usage.even_marks(show.now, 120_000, 30)
        return Window(marks[0], marks[-1], marks, usage.DAY_MS)
    if name == "day":
        marks = usage.hour_marks(today)
        return Window(marks[0], marks[-1], marks, 7 * usage.DAY_MS)
    days = 7 if name == "week" else 30
    marks = usage.day_marks(today, days)
    if name == "week":
        first = usage.midnight(today) - timedelta(days=6)
        marks = sorted(
            {mark for day in range(7) for mark in usage.hour_marks(first + timedelta(days=day))[::6]} | {marks[-1]}
        )
    return Window(marks[0], marks[-1], marks, 7 * usage.DAY_MS if days == 7 else 28 * usage.DAY_MS)


async def chart(db: Database, card: Card, point: Cell, name: str, show: Show) -> dict[str, Any]:
    """Gather a chart's data; values are decimal text, None where nothing was read."""
    span = window(name, show)
    is_register = point.point in _REGISTERS
    gather = _bars if is_register else _line
    states = words.STATES.get((card.kind, point.point))
    return {
        "range": name,
        "zone": show.zone.key,
        "from": span.start,
        "to": span.end,
        "unit": point.unit,
        "kind": "bars" if is_register else "line",
        "states": {str(code): show.language.gettext(word) for code, word in states.items()} if states else None,
        "points": await gather(db, point.series_id, span.marks, 0),
        "before": [] if states or name == "hour" else await gather(db, point.series_id, span.marks, span.shift),
        "marks": await _marks(db, card, span, show),
    }


async def _bars(db: Database, series_id: int, marks: Sequence[int], shift: int) -> list[dict[str, Any]]:
    moved = [mark - shift for mark in marks]
    async with db.read() as conn:
        reads = await queries.registers_at(conn, [series_id], moved)
        first = await queries.first_reads(conn, [series_id], moved[0])
    parts = usage.uses(moved, reads[series_id], first.get(series_id))
    return [
        {
            "at": (marks[position] + marks[position + 1]) // 2,
            "value": None if part.value is None else format(part.value, "f"),
            "is_estimate": part.is_estimate,
        }
        for position, part in enumerate(parts)
        if not shift or part.value is not None
    ]


async def _line(db: Database, series_id: int, marks: Sequence[int], shift: int) -> list[dict[str, Any]]:
    points: list[HistoryPoint] = await telemetry.history(
        db, series_id, marks[0] - shift, marks[-1] - shift, count=_COUNT
    )
    return [
        {"at": point.at + shift, "value": None if point.value is None else format(point.value, "f")} for point in points
    ]


async def _marks(db: Database, card: Card, span: Window, show: Show) -> list[dict[str, Any]]:
    """Give the times in which the device or its gateway stood in alarm."""
    subjects = {
        f"device:{card.view.device.code}",
        f"bus:{card.view.device.bus}",
        f"gateway:{card.view.device.edge_id}",
    }
    listed = (await alarms.list_alarms(db, is_active=False)).alarms
    return [
        {
            "from": max(row.raised_at, span.start),
            "to": min(row.cleared_at or show.now, span.end),
            "priority": row.priority,
            "label": condition_name(row.condition, show),
        }
        for row in listed
        if row.gateway_id == card.view.gateway.id
        and row.subject in subjects
        and row.raised_at < span.end
        and (row.cleared_at or show.now) > span.start
    ]
