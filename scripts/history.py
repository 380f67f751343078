"""Three months of an estate's life, made by the product's own services with a clock that is wound forward.

What stands in the database afterwards is what people of the estate would have brought about: calls,
repairs, rounds, bills, payments, notices, visits. Nothing is written past the services.
"""

import argparse
import asyncio
import json
import random
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import estate
from sqlalchemy import select

from central_server import auth
from central_server.admin import codes
from central_server.alarms import service as alarms
from central_server.billing import payment
from central_server.billing.period import parse_period
from central_server.billing.service import EVERY_BILL, list_bills, run_bills
from central_server.billing.tariff import load_tariffs
from central_server.context import open_context
from central_server.db import Database
from central_server.inspection import entry, keeping, meter_read, rounds
from central_server.inspection import service as inspection
from central_server.inspection.model import Given, Kind
from central_server.notices import service as notices
from central_server.notices.model import Draft
from central_server.parking import service as parking
from central_server.parking.model import Kind as PlaceKind
from central_server.parking.model import NewLease, NewPlace
from central_server.rbac import Actor, Role, system
from central_server.schema import account, building, equipment, metering_point, person, site, unit
from central_server.visitors import service as visitors
from central_server.visitors.model import Ask
from central_server.visitors.model import Step as VisitStep
from central_server.workorders import service as orders
from central_server.workorders.intake import Report
from central_server.workorders.model import Category, Source, State, Step
from central_server.workorders.steps import Said

ZONE = ZoneInfo("Asia/Shanghai")
STAFF = (
    ("admin", Role.ADMINISTRATOR, {"zh": "系统管理员", "en": "Administrator"}),
    ("manager", Role.MANAGER, {"zh": "项目经理 何平", "en": "He Ping, manager"}),
    ("desk", Role.CONTROL_ROOM, {"zh": "监控中心 1", "en": "Control room 1"}),
    ("clerk", Role.CLERK, {"zh": "财务 林晓", "en": "Lin Xiao, clerk"}),
    ("tech-1", Role.TECHNICIAN, {"zh": "维修 郭强", "en": "Guo Qiang, technician"}),
    ("tech-2", Role.TECHNICIAN, {"zh": "维修 邓军", "en": "Deng Jun, technician"}),
    ("inspector", Role.INSPECTOR, {"zh": "巡检 秦勇", "en": "Qin Yong, inspector"}),
    ("guard", Role.GUARD, {"zh": "门岗 1", "en": "Guard 1"}),
    ("engineer", Role.ENGINEER, {"zh": "工程 谢磊", "en": "Xie Lei, engineer"}),
    ("auditor", Role.AUDITOR, {"zh": "审计", "en": "Auditor"}),
)
FAULTS = (
    (Category.WATER, {"zh": "厨房水槽下漏水", "en": "Leak under the kitchen sink"}),
    (Category.POWER, {"zh": "客厅跳闸", "en": "Breaker trips in the living room"}),
    (Category.DOOR, {"zh": "入户门锁打不开", "en": "Flat door does not lock"}),
    (Category.BUILDING, {"zh": "楼道灯不亮", "en": "Stairwell light is out"}),
    (Category.OTHER, {"zh": "空调外机噪音", "en": "Noise of the air conditioner"}),
)
NOTICES = (
    ({"zh": "2 号楼水箱清洗", "en": "Tank cleaning in building 2"}, {"zh": "周三 9 点至 11 点停水,请提前储水。", "en": "No water on Wednesday from 9 to 11. Please keep some."}),
    ({"zh": "电梯年检", "en": "Yearly lift inspection"}, {"zh": "1 号楼 A 梯周五下午停用。", "en": "Lift A of building 1 stands still on Friday afternoon."}),
    ({"zh": "冬季用电安全", "en": "Electrical safety in winter"}, {"zh": "请勿在楼道内充电。", "en": "Please charge nothing in the stairwell."}),
)  # fmt: skip


class Clock:
    """The clock of this program; the services ask the system's, which is this one here."""

    def __init__(self) -> None:
        self._real = time.time_ns
        self._shift_ns = 0
        time.time_ns = self._now  # type: ignore[method-assign]

    def _now(self) -> int:
        return self._real() + self._shift_ns

    def set(self, at: datetime) -> None:
        self._shift_ns = int(at.timestamp() * 1e9) - self._real()

    def reset(self) -> None:
        self._shift_ns = 0


@dataclass
class Life:
    """The estate while it is lived in."""

    db: Database
    language: str
    clock: Clock
    chance: random.Random
    people: dict[str, Actor]
    tariffs: Any
    site_id: int = 0
    points: int = 0

    def word(self, words: Any) -> str:
        text: str = words[self.language]
        return text

    async def one(self, query: Any) -> Any:
        async with self.db.read() as connection:
            return (await connection.execute(query)).one()

    async def ids(self, table: Any) -> dict[str, int]:
        async with self.db.read() as connection:
            return dict((await connection.execute(select(table.c.code, table.c.id))).all())


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZONE)


def ms(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)


def month_before(day: date, months: int) -> date:
    """Give the first day of the month so many months before a day's own."""
    number = day.year * 12 + day.month - 1 - months
    return date(number // 12, number % 12 + 1, 1)


async def open_accounts(life: Life, password: str) -> None:
    """Give every role its account; residents come in by a code."""
    for login, role, name in STAFF:
        key = await auth.add_account(
            life.db, login, life.word(name), life.language, password, role, actor=system("command line")
        )
        life.people[login] = Actor(login, life.word(name), role, key)


async def resident(life: Life, code: str) -> Actor:
    """Give a resident's account, opened by a code handed over at the desk."""
    found = await life.one(select(person.c.id, person.c.name).where(person.c.code == code))
    today = datetime.fromtimestamp(time.time_ns() / 1e9, ZONE).date().isoformat()
    handed = await codes.hand_over_code(life.db, life.people["clerk"], found.id, today)
    row = await life.one(select(account).where(account.c.login == handed.login))
    return Actor(row.login, row.name, Role.RESIDENT, row.id, row.site_id, row.person_id)


async def plan_rounds(life: Life, first: date) -> None:
    """Set up checkpoints, a route, a daily round and the lift's statutory one."""
    db, manager = life.db, life.people["manager"]
    ledger, points = await life.ids(equipment), {}
    for code, kind, name, where in estate.EQUIPMENT:
        buildings = await life.ids(building)
        made = entry.PointEntry(
            site=life.site_id, code=f"CP-{code}", name=life.word(name), building=buildings.get(where or ""), equipment=ledger[code]
        )  # fmt: skip
        points[code] = await inspection.add_point(db, manager, made)
        clean = {"zh": "外观完好,无渗漏", "en": "No damage, no leak"}
        await inspection.add_item(
            db, manager, points[code], entry.ItemEntry(kind=Kind.IN_ORDER, title=life.word(clean), required=True)
        )
        if kind in ("pump", "fire"):
            pressure = entry.ItemEntry(
                kind=Kind.NUMBER, title=life.word({"zh": "压力", "en": "Pressure"}), unit="MPa",
                low=Decimal("0.40"), high=Decimal("0.80"), required=True,
            )  # fmt: skip
            await inspection.add_item(db, manager, points[code], pressure)
    daily = entry.RouteEntry(site=life.site_id, name=life.word({"zh": "水泵房与配电", "en": "Pumps and power"}))
    route = await inspection.add_route(db, manager, daily, [points[code] for code in ("PU-1", "PU-2", "FP-1", "EL-1")])
    lift = entry.RouteEntry(site=life.site_id, name=life.word({"zh": "电梯维保", "en": "Lift maintenance"}))
    lifts = await inspection.add_route(db, manager, lift, [points["LF-A"]])
    name = life.word({"zh": "每日巡检", "en": "Daily round"})
    await inspection.add_plan(
        db, manager, entry.PlanEntry(route=route, name=name, from_on=first, windows="08:00-11:00")
    )
    name = life.word({"zh": "电梯 15 日维保", "en": "Lift, every 15 days"})
    wanted = entry.PlanEntry(
        route=lifts, name=name, every_days=15, from_on=first, windows="13:00-17:00", statutory=True
    )
    await inspection.add_plan(db, manager, wanted)


async def walk(life: Life, *, share: float = 1.0) -> int:
    """Let the inspector walk what is due now; give how many rounds were made."""
    db, inspector, made = life.db, life.people["inspector"], 0
    now = time.time_ns() // 1_000_000
    await keeping.keep(db, now)
    async with db.read() as connection:
        due = (await rounds.my_tasks(connection, inspector, now)).now
    for task in due:
        if life.chance.random() > share:
            continue
        async with db.read() as connection:
            view = await rounds.get_round(connection, inspector, task.id)
            items = {point.id: await rounds.items_of(connection, point) for point in view.points}
        for point in view.points:
            given = {item.id: _answer(life, item.kind) for item in items[point.id]}
            await rounds.check(
                db,
                inspector,
                task.id,
                point.id,
                rounds.Check(client_id=_token(life), given=given, sent_at=now, done_at=now),
            )
        made += 1
    return made


def _token(life: Life) -> str:
    return f"{life.chance.getrandbits(128):032x}"


def _answer(life: Life, kind: Kind) -> Given:
    if kind is Kind.NUMBER:
        low = life.chance.random() < 0.01
        return Given(text="0.31" if low else f"{life.chance.uniform(0.55, 0.72):.2f}")
    return Given(text="fail" if life.chance.random() < 0.004 else "ok")


async def repair(life: Life, home_id: int, home: estate.Home, day: date, *, until: Step | None = None) -> None:
    """Have a fault reported, given to somebody and repaired, step by step, as far as a step."""
    db, people = life.db, life.people
    category, title = life.chance.choice(FAULTS)
    buildings = await life.ids(building)
    start = at(day, life.chance.randint(8, 15), life.chance.randint(0, 59))
    life.clock.set(start)
    owner = (await life.ids(person))[f"o-{home.code}"]
    new = Report(
        site_id=life.site_id, source=life.chance.choice((Source.RESIDENT, Source.PHONE)), category=category,
        title=life.word(title), building_id=buildings[home.building], unit_id=home_id, person_id=owner,
        contact_name=life.word(home.owner), contact_phone=home.phone,
    )  # fmt: skip
    order = await orders.report(db, people["desk"], new)
    technician = people[life.chance.choice(("tech-1", "tech-2"))]
    fee = life.chance.choice((None, None, 3500, 8000))
    steps: list[tuple[Step, Actor, dict[str, Any], int]] = [
        (Step.TRIAGE, people["desk"], {}, 5),
        (Step.ASSIGN, people["desk"], {"lead_id": technician.account_id}, 3),
        (Step.ACCEPT, technician, {}, life.chance.randint(4, 40)),
        (Step.DEPART, technician, {}, 10),
        (Step.ARRIVE, technician, {}, 15),
        (Step.START, technician, {}, 2),
        (Step.FINISH, technician, {"labour_minutes": 40, **({"fee_fen": fee} if fee else {})}, life.chance.randint(20, 150)),
        (Step.CONFIRM, people["desk"], {}, 60),
    ]  # fmt: skip
    for step, actor, body, minutes in steps:
        if step is until:
            return
        start += timedelta(minutes=minutes)
        life.clock.set(start)
        await orders.take(db, actor, order.id, step, None, Said(body=body))


async def work_off(life: Life, day: date) -> None:
    """Have what rounds found repaired the same day, and their alarms seen."""
    desk, technician = life.people["desk"], life.people["tech-1"]
    async with life.db.read() as connection:
        wanted = orders.Wanted()
        _, found = await orders.list_orders(connection, desk, wanted, ms(at(day, 14)), limit=20)
    for each in (each.order for each in found):
        if each.facts.state is not State.NEW:
            continue
        moment = at(day, 14, 10)
        for step, who, body in (
            (Step.TRIAGE, desk, {}),
            (Step.ASSIGN, desk, {"lead_id": technician.account_id}),
            (Step.ACCEPT, technician, {}),
            (Step.DEPART, technician, {}),
            (Step.ARRIVE, technician, {}),
            (Step.START, technician, {}),
            (Step.FINISH, technician, {"labour_minutes": 30}),
            (Step.CONFIRM, desk, {}),
        ):
            moment += timedelta(minutes=9)
            life.clock.set(moment)
            await orders.take(life.db, who, each.id, step, None, Said(body=body))
    for row in (await alarms.list_alarms(life.db, actor=desk)).alarms:
        if row.acknowledged_at is None:
            await alarms.acknowledge(life.db, desk, row.id)


async def read_meters(life: Life, months: int) -> None:
    """Read the meters that have no line, as they stand after so many months."""
    now = time.time_ns() // 1_000_000
    keys = await life.ids(metering_point)
    async with life.db.write() as connection:
        for home in estate.HOMES:
            if home.has_line:
                continue
            for kind, _, _, _, first, use in estate.manual_points(home):
                value = first + use * months
                await meter_read.note(connection, life.site_id, keys[f"{home.code}-{kind}"], value, now, now)


async def bill_and_collect(life: Life, period: str) -> None:
    """Issue a month's bills, with the fees of parking, and take most of the money."""
    clerk = life.people["clerk"]
    await parking.make_fees(life.db, clerk, period)
    now = datetime.fromtimestamp(time.time_ns() / 1e9, ZONE)
    await run_bills(life.db, parse_period(period), tariffs=life.tariffs, now=now, actor=clerk)
    async with life.db.read() as connection:
        issued = (await list_bills(connection, clerk, EVERY_BILL, limit=500)).items
    for bill in issued:
        if bill.period != period or life.chance.random() > 0.85:
            continue
        method = life.chance.choice(list(payment.Method))
        amount = Decimal(bill.total_fen) / 100
        if amount:
            taking = payment.Taking(amount=amount, method=method, once=_token(life))
            await payment.take_payment(life.db, clerk, bill.number, taking, time.time_ns() // 1_000_000)


async def let_places(life: Life, first: str) -> None:
    """Let a dozen parking places."""
    clerk = life.people["clerk"]
    for number, home in enumerate(estate.HOMES[::3][:12]):
        wanted = NewPlace(code=f"B1-{number + 1:02d}", kind=PlaceKind.FIXED, price=Decimal(300), price_from=first)
        place = await parking.add_place(life.db, clerk, wanted, life.site_id)
        await parking.let(life.db, clerk, place, NewLease(unit=home.code, from_period=first))


async def tell(life: Life, number: int, readers: list[Actor], day: date) -> None:
    """Publish a notice and have residents read it."""
    manager = life.people["manager"]
    title, body = NOTICES[number]
    wanted = Draft(site=life.site_id, title=life.word(title), body=life.word(body))
    key = await notices.draft(life.db, manager, wanted)
    async with life.db.read() as connection:
        found = await notices.get_notice(connection, manager, key)
    await notices.publish(life.db, manager, key, found.version)
    for reader in readers:
        await notices.open_letter(life.db, reader, key, day.isoformat())


async def visit(life: Life, host: Actor, day: date) -> None:
    """Have a visitor asked for, approved and let in."""
    guard = life.people["guard"]
    life.clock.set(at(day, 9))
    name = {"zh": "表弟", "en": "Cousin"}
    comes_at = at(day, 18).replace(tzinfo=None)  # as the form gives it: the site's own time
    ask = Ask(name=life.word(name), comes_at=comes_at, hours=4, once=_token(life))
    key = await visitors.ask(life.db, host, ask, day.isoformat())
    for hour, step in ((10, VisitStep.APPROVE), (18, VisitStep.ARRIVE), (20, VisitStep.LEAVE)):
        life.clock.set(at(day, hour, 15))
        async with life.db.read() as connection:
            version = (await visitors.get_visit(connection, guard, key)).version
        await visitors.decide(life.db, guard, key, step, version)


async def live(life: Life, today: date, password: str, progress: Callable[[str], None]) -> None:
    """Go through three months, day by day."""
    first = month_before(today, 2)
    life.clock.set(at(first, 7))
    life.site_id = (await life.one(select(site.c.id).where(site.c.code == "harbour"))).id
    await open_accounts(life, password)
    units = await life.ids(unit)
    await plan_rounds(life, first)
    await let_places(life, f"{first:%Y-%m}")
    readers = [await resident(life, f"o-{home.code}") for home in estate.HOMES[:8]]
    day, told = first, 0
    while day < today:
        life.clock.set(at(day, 8, 30))
        await walk(life, share=0.97)
        life.clock.set(at(day, 14))
        await walk(life, share=0.97)
        await work_off(life, day)
        if day.day in (4, 11, 19, 26):
            await repair(life, units[(home := life.chance.choice(estate.HOMES)).code], home, day)
        if day.day == 12 and told < len(NOTICES):
            life.clock.set(at(day, 11))
            await tell(life, told, readers[: 3 + told], day)
            told += 1
        if day.day == 20:
            await visit(life, readers[0], day)
        after = day + timedelta(days=1)
        if after.month != day.month:
            life.clock.set(at(day, 22))
            months = (day.year - first.year) * 12 + day.month - first.month + 1
            await read_meters(life, months)
            life.clock.set(at(after, 12))
            await bill_and_collect(life, f"{day:%Y-%m}")
            progress(f"{day:%Y-%m} is billed")
        day = after
    for number, until in enumerate((None, Step.TRIAGE, Step.ASSIGN, Step.ACCEPT, Step.START, Step.CONFIRM)):
        home = estate.HOMES[3 + 5 * number]
        await repair(life, units[home.code], home, today - timedelta(days=1), until=until)
    life.clock.reset()
    await keeping.keep(life.db, time.time_ns() // 1_000_000)
    await read_meters(life, 3)


async def main(options: argparse.Namespace) -> None:
    today = datetime.now(ZONE).date()
    password = secrets.token_urlsafe(12)
    async with open_context(Path("central.toml")) as (_, db):
        life = Life(db, options.lang, Clock(), random.Random(7), {}, load_tariffs())
        await live(life, today, password, lambda text: print(text, flush=True))
    print(json.dumps({"password": password}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lang", choices=("zh", "en"), default="zh")
    asyncio.run(main(parser.parse_args()))
