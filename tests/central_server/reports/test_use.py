"""What meters used in a month: by installation, with its multiplier, and never a guess."""

from decimal import Decimal
from typing import Any

from central_server.billing.period import Period
from central_server.live import Hub
from central_server.reports.source import Site
from central_server.reports.use import MeterUse, Total, meters_of, totals
from central_server.sync.service import authenticate, take_batch
from central_server.telemetry.expansion import Expander
from tests.central_server.lake import NOVEMBER, Lake, batch_of, energy

HOUR = 3_600_000
DAY = 24 * HOUR
DECEMBER = NOVEMBER + 30 * DAY
SITE = Site(1, "lake", "Lake side", "Asia/Shanghai")


async def serve(lake: Lake, point: int, meter: str, from_at: int = 0, **more: Any) -> None:
    own = {"edge_id": "gw-1", "device_code": meter, "point": "energyImportTotal", "multiplier": "1", "from_at": from_at}
    await lake.add("installation", metering_point_id=point, **(own | more))


async def estate(lake: Lake, units: int) -> None:
    """A building with so many units, each with a metering point of its own."""
    await lake.add("building", site_id=1, code="1", name="Block 1")
    for number in range(1, units + 1):
        await lake.add("unit", building_id=1, code=f"10{number}", area_m2="80")
        await lake.add("metering_point", unit_id=number, code=f"e-10{number}", kind="electricity", tariff="t")


async def read(lake: Lake, **meters: list[tuple[int, str]]) -> None:
    records = [energy(at, value, code.replace("_", "-")) for code, marks in meters.items() for at, value in marks]
    gateway = await authenticate(lake.db, f"Gateway gw-1:{lake.secret}")
    await take_batch(lake.db, gateway, batch_of(records))
    expander = Expander(lake.db, Hub(), lambda: DECEMBER + DAY)
    while await expander.expand_next():
        pass


async def november(lake: Lake) -> list[MeterUse]:
    async with lake.db.read() as connection:
        return await meters_of(connection, SITE, Period(2026, 11), DECEMBER + 3 * DAY)


async def test_a_unit_whose_meter_was_changed_has_both_meters_each_for_its_time(lake: Lake) -> None:
    await estate(lake, 1)
    change = NOVEMBER + 10 * DAY
    await serve(lake, 1, "em-1", to_at=change, multiplier="40")
    await serve(lake, 1, "em-2", change, initial_mantissa=5, initial_exponent=-1)
    old = [(NOVEMBER - HOUR, "100.0"), (change, "101.5"), (change + DAY, "150")]
    await read(lake, em_1=old, em_2=[(change - DAY, "0.1"), (change + DAY, "7"), (DECEMBER, "9.25")])
    first, second = await november(lake)
    assert (first.meter, first.use, second.meter, second.use) == ("em-1", Decimal(60), "em-2", Decimal("8.75"))
    assert totals([first, second]) == [Total("Block 1", "electricity", Decimal("68.75"), 2, 0)]


async def test_what_is_not_known_is_no_figure_and_is_counted(lake: Lake) -> None:
    await estate(lake, 4)
    for number in range(1, 5):
        await serve(lake, number, f"em-{number}")
    marks = {"em_1": [(NOVEMBER, "10"), (DECEMBER, "15")], "em_2": [(NOVEMBER, "10"), (DECEMBER, "3")]}
    await read(lake, **marks, em_3=[(NOVEMBER + DAY, "4")], em_9=[(NOVEMBER, "1"), (DECEMBER - 1, "3")])
    found = await november(lake)
    assert [(each.unit, each.use) for each in found] == [
        ("101", Decimal(5)),
        ("102", None),  # fell
        ("103", None),  # read once
        ("104", None),  # never heard
        ("", Decimal(2)),  # serves nobody
    ]
    assert totals(found) == [
        Total("Block 1", "electricity", Decimal(5), 4, 3),
        Total("", "electricity", Decimal(2), 1, 0),
    ]
