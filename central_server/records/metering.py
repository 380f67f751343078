"""The part of an import that says which meter serves which unit, and since when."""

import difflib
from datetime import datetime
from decimal import Decimal
from typing import Any

from central_server.form import Problem
from central_server.records.model import Installation, MeteringPoint
from central_server.records.work import Work
from protocols.quantity import to_scaled

_METER = ("edge_id", "device_code", "point")


async def bring(work: Work) -> None:
    """Put metering points and their installations; no consumption may be billed twice."""
    records = work.records
    if not records.metering_point and not records.installation:
        return
    points = await work.shelf("metering_point")
    for index, point in enumerate(records.metering_point):
        _point(work, index, point)
    await points.flush(work.connection)
    work.ids["metering_point"] = {key: row["id"] for key, row in points.rows.items()}
    if records.installation:
        await work.shelf("installation")
        for index, installation in enumerate(records.installation):
            _install(work, index, installation)
        _refuse_overlaps(work)


def _point(work: Work, index: int, point: MeteringPoint) -> None:
    if point.tariff not in work.tariffs:
        close = difflib.get_close_matches(point.tariff, work.tariffs, n=1)
        remedy = Problem("Did you mean '{code}'?", {"code": close[0]}) if close else None
        work.broken.add(("metering_point", (point.code,)))
        absent = Problem("there is no tariff '{code}'", {"code": point.tariff})
        there_are = Problem("There are: {names}.", {"names": ", ".join(sorted(work.tariffs))})
        work.refuse("metering_point", index, "tariff", absent, remedy or there_are)
        return
    unit = work.find("metering_point", index, "unit", "unit", (point.site, point.building, point.unit))
    if unit is None:
        work.broken.add(("metering_point", (point.code,)))
    else:
        values = {"unit_id": unit, "kind": point.kind, "tariff": point.tariff}
        work.put("metering_point", (point.code,), values, point.code)


def _install(work: Work, index: int, installation: Installation) -> None:
    parent = work.find("installation", index, "metering_point", "metering_point", (installation.metering_point,))
    if parent is None:
        return
    if installation.to is not None and installation.to <= installation.from_:
        work.refuse("installation", index, "to", Problem("it ends before it begins"), Problem("Correct 'to'."))
        return
    mantissa, exponent = (None, None) if installation.initial is None else to_scaled(Decimal(installation.initial))
    values: dict[str, Any] = {
        "edge_id": installation.gateway,
        "device_code": installation.device,
        "point": installation.point,
        "multiplier": format(installation.multiplier, "f"),
        "to_at": None if installation.to is None else _ms(installation.to),
        "initial_mantissa": mantissa,
        "initial_exponent": exponent,
    }
    work.put("installation", (parent, _ms(installation.from_)), values, installation.metering_point)


def _refuse_overlaps(work: Work) -> None:
    """Refuse what would bill one consumption twice; looked at last, when every row of the file is in."""
    rows = work.shelves["installation"].rows
    by_meter: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows.values():
        by_meter.setdefault(tuple(row[name] for name in _METER), []).append(row)
        by_meter.setdefault((row["metering_point_id"],), []).append(row)
    codes = {found: key[0] for key, found in work.ids["metering_point"].items()}
    for index, installation in enumerate(work.records.installation):
        parent = work.ids["metering_point"].get((installation.metering_point,))
        mine = None if parent is None else rows.get((parent, _ms(installation.from_)))
        if mine is None:
            continue
        beside = by_meter[tuple(mine[name] for name in _METER)] + by_meter[(mine["metering_point_id"],)]
        other = next((row for row in beside if row is not mine and _is_shared(mine, row)), None)
        if other is not None:
            text = "the meter or the metering point is taken at that time, by an installation on '{code}'"
            taken = Problem(text, {"code": codes[other["metering_point_id"]]})
            remedy = Problem("End the earlier one with 'to' where the later one begins.")
            work.refuse("installation", index, "from", taken, remedy)


def _is_shared(mine: dict[str, Any], other: dict[str, Any]) -> bool:
    return (mine["to_at"] is None or other["from_at"] < mine["to_at"]) and (
        other["to_at"] is None or other["to_at"] > mine["from_at"]
    )


def _ms(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)
