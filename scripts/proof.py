"""What the demonstration proves: nothing lost, nothing doubled, and bills equal to the meters' own word."""

import bisect
import json
import sqlite3
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import estate

from central_server.telemetry.block import unpack

LANES = ("safety", "control", "billing", "telemetry")
BILLED_POINTS = {"kWh": "energyImportTotal", "m3": "volumeTotal"}

Lanes = Mapping[str, Mapping[str, Any]]


async def lanes(demo: Any) -> Lanes:
    """Ask the gateway what it has accepted and what still waits."""
    status = await demo.json("edge", "-c", "edge.toml", "buffer", "status")
    found: Lanes = status["lanes"]
    return found


def pending(found: Lanes) -> int:
    return sum(lane["pending"] for lane in found.values())


def period(instant: datetime, zone: str) -> str:
    return instant.astimezone(ZoneInfo(zone)).strftime("%Y-%m")


def query(path: Path, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        return connection.execute(sql, parameters).fetchall()
    finally:
        connection.close()


class Kept(NamedTuple):
    series_id: int
    taken_at: int
    mantissa: int
    exponent: int
    quality: int  # bit 7 set: there is no value
    batch_id: int
    seq: int


def kept_readings(path: Path) -> list[Kept]:
    """Give every reading that the centre holds."""
    found = []
    for series_id, body in query(path, "SELECT series_id, body FROM block"):
        block = unpack(body)
        columns = (block.at, block.mantissa, block.exponent, block.quality, block.batch, block.seq)
        found += [Kept(series_id, *row) for row in zip(*columns, strict=True)]
    return found


def meters_read_since(path: Path, since_ms: int) -> set[str]:
    """Name the meters with a good register reading at the centre taken since an instant."""
    rows = query(
        path,
        "SELECT DISTINCT device.code FROM latest JOIN series ON series.id = latest.series_id"
        " JOIN device ON device.id = series.device_id"
        " WHERE latest.quality = 0 AND latest.taken_at >= ? AND series.point IN (?, ?)",
        (since_ms, *BILLED_POINTS.values()),
    )
    return {code for (code,) in rows}


async def arrived(demo: Any, accepted: Lanes) -> bool:
    """Tell whether everything accepted by then is at the centre, expanded."""
    now = await lanes(demo)
    if any(now[lane]["acked_seq"] < accepted[lane]["next_seq"] - 1 for lane in LANES):
        return False
    path = demo.folder / "central/central.db"
    return not query(path, "SELECT 1 FROM batch WHERE expanded_at IS NULL LIMIT 1")


def delivery(folder: Path, witness: Sequence[Lanes]) -> dict[str, int]:
    """Compare what the gateway said it had accepted, again and again, with what the centre has.

    Shape: ``witness`` are the gateway's answers in order, before and after it was killed: a
    number once given out must never be given out again, so a count that falls is a loss too.
    """
    last = witness[-1]
    accepted = sum(last[lane]["next_seq"] - 1 for lane in LANES)
    forgotten = sum(
        max(0, before[lane]["next_seq"] - after[lane]["next_seq"])
        for before, after in pairwise(witness)
        for lane in LANES
    )
    path = folder / "central/central.db"
    batches = {
        key: (epoch, lane)
        for key, epoch, lane in query(
            path,
            "SELECT batch.id, batch.epoch, batch.lane FROM batch JOIN gateway ON gateway.id = batch.gateway_id"
            " WHERE gateway.edge_id = 'gw-1'",
        )
    }
    records = [(row.batch_id, row.seq) for row in kept_readings(path)]
    records += query(path, "SELECT batch_id, seq FROM event WHERE batch_id IS NOT NULL")
    tally = Counter((*batches[batch_id], seq) for batch_id, seq in records if batch_id in batches)
    rows = [(lane, seq, count) for (_, lane, seq), count in tally.items()]
    central = [(lane, seq, count) for lane, seq, count in rows if seq < last[LANES[lane]]["next_seq"]]
    return {
        "accepted": accepted,
        "central": len(central),
        "lost": accepted - len(central) + forgotten,
        "duplicated": sum(count - 1 for _, _, count in rows),
    }


class Meters:
    """What the simulated meters wrote down before they answered: the truth the bills are held against."""

    def __init__(self, journal: Path) -> None:
        self._served: dict[tuple[str, str], list[tuple[int, Decimal]]] = defaultdict(list)
        for line in journal.read_text().splitlines():
            entry = json.loads(line)
            if "meter" not in entry:
                continue  # a card, or a door's relay
            at = round(datetime.fromisoformat(entry["served_at"]).timestamp() * 1000)
            self._served[entry["meter"], entry["point"]].append((at, Decimal(entry["value"])))

    def said(self, meter: str, point: str, taken_ms: int) -> Decimal | None:
        """Give the register the meter last put on the wire before a reading was taken."""
        served = self._served[meter, point]
        position = bisect.bisect_right(served, (taken_ms, Decimal("Infinity")))
        return served[position - 1][1] if position else None


async def bills(demo: Any, run: Mapping[str, Any], period_billed: str) -> dict[str, Any]:
    """Hold every line of every bill against the meters."""
    meters = Meters(demo.folder / "journal.jsonl")
    # Homes whose meters are read by people have no journal to be held against.
    lined = {home.code for home in estate.HOMES if home.has_line}
    listed = await demo.json("central", "bill", "list", "--period", period_billed, "--limit", "1000")
    numbers = [bill["number"] for bill in listed["bills"] if bill["unit"] in lined]
    wrong: list[str] = [f"{parked['account']} was parked: {parked['reason']}" for parked in run["parked"]]
    metered: dict[str, Decimal] = defaultdict(Decimal)
    billed: dict[str, Decimal] = defaultdict(Decimal)
    for number in numbers:
        bill = await demo.json("central", "bill", "show", number)
        if sum(Decimal(line["amount"]) for line in bill["lines"]) != Decimal(bill["total"]):
            wrong.append(f"{number}: its lines do not sum to {bill['total']}")
        for line in bill["lines"]:
            trace, unit = line["trace"], line["unit"]
            if unit not in BILLED_POINTS:
                continue  # a fee
            said = [meters.said(*_read(trace, which, BILLED_POINTS[unit])) for which in ("opening", "closing")]
            billed[unit] += Decimal(line["quantity"])
            if None in said:
                wrong.append(f"{number}: the meter never said what line {line['description']} is made of")
                continue
            opening, closing = said
            delivered = closing - opening  # type: ignore[operator]
            metered[unit] += delivered
            if delivered != Decimal(line["quantity"]):
                wrong.append(f"{number}: {line['quantity']} {unit} billed, {delivered} delivered")
    if count := _unsummed(demo):
        wrong.append(f"{count} bills are not the sum of their lines")
    if count := _misread(demo):
        wrong.append(f"{count} readings at the centre differ from what the meter said")
    for text in wrong:
        print(f"demo: WRONG {text}", file=sys.stderr, flush=True)
    figures = {
        "bills": len(listed["bills"]),
        "bill_errors": len(wrong),
        "metered": _figures(metered),
        "billed": _figures(billed),
    }
    return {**figures, "parked": len(run["parked"])}


def _read(trace: Mapping[str, Any], which: str, point: str) -> tuple[str, str, int]:
    at = datetime.fromisoformat(trace[which]["at"])
    return trace["meter"]["device"], point, round(at.timestamp() * 1000)


def _unsummed(demo: Any) -> int:
    """Count bills, of every month, that are not the sum of their lines."""
    rows = query(
        demo.folder / "central/central.db",
        "SELECT bill.id FROM bill LEFT JOIN bill_line ON bill_line.bill_id = bill.id"
        " GROUP BY bill.id, bill.total_fen HAVING coalesce(sum(bill_line.amount_fen), 0) != bill.total_fen",
    )
    return len(rows)


def _misread(demo: Any) -> int:
    """Count register readings at the centre that are not what the meter had just answered."""
    path = demo.folder / "central/central.db"
    names = {
        key: (code, point)
        for key, code, point in query(
            path,
            "SELECT series.id, device.code, series.point FROM series JOIN device ON device.id = series.device_id"
            " JOIN gateway ON gateway.id = device.gateway_id AND gateway.edge_id = 'gw-1'"
            " WHERE series.point IN (?, ?)",
            tuple(BILLED_POINTS.values()),
        )
    }
    rows = [
        (*names[row.series_id], row.taken_at, row.mantissa, row.exponent)
        for row in kept_readings(path)
        if row.series_id in names and row.quality == 0
    ]
    meters = Meters(demo.folder / "journal.jsonl")  # read after the readings: the meters go on
    return sum(
        meters.said(code, point, at) != Decimal(mantissa).scaleb(exponent)
        for code, point, at, mantissa, exponent in rows
    )


def is_ok(result: Mapping[str, Any]) -> bool:
    """Tell whether a check found nothing off."""
    nothing = ("lost", "duplicated", "bill_errors", "parked")
    return not any(result[key] for key in nothing) and result["bills"] > 0 and result["metered"] == result["billed"]


def _figures(sums: Mapping[str, Decimal]) -> dict[str, str]:
    return {"kwh": f"{sums['kWh']}", "m3": f"{sums['m3']}"}
