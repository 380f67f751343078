"""A run bills every kWh once, to the fen, and says what it left out and why."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from central_server.billing.money import yuan
from central_server.billing.period import parse_instant, to_iso
from central_server.billing.run import RunResult
from central_server.billing.service import get_bill, list_bills
from central_server.billing.view import Wanted
from central_server.db import Database
from central_server.errors import Conflict, UsageError
from central_server.rbac import system
from protocols.quantity import Quality
from tests.central_server.vault import VAULT

DESK = system("desk")
OPEN, CLOSE = "2026-10-01T00:15", "2026-10-31T23:45"


async def the_bill(town: Any, number: str = "B-2026-10-0001") -> Any:
    async with town.db.read() as conn:
        found = await get_bill(conn, DESK, number)
    assert found is not None
    return found


def reasons(result: RunResult) -> list[tuple[str, str]]:
    return [(each.account, each.key) for each in result.parked]


async def test_a_month_is_billed_with_its_evidence(home: Any) -> None:
    first = await home.town.read(home.electricity, (OPEN, "1000.00"), ("2026-10-15T12:00", "1100.5"))
    second = await home.town.read(home.electricity, (CLOSE, "1215.50"))
    result = await home.town.bill()
    said = result.to_json()
    assert (said["bills"], said["lines"], said["total"], said["parked"]) == (1, 1, "105.23", [])
    assert said["metered"] == {"kwh": "215.50", "m3": "0"}
    bill = await the_bill(home.town)
    assert (bill.summary.unit, bill.summary.owner, bill.summary.total_fen) == ("1-101", "王芳", 10523)
    assert bill.summary.due_on == "2026-12-16"
    (line,) = bill.lines
    assert (line.quantity, line.unit, line.unit_price, line.amount_fen) == (Decimal("215.50"), "kWh", None, 10523)
    assert line.opening.batch.digest == first
    assert (line.closing.batch.digest, line.closing.batch.seq, line.closing.batch.epoch) == (
        second,
        3,
        "18446744073709551615",
    )
    assert line.trace["opening"]["at"] == "2026-09-30T16:15:00.000Z"
    assert line.trace["rounding"]["exact"] == "105.228650"
    assert (bill.run_input_hash, bill.run_output_hash) == (said["input_hash"], said["output_hash"])


async def test_a_bill_is_the_sum_of_its_lines(home: Any) -> None:
    water = await home.town.meter("wm-1", "volumeTotal", "m3")
    await home.town.point(
        home.unit, "1-101-W", "water", "beijing-water-residential", "wm-1", "volumeTotal", "2026-10-01T00:00"
    )
    await home.town.read(home.electricity, (OPEN, "0"), (CLOSE, "100.01"))
    await home.town.read(water, (OPEN, "5.125"), (CLOSE, "15.625"))
    await home.town.bill()
    bill = await the_bill(home.town)
    assert [(line.point, line.description_key, yuan(line.amount_fen)) for line in bill.lines] == [
        ("1-101-E", "electricity", "48.83"),
        ("1-101-W", "water", "52.50"),
    ]
    assert bill.summary.total_fen == sum(line.amount_fen for line in bill.lines) == 10133
    assert sum(Decimal(part["amount"]) for part in bill.lines[1].trace["components"]) == Decimal("52.50")


async def test_a_second_run_issues_nothing_and_says_so(home: Any) -> None:
    await home.town.read(home.electricity, (OPEN, "0"), (CLOSE, "10"))
    await home.town.bill()
    before = [await home.town.rows(table) for table in ("bill_run", "bill", "bill_line")]
    again = await home.town.bill()
    assert (again.bills, again.already_billed, again.parked) == ([], 1, [])
    assert [await home.town.rows(table) for table in ("bill_run", "bill", "bill_line")] == before


async def test_readings_that_come_late_are_billed_next_month_and_not_twice(home: Any) -> None:
    await home.town.read(home.electricity, (OPEN, "0"), ("2026-10-31T20:00", "10"))
    await home.town.bill()
    await home.town.read(home.electricity, (CLOSE, "12"), ("2026-11-30T23:50", "30"))
    assert (await home.town.bill()).bills == []
    next_month = await home.town.bill("2026-11")
    assert next_month.to_json()["metered"]["kwh"] == "20"


async def test_two_runs_at_once_issue_one_set_of_bills(home: Any) -> None:
    await home.town.read(home.electricity, (OPEN, "0"), (CLOSE, "10"))
    results = await asyncio.gather(*(home.town.bill() for _ in range(4)))
    assert sorted(len(result.bills) for result in results) == [0, 0, 0, 1]
    assert len(await home.town.rows("bill")) == len(await home.town.rows("bill_line")) == 1


async def test_two_programs_at_once_issue_one_set_of_bills(home: Any) -> None:
    await home.town.read(home.electricity, (OPEN, "0"), (CLOSE, "10"))
    others = [replace(home.town, db=Database(f"sqlite:///{home.town.db.path}", VAULT)) for _ in range(3)]
    results = await asyncio.gather(*(other.bill() for other in others))
    assert sorted(len(result.bills) for result in results) == [0, 0, 1]
    assert len(await home.town.rows("bill_run")) == len(await home.town.rows("bill_line")) == 1
    for other in others:
        await other.db.close()


class Overtaken(Database):
    """A database on which somebody else is quicker between our look and our first write."""

    def __init__(self, url: str, quicker: Callable[[], Awaitable[object]]) -> None:
        super().__init__(url, VAULT)
        self.quicker: Callable[[], Awaitable[object]] | None = quicker

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        if quicker := self.quicker:
            self.quicker = None
            await quicker()
        async with super().write() as conn:
            yield conn


async def test_a_run_that_was_overtaken_plans_anew(home: Any) -> None:
    # The other run sees an earlier first reading and bills another month: no key of ours would clash.
    await home.town.read(home.electricity, (OPEN, "10"), (CLOSE, "20"), ("2026-11-30T23:50", "30"))

    async def other_run() -> None:
        await home.town.read(home.electricity, ("2026-10-01T00:01", "9"))
        await home.town.bill("2026-11")

    db = Overtaken(f"sqlite:///{home.town.db.path}", other_run)
    result = await replace(home.town, db=db).bill("2026-10")
    await db.close()
    assert (result.bills, result.already_billed) == ([], 1)
    assert [line.quantity for line in await home.town.rows("bill_line")] == ["21"]


async def test_a_run_over_two_sites_numbers_bills_once(home: Any) -> None:
    site = await home.town.add("site", code="hill", name="山", zone="Asia/Urumqi")
    building = await home.town.add("building", site_id=site, code="1", name="1")
    unit = await home.town.add("unit", building_id=building, code="1-101")
    series = await home.town.meter("em-2", "energyImportTotal", "kWh")
    await home.town.point(
        unit, "hill-1-101-E", "electricity", "flat-electricity", "em-2", "energyImportTotal", "2026-10-01T00:00"
    )
    for each in (home.electricity, series):
        await home.town.read(each, (OPEN, "0"), (CLOSE, "10"))
    result = await home.town.bill()
    assert [(bill.number, bill.lines[0].point.code) for bill in result.bills] == [
        ("B-2026-10-0001", "hill-1-101-E"),
        ("B-2026-10-0002", "1-101-E"),
    ]
    runs = await home.town.rows("bill_run")
    assert [json.loads(run.totals)["total_fen"] for run in runs] == [800, 488]
    assert (await home.town.bill(site="lake")).already_billed == 1


async def test_the_table_itself_refuses_a_stretch_billed_twice(home: Any) -> None:
    await home.town.read(home.electricity, (OPEN, "0"), (CLOSE, "10"))
    await home.town.bill()
    (line,) = await home.town.rows("bill_line")
    with pytest.raises(IntegrityError):
        await home.town.add("bill_line", **{**line._mapping, "id": line.id + 1})


async def test_bills_in_any_rhythm_sum_to_the_change_of_the_register(home: Any) -> None:
    rhythm = Random(7)
    start, register, reads = ms("2026-10-01T00:00"), Decimal("99.07"), []
    for hour in range(1, 61 * 24, 5):
        register += Decimal(rhythm.randrange(0, 900)).scaleb(-rhythm.randrange(0, 4))
        reads.append((iso_here(start + hour * 3_600_000), str(register)))
    await home.town.read(home.electricity, *reads)
    days = sorted(rhythm.sample(range(2, 60), 6))
    for day in days:
        for each in (day, rhythm.choice(days)):
            through = iso_here(start + each * 86_400_000 + rhythm.randrange(3_600_000))
            if each <= day:
                await home.town.bill(through[:7], through=through)
        if day > 31:
            await home.town.bill("2026-10")
    await home.town.bill("2026-11")
    lines = await home.town.rows("bill_line")
    assert len(lines) > 6
    assert sum(Decimal(line.quantity) for line in lines) == Decimal(reads[-1][1]) - Decimal(reads[0][1])
    chain = sorted((line.opening_at, line.closing_at) for line in lines)
    assert all(before[1] == after[0] for before, after in pairwise(chain))


async def test_a_run_that_fails_half_way_leaves_nothing(home: Any) -> None:
    await home.town.read(home.electricity, (OPEN, "0"), (CLOSE, "10"))
    async with home.town.db.write() as conn:
        await conn.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON bill_line BEGIN SELECT RAISE(FAIL, 'disk'); END"
        )
    with pytest.raises(DBAPIError):
        await home.town.bill()
    assert [await home.town.rows(table) for table in ("bill_run", "bill", "bill_line")] == [[], [], []]


async def test_a_dry_run_gives_the_same_hashes_and_writes_nothing(home: Any) -> None:
    await home.town.read(home.electricity, (OPEN, "0"), (CLOSE, "10"))
    dry = (await home.town.bill(is_dry_run=True)).to_json()
    assert await home.town.rows("bill_run") == []
    real = (await home.town.bill()).to_json()
    assert {**dry, "dry_run": False} == real


async def test_the_clock_of_the_run_does_not_change_its_hashes(home: Any) -> None:
    await home.town.read(home.electricity, (OPEN, "0"), (CLOSE, "10"))
    early = await home.town.bill(is_dry_run=True, now=datetime(2026, 11, 1, 0, tzinfo=UTC))
    late = await home.town.bill(is_dry_run=True)
    assert early.to_json() == late.to_json()


async def test_any_input_changes_the_input_hash(home: Any) -> None:
    await home.town.read(home.electricity, (OPEN, "0"), (CLOSE, "10"))
    before = (await home.town.bill(is_dry_run=True)).to_json()
    await home.town.change("installation", multiplier="2")
    after = (await home.town.bill(is_dry_run=True)).to_json()
    assert before["input_hash"] != after["input_hash"]
    assert before["output_hash"] != after["output_hash"]


async def test_tiers_go_on_through_the_year_and_start_anew(home: Any) -> None:
    await home.town.change("installation", from_at=0)
    await home.town.read(
        home.electricity,
        ("2026-09-30T23:50", "0"),
        (CLOSE, "2800"),
        ("2026-11-30T23:50", "3015.5"),
        ("2026-12-31T23:50", "3016.5"),
        ("2027-01-31T23:50", "3116.5"),
    )
    now = datetime(2027, 3, 1, tzinfo=UTC)
    totals = [
        (await home.town.bill(period, now=now)).to_json()["total"]
        for period in ("2026-10", "2026-11", "2026-12", "2027-01")
    ]
    assert totals == ["1367.24", "112.00", "0.54", "48.83"]
    november = (await the_bill(home.town, "B-2026-11-0001")).lines[0].trace
    assert (november["tier_period"], november["used_before"]) == ("year", "2800")
    assert [tier["quantity"] for tier in november["tiers"]] == ["80", "135.5"]


async def test_an_interim_bill_and_the_rest_make_the_month(home: Any) -> None:
    await home.town.read(
        home.electricity, (OPEN, "0"), ("2026-10-10T09:00", "7.5"), ("2026-10-10T10:00", "8"), (CLOSE, "20")
    )
    interim = await home.town.bill(through="2026-10-10T09:30")
    assert interim.to_json()["metered"]["kwh"] == "7.5"
    assert (await home.town.bill(through="2026-10-10T09:30")).already_billed == 1
    rest = await home.town.bill()
    assert rest.to_json()["metered"]["kwh"] == "12.5"
    assert [bill.number for bill in (*interim.bills, *rest.bills)] == ["B-2026-10-0001", "B-2026-10-0002"]
    assert (await the_bill(home.town, "B-2026-10-0002")).lines[0].opening == (await the_bill(home.town)).lines[
        0
    ].closing


async def test_a_reading_at_the_very_end_of_the_period_closes_it(home: Any) -> None:
    await home.town.read(
        home.electricity, ("2026-10-01T00:00", "0"), ("2026-11-01T00:00", "10"), ("2026-11-01T00:01", "11")
    )
    assert (await home.town.bill()).to_json()["metered"]["kwh"] == "10"


async def test_a_noted_initial_read_opens_the_first_bill(home: Any) -> None:
    await home.town.change("installation", initial_mantissa=95, initial_exponent=-1)
    await home.town.read(home.electricity, (OPEN, "10"), (CLOSE, "20"))
    await home.town.bill()
    (line,) = (await the_bill(home.town)).lines
    assert (line.quantity, line.opening.batch, line.trace["opening"]["source"]) == (
        Decimal("10.5"),
        None,
        "installation",
    )


async def test_a_change_of_the_transformer_is_billed_in_two_contiguous_lines(home: Any) -> None:
    await home.town.change("installation", multiplier="40", to_at=ms("2026-10-12T09:30"))
    await home.town.install(home.point, "em-1", "energyImportTotal", "2026-10-12T09:30", multiplier="60")
    await home.town.read(
        home.electricity,
        (OPEN, "1234.56"),
        ("2026-10-12T09:29", "1235.06"),
        ("2026-10-12T09:31", "1235.08"),
        (CLOSE, "1236.11"),
    )
    result = await home.town.bill()
    assert result.to_json()["metered"]["kwh"] == "83.00"
    first, second = (await the_bill(home.town)).lines
    assert (first.quantity, second.quantity, second.opening) == (Decimal("20.00"), Decimal("63.00"), first.closing)


async def test_a_meter_swap_in_mid_month_loses_nothing(home: Any) -> None:
    swap = "2026-10-12T09:30"
    await home.town.change("installation", to_at=ms(swap))
    new = await home.town.meter("em-9", "energyImportTotal", "kWh")
    await home.town.install(home.point, "em-9", "energyImportTotal", swap, initial="0.02")
    await home.town.read(home.electricity, (OPEN, "500"), ("2026-10-12T09:29", "550.25"))
    await home.town.read(new, ("2026-10-12T10:00", "0.5"), (CLOSE, "100.02"))
    assert (await home.town.bill()).to_json()["metered"]["kwh"] == "150.25"
    await home.town.read(new, ("2026-11-30T23:50", "110.02"))
    assert (await home.town.bill("2026-11")).to_json()["metered"]["kwh"] == "10.00"


async def test_registers_of_nineteen_digits_are_billed_to_the_last(home: Any) -> None:
    await home.town.change("installation", multiplier="1.000001")
    await home.town.read(home.electricity, (OPEN, "0.000001"), (CLOSE, "4611686018427.387901"))
    result = await home.town.bill()
    assert Decimal(result.to_json()["metered"]["kwh"]) == Decimal("4611686018427.3879") + Decimal("4611686.0184273879")


@pytest.mark.parametrize("quality", [Quality.NOT_AVAILABLE, Quality.INVALID, Quality.SUSPECT])
async def test_a_reading_that_cannot_be_believed_is_never_billed(home: Any, quality: Quality) -> None:
    await home.town.read(home.electricity, (OPEN, "0"), ("2026-10-31T23:00", "10"))
    await home.town.read(home.electricity, (CLOSE, "99999"), quality=quality)
    assert (await home.town.bill()).to_json()["metered"]["kwh"] == "10"


async def test_a_reading_entered_by_a_person_is_billed_and_named_so(home: Any) -> None:
    await home.town.read(home.electricity, (OPEN, "0"))
    await home.town.read(home.electricity, (CLOSE, "10"), quality=Quality.SUBSTITUTED)
    await home.town.bill()
    assert (await the_bill(home.town)).lines[0].trace["closing"]["quality"] == "substituted"


async def test_a_reading_without_a_value_is_passed_over(home: Any) -> None:
    await home.town.read(home.electricity, (OPEN, "0"), ("2026-10-31T23:00", "10"), (CLOSE, None))
    assert (await home.town.bill()).to_json()["metered"]["kwh"] == "10"


@pytest.mark.parametrize(
    "reads",
    [
        [(OPEN, "100"), (CLOSE, "90")],
        [(OPEN, "100"), ("2026-10-10T00:00", "0"), (CLOSE, "105")],
        [(OPEN, "100"), ("2026-10-10T00:00", "9000"), (CLOSE, "105")],
        [(OPEN, "100"), (CLOSE, "9000"), ("2026-11-01T00:10", "105")],
        [(OPEN, "100"), ("2026-10-10T00:00", "100.5"), ("2026-10-11T00:00", "100.49"), (CLOSE, "105")],
    ],
)
async def test_a_register_that_ever_went_back_is_parked(home: Any, reads: list[tuple[str, str]]) -> None:
    await home.town.read(home.electricity, *reads)
    result = await home.town.bill()
    assert (result.bills, reasons(result)) == ([], [("1-101-E", "register_went_back")])
    assert await home.town.rows("bill_run") == []


async def test_a_first_reading_below_the_noted_one_is_parked(home: Any) -> None:
    await home.town.change("installation", initial_mantissa=50, initial_exponent=0)
    await home.town.read(home.electricity, (OPEN, "10"), (CLOSE, "70"))
    assert reasons(await home.town.bill()) == [("1-101-E", "register_went_back")]


async def test_a_meter_that_fell_silent_is_parked_and_billed_when_it_is_back(home: Any) -> None:
    await home.town.read(home.electricity, (OPEN, "0"), ("2026-10-29T23:00", "10"))
    result = await home.town.bill()
    assert reasons(result) == [("1-101-E", "no_closing_read")]
    assert "the last good one is of 2026-10-29T15:00:00.000Z" in result.parked[0].reason
    await home.town.read(home.electricity, (CLOSE, "11"))
    assert (await home.town.bill()).to_json()["metered"]["kwh"] == "11"


async def test_what_is_parked_keeps_nobody_else_from_a_bill(home: Any) -> None:
    other = (await home.town.rows("unit"))[1].id
    await home.town.point(
        other, "1-102-E", "electricity", "no-such-tarif", "em-2", "energyImportTotal", "2026-10-01T00:00"
    )
    await home.town.read(home.electricity, (OPEN, "0"), (CLOSE, "10"))
    result = await home.town.bill()
    assert len(result.bills) == 1
    assert reasons(result) == [("1-102-E", "unknown_tariff")]
    assert "there is no tariff 'no-such-tarif'; the known ones are beijing-" in result.parked[0].reason


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"tariff": "beijing-water-residential"}, "wrong_unit"),
        ({"tariff": "beijing-electricity-residental"}, "unknown_tariff"),
    ],
)
async def test_a_tariff_that_does_not_fit_is_parked(home: Any, change: dict[str, str], key: str) -> None:
    await home.town.read(home.electricity, (OPEN, "0"), (CLOSE, "10"))
    await home.town.change("metering_point", **change)
    assert reasons(await home.town.bill()) == [("1-101-E", key)]


async def test_a_meter_that_two_points_claim_is_billed_to_neither(home: Any) -> None:
    other = (await home.town.rows("unit"))[1].id
    await home.town.point(
        other, "1-102-E", "electricity", "flat-electricity", "em-1", "energyImportTotal", "2026-10-01T00:00"
    )
    await home.town.read(home.electricity, (OPEN, "0"), (CLOSE, "10"))
    assert reasons(await home.town.bill()) == [("1-101-E", "shared_meter"), ("1-102-E", "shared_meter")]


async def test_a_point_whose_meter_was_never_heard_is_parked(town: Any) -> None:
    unit = (await town.rows("unit"))[0].id
    await town.point(
        unit, "1-101-E", "electricity", "flat-electricity", "em-7", "energyImportTotal", "2026-10-01T00:00"
    )
    assert reasons(await town.bill()) == [("1-101-E", "never_heard")]


async def test_no_use_makes_a_bill_of_nothing_that_still_moves_the_chain(home: Any) -> None:
    await home.town.read(home.electricity, (OPEN, "10"), (CLOSE, "10"))
    assert (await home.town.bill()).to_json()["total"] == "0.00"
    assert (await home.town.bill()).already_billed == 1


async def test_a_period_that_is_not_over_is_refused_with_the_way_out(home: Any) -> None:
    with pytest.raises(
        Conflict, match=r"2026-12 is not over at site 'lake' until 2026-12-31T16:00:00.000Z. Use --through"
    ):
        await home.town.bill("2026-12")


@pytest.mark.parametrize(
    ("through", "key"),
    [("2026-12-24T00:00", "billing_through_in_future"), ("2026-10-01T00:00", "billing_through_before_period")],
)
async def test_an_interim_bill_closes_in_its_period_and_not_in_the_future(home: Any, through: str, key: str) -> None:
    with pytest.raises(Conflict) as caught:
        await home.town.bill(through=through)
    assert caught.value.key == key


async def test_batches_that_are_not_expanded_yet_are_told(home: Any) -> None:
    await home.town.read(home.electricity, (OPEN, "0"), (CLOSE, "10"))
    await home.town.change("batch", packed_at=None)
    assert (await home.town.bill(is_dry_run=True)).to_json()["waiting_batches"] == 1
    await home.town.change("batch", error="broken")
    assert (await home.town.bill()).to_json()["waiting_batches"] == 0


async def test_an_unknown_site_is_refused(home: Any) -> None:
    with pytest.raises(UsageError, match="There is no site 'sea'"):
        await home.town.bill(site="sea")


async def test_sites_are_billed_by_their_own_midnight(home: Any) -> None:
    await home.town.change("site", zone="Europe/Berlin")
    result = await home.town.bill(is_dry_run=True)
    assert to_iso(result.sites[0].window.through_at) == "2026-10-31T23:00:00.000Z"


async def test_bills_are_listed_and_found_by_number_unit_and_owner(home: Any) -> None:
    other = (await home.town.rows("unit"))[1].id
    series = await home.town.meter("em-2", "energyImportTotal", "kWh")
    await home.town.point(
        other, "1-102-E", "electricity", "flat-electricity", "em-2", "energyImportTotal", "2026-10-01T00:00"
    )
    for each in (home.electricity, series):
        await home.town.read(each, (OPEN, "0"), (CLOSE, "10"))
    await home.town.bill()
    async with home.town.db.read() as conn:
        found = {
            search: [item.unit for item in (await list_bills(conn, DESK, Wanted(search))).items]
            for search in ("", "王芳", "0002", "1-101 B-2026", "nobody", "%", "_")
        }
        page = await list_bills(conn, DESK, limit=1, offset=1)
        other_month = await list_bills(conn, DESK, Wanted(period="2026-09"))
    assert found == {
        "": ["1-102", "1-101"],
        "王芳": ["1-101"],
        "0002": ["1-102"],
        "1-101 B-2026": ["1-101"],
        "nobody": [],
        "%": [],
        "_": [],
    }
    assert (page.total, [item.number for item in page.items]) == (2, ["B-2026-10-0001"])
    assert other_month.total == 0


async def test_a_stored_trace_is_the_same_text_whoever_wrote_it(home: Any) -> None:
    await home.town.read(home.electricity, (OPEN, "0"), (CLOSE, "10"))
    await home.town.bill()
    (row,) = await home.town.rows("bill_line")
    assert row.trace == json.dumps(json.loads(row.trace), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


async def test_an_owner_who_left_is_not_on_the_bill(home: Any) -> None:
    await home.town.change("ownership", to_on=date(2026, 10, 15).isoformat())
    await home.town.read(home.electricity, (OPEN, "0"), (CLOSE, "10"))
    assert (await home.town.bill()).bills[0].owner == ""


def ms(text: str) -> int:
    return parse_instant(f"{text}+08:00")


def iso_here(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, ZoneInfo("Asia/Shanghai")).replace(tzinfo=None).isoformat()
