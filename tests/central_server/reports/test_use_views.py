"""The page of what meters used, and its table."""

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from central_server.live import Hub
from central_server.rbac import Role
from central_server.telemetry.expansion import Expander
from protocols.quantity import Quality
from protocols.sync import Lane, Reading, Series

MONTH = "2026-07"
JULY = int(datetime(2026, 6, 30, 16, tzinfo=UTC).timestamp()) * 1000  # midnight at the site
DAY = 86_400_000


async def told(gateway: Any, device: str, *values: str) -> None:
    """Deliver a value of a register a day, from midnight of the first of July on."""
    records = []
    for day, value in enumerate(values):
        name = Series(device, "energyImportTotal", "kWh")
        records.append(Reading(name, JULY + day * DAY, Decimal(value), Quality.GOOD))
    await gateway.send(Lane.BILLING, *records)
    expander = Expander(gateway.centre.db, Hub())
    while await expander.expand_next():
        pass


async def test_a_clerk_reads_the_use_of_a_month_and_takes_it_along(centre: Any, gateway: Any) -> None:
    await told(gateway, "em-1", "1000.00", "1002.50")
    await told(gateway, "=em-2", "7")
    session = await centre.signed_in(role=Role.CLERK)
    page = (await centre.ask("GET", f"/reports/use?month={MONTH}", token=session.token)).text
    for words in ("表计用量", "em-1", "2.50", "1,002.50", "未装到房屋的表计", "1 块无用量"):
        assert words in page, words
    only = (await centre.ask("GET", f"/reports/use?month={MONTH}&only=unknown&q=EM", token=session.token)).text
    assert "=em-2" in only
    assert "1,002.50" not in only
    table = (await centre.ask("GET", f"/reports/use.csv?month={MONTH}&site=lake", token=session.token)).text
    rows = list(csv.DictReader(io.StringIO(table.removeprefix("\ufeff"))))
    assert [(row["meter"], row["use"], row["unit_of_use"]) for row in rows] == [
        ("'=em-2", "", "kWh"),
        ("em-1", "2.50", "kWh"),
    ]
    assert (rows[1]["opening_at"], rows[1]["opening"]) == ("2026-07-01T00:00:00+08:00", "1000.00")


async def test_a_month_without_readings_and_a_site_that_nobody_knows_are_said(centre: Any) -> None:
    session = await centre.signed_in(role=Role.MANAGER)
    page = await centre.ask("GET", "/reports/use", token=session.token)
    assert (page.status, "本月没有抄到表计" in page.text) == (200, True)
    assert (await centre.ask("GET", "/reports/use?site=sea", token=session.token)).status == 404
