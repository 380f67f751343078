"""A meter read on a round: it becomes a reading of the meter that serves the metering point then."""

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.form import Problem
from central_server.inspection.model import NotAnswered
from central_server.schema import installation, metering_point
from central_server.telemetry import manual
from central_server.telemetry.manual import Meter

_UNITS = {"electricity": "kWh", "water": "m3"}


@dataclass(frozen=True, slots=True)
class Register:
    """Where a read goes."""

    meter: Meter
    series_id: int


async def register_at(
    connection: AsyncConnection, site_id: int, metering_point_id: int, at: int, now: int
) -> Register | None:
    """Give the register that serves a metering point at an instant; None where none is known."""
    own = installation.c
    query = (
        select(own.edge_id, own.device_code, own.point, metering_point.c.kind)
        .join(metering_point, metering_point.c.id == own.metering_point_id)
        .where(own.metering_point_id == metering_point_id, own.from_at <= at)
        .where(own.to_at.is_(None) | (own.to_at > at))
        .order_by(own.from_at.desc())
        .limit(1)
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None or row.kind not in _UNITS:
        return None
    meter = Meter(row.edge_id, row.device_code, row.point, _UNITS[row.kind])
    series_id = await manual.series_of(connection, site_id, meter, now)
    return None if series_id is None else Register(meter, series_id)


async def note(
    connection: AsyncConnection, site_id: int, metering_point_id: int, value: Decimal, taken_at: int, now: int
) -> None:
    """Keep a read so that a bill finds it.

    Raises: NotAnswered for a point that no meter serves, or a value that a register cannot have shown then.
    """
    register = await register_at(connection, site_id, metering_point_id, taken_at, now)
    if register is None:
        raise NotAnswered(Problem("The records name no meter here. Tell the office, and tick that it shows this."))
    sides = await manual.neighbours(connection, register.series_id, taken_at)
    if value < 0 or (sides.before is not None and value < sides.before):
        lower = "The meter showed {before} before. Look again, or tick that it really shows this."
        raise NotAnswered(Problem(lower, {"before": format(sides.before or Decimal(0), "f")}))
    if sides.after is not None and value > sides.after:
        higher = "The meter showed {after} later. Look again, or tick that it really shows this."
        raise NotAnswered(Problem(higher, {"after": format(sides.after, "f")}))
    await manual.note_reading(connection, site_id, register.meter, register.series_id, value, taken_at, now)
