"""The rest of the mission, walked for real: doors, lifts, repairs, rounds, notices, fees, and who may do what.

Cards and faults come from the simulated site over its wires; what people do goes through the
services with their own accounts. Doors are held against a plain reference of who may enter, and
against what the door module wrote down itself.
"""

import asyncio
import json
import secrets
from collections.abc import Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import estate
import roles
from proof import query
from sqlalchemy import select

from central_server.access import service as access
from central_server.access.entry import DoorForm, GroupForm, NewCard, ScheduleName
from central_server.admin import codes
from central_server.alarms import service as alarms
from central_server.app import routes
from central_server.context import open_context
from central_server.db import Database
from central_server.inspection import entry, keeping, rounds
from central_server.inspection import service as inspection
from central_server.inspection.model import Given, Kind
from central_server.notices import service as notices
from central_server.notices.model import Draft
from central_server.rbac import Actor, Role
from central_server.schema import account, building, device, person, site, unit
from central_server.workorders import service as orders
from central_server.workorders.intake import Report
from central_server.workorders.model import Category, Source, Step
from central_server.workorders.steps import Said
from protocols.access import Window

ZONE = ZoneInfo("Asia/Shanghai")
DOOR, LIFT = "door-1", "lift-a"
FACILITY = 17


@asynccontextmanager
async def opened(demo: Any) -> Any:
    async with open_context(demo.folder / "central.toml") as (_, db):
        yield db


async def actor(db: Database, login: str) -> Actor:
    """Give the account of a login as who does something."""
    async with db.read() as connection:
        row = (await connection.execute(select(account).where(account.c.login == login))).one()
    return Actor(row.login, row.name, Role(row.role), row.id, row.site_id, row.person_id)


async def _id(db: Database, table: Any, code: str) -> int:
    async with db.read() as connection:
        found: int = (await connection.execute(select(table.c.id).where(table.c.code == code))).scalar_one()
    return found


# --- doors ------------------------------------------------------------------------------------

# Each card: its printed number, whose it is, in which group, and what a porter with the list would say.
CARDS: Mapping[str, tuple[int, str, str, str]] = {
    "owner": (1101, "o-1-101", "always", "granted"),
    "outside": (1102, "o-1-102", "another day", "outside_hours"),
    "moved out": (1105, f"t-{estate.LEFT.code}", "always", "expired"),
    "lost": (1201, "o-1-201", "always", "revoked"),
    "elsewhere": (1202, "o-1-202", "", "no_right"),
    "stranger": (9999, "", "", "unknown_card"),
}


async def set_up_doors(demo: Any) -> dict[str, str]:
    """Give cards to people; give each card's raw number by its name."""
    async with opened(demo) as db:
        manager = await actor(db, "manager")
        site_id, building_id = await _id(db, site, "harbour"), await _building(db)
        device_id = await _id(db, device, DOOR)
        await access.save_door(db, manager, device_id, DoorForm(building_id=building_id, pulse_ms=1000, held_open_s=60))
        group = await access.save_group(
            db, manager, None, GroupForm(site_id=site_id, name="Entrance", doors=[device_id])
        )
        day = (datetime.now(ZONE).weekday() + 3) % 7
        closed = await access.save_schedule(
            db, manager, None, ScheduleName(site_id=site_id, name="Another day"), [Window(frozenset({day}), 0, 60)], []
        )
        numbers = {}
        for name, (number, who, grant, _) in CARDS.items():
            form = NewCard(site_id=site_id, person=who or "o-1-101", facility=FACILITY, card=number)
            numbers[name] = form.raw()
            if who:
                grants = {group: None if grant == "always" else closed} if grant else {}
                card = await access.enrol(db, manager, form, grants)
                if name == "lost":
                    await access.revoke(db, manager, card)
    return numbers


async def _building(db: Database) -> int:
    return await _id(db, building, "1")


async def present_all(demo: Any, numbers: Mapping[str, str]) -> list[tuple[str, str]]:
    """Hold every card to the reader once; give what should come of each, in order."""
    expected = []
    for name, (_, _, _, reason) in CARDS.items():
        await demo.command("edge", "sim", "do", "sim.sock", "present", DOOR, f"26:{numbers[name]}")
        expected.append((numbers[name], reason))
        await asyncio.sleep(1.2)
    return expected


async def rules_arrived(demo: Any) -> bool:
    """Tell whether the gateway decides by the newest rules."""
    wanted = query(demo.folder / "central/central.db", "SELECT max(version) FROM door_rules")[0][0]
    status = await demo.json("edge", "-c", "edge.toml", "status")
    return bool(wanted) and status.get("access", {}).get("rules_version") == wanted


def judge_doors(demo: Any, expected: Sequence[tuple[str, str]], cut: tuple[int, int]) -> dict[str, int]:
    """Hold the decisions at the centre against the reference, and the relay against both."""
    rows = query(
        demo.folder / "central/central.db",
        'SELECT is_granted, reason, at FROM door_decision WHERE "by" IS NULL ORDER BY at, id',
    )
    wrong = abs(len(rows) - len(expected))
    for (granted, reason, _), (_, wanted) in zip(rows, expected, strict=False):
        wrong += reason != wanted or bool(granted) != (wanted == "granted")
    told = [json.loads(line) for line in (demo.folder / "journal.jsonl").read_text().splitlines()]
    pulses = sum(each.get("what") == "relay" for each in told)
    wrong += abs(pulses - sum(wanted == "granted" for _, wanted in expected))
    return {
        "decisions": len(rows),
        "wrong": wrong,
        "offline": sum(cut[0] <= at <= cut[1] for _, _, at in rows),
    }


# --- lifts ------------------------------------------------------------------------------------


async def lift_story(demo: Any) -> dict[str, int]:
    """Shut somebody in, let them out, and see that only a person ends the alarm; then a plain fault."""
    database = demo.folder / "central/central.db"

    def raised(condition: str) -> list[Any]:
        return query(database, "SELECT id, cleared_at FROM alarm WHERE condition = ?", (condition,))

    await demo.command("edge", "sim", "do", "sim.sock", "lift", LIFT, "entrap")
    await demo.until("the entrapment to be raised", lambda: raised("lift_entrapment"), 60)
    await demo.command("edge", "sim", "do", "sim.sock", "lift", LIFT, "normal")
    await demo.command("edge", "sim", "do", "sim.sock", "lift", LIFT, "fault", "7")
    await demo.until("the lift's fault to be raised", lambda: raised("lift_fault"), 60)
    await demo.command("edge", "sim", "do", "sim.sock", "lift", LIFT, "normal")
    await demo.until("the fault to be over", lambda: raised("lift_fault")[0][1], 60)
    alarm_id, cleared_at = raised("lift_entrapment")[0]
    orders_open = query(database, "SELECT count(*) FROM work_order WHERE condition = 'lift_entrapment'")[0][0]
    if cleared_at is not None or orders_open != 1:
        raise AssertionError("an entrapment ended by itself, or opened no work order")
    async with opened(demo) as db:
        guard = await actor(db, "guard")
        await alarms.acknowledge(db, guard, alarm_id)
        await alarms.end(db, guard, alarm_id, alarms.Note(text="Released by the rescue team; nobody hurt."))
    return {"alarms": len(raised("lift_entrapment")) + len(raised("lift_fault"))}


# --- people -----------------------------------------------------------------------------------


async def repair_story(db: Database) -> None:
    """A resident's leak, from the call to the rating."""
    desk, tech = await actor(db, "desk"), await actor(db, "tech-1")
    home = estate.HOMES[6]
    new = Report(
        site_id=await _id(db, site, "harbour"), source=Source.RESIDENT, category=Category.WATER, title="Leak",
        building_id=await _building(db), unit_id=await _id(db, unit, home.code),
        person_id=await _id(db, person, f"o-{home.code}"), contact_phone=home.phone,
    )  # fmt: skip
    order = await orders.report(db, desk, new)
    steps = [(Step.TRIAGE, desk, {}), (Step.POOL, desk, {}), (Step.GRAB, tech, {}), (Step.DEPART, tech, {})]
    steps += [(Step.ARRIVE, tech, {}), (Step.START, tech, {})]
    steps += [(Step.FINISH, tech, {"labour_minutes": 20, "fee_fen": 4500}), (Step.CONFIRM, desk, {})]
    for step, who, body in steps:
        await orders.take(db, who, order.id, step, None, Said(body=body))


async def round_story(db: Database) -> None:
    """A round that is due now, walked with a finding."""
    manager, inspector = await actor(db, "manager"), await actor(db, "inspector")
    site_id, now = await _id(db, site, "harbour"), datetime.now(ZONE)
    point = await inspection.add_point(db, manager, entry.PointEntry(site=site_id, code="CP-NOW", name="Sump pump"))
    await inspection.add_item(db, manager, point, entry.ItemEntry(kind=Kind.IN_ORDER, title="Dry", required=True))
    route = await inspection.add_route(db, manager, entry.RouteEntry(site=site_id, name="Sump"), [point])
    window = f"{now - timedelta(minutes=20):%H:%M}-{now + timedelta(minutes=40):%H:%M}"
    first = (now - timedelta(days=1)).date()
    await inspection.add_plan(db, manager, entry.PlanEntry(route=route, name="Sump", from_on=first, windows=window))
    at = round(now.timestamp() * 1000)
    await keeping.keep(db, at)
    async with db.read() as connection:
        due = (await rounds.my_tasks(connection, inspector, at)).now
        task = next(each for each in due if each.plan == "Sump")
        view = await rounds.get_round(connection, inspector, task.id)
        items = await rounds.items_of(connection, view.points[0])
    given = {item.id: Given(text="fail") for item in items}
    await rounds.check(db, inspector, task.id, view.points[0].id, rounds.Check(secrets.token_hex(16), given))


async def notice_story(db: Database, readers: Sequence[Actor]) -> None:
    manager = await actor(db, "manager")
    draft = Draft(site=await _id(db, site, "harbour"), title="Water off on Friday", body="From 9 to 11.")
    key = await notices.draft(db, manager, draft)
    async with db.read() as connection:
        version = (await notices.get_notice(connection, manager, key)).version
    await notices.publish(db, manager, key, version)
    for reader in readers:
        await notices.open_letter(db, reader, key, datetime.now(ZONE).date().isoformat())


async def walk_people(demo: Any) -> None:
    """Do what people do in a day, before the month is billed."""
    async with opened(demo) as db:
        await repair_story(db)
        await round_story(db)
        readers = [await _resident(db, home.code) for home in estate.HOMES[:3]]
        await notice_story(db, [reader for reader, _ in readers])


async def _resident(db: Database, code: str) -> tuple[Actor, str]:
    """Give a resident's account and a code for it."""
    found = await _id(db, person, f"o-{code}")
    today = datetime.now(ZONE).date().isoformat()
    handed = await codes.hand_over_code(db, await actor(db, "clerk"), found, today)
    return await actor(db, handed.login), handed.code


# --- rights and the sum of it all --------------------------------------------------------------


async def walk_roles(demo: Any) -> dict[str, int]:
    """Call every route as every role and as nobody; where a door is open nothing is changed."""
    url = f"http://127.0.0.1:{demo.port}"
    visitors = [roles.Visitor()]
    for login, role in STAFF:
        visitors.append(await roles.sign_in(url, role, login, demo.password))
    async with opened(demo) as db:
        resident, code = await _resident(db, estate.HOMES[0].code)
    visitors.append(await roles.sign_in_by_code(url, resident.login, code))
    table = routes()
    cells = await roles.walk(url, table, visitors, is_to_change=False)
    return roles.summary(table, cells)


STAFF = (
    ("admin", Role.ADMINISTRATOR), ("manager", Role.MANAGER), ("desk", Role.CONTROL_ROOM), ("clerk", Role.CLERK),
    ("tech-1", Role.TECHNICIAN), ("inspector", Role.INSPECTOR), ("guard", Role.GUARD),
    ("engineer", Role.ENGINEER), ("auditor", Role.AUDITOR),
)  # fmt: skip


def figures(database: Path) -> dict[str, dict[str, int]]:
    """Count what the centre has of it all."""

    def count(sql: str) -> int:
        return int(query(database, sql)[0][0] or 0)

    return {
        "repairs": {"closed": count("SELECT count(*) FROM work_order WHERE state = 'closed'")},
        "inspection": {
            "done": count("SELECT count(*) FROM inspection_task WHERE state IN ('done', 'late')"),
            "missed": count("SELECT count(*) FROM inspection_task WHERE state = 'missed'"),
        },
        "notices": {"read": count("SELECT count(*) FROM notice_read")},
        "parking": {"fees": count("SELECT count(*) FROM bill_line WHERE source_key LIKE 'parking:%'")},
    }


def is_ok(mission: Mapping[str, Mapping[str, int]]) -> bool:
    """Tell whether the mission was walked, and nothing of it was wrong."""
    walked = all(
        mission[part][name] > 0
        for part, name in (
            ("repairs", "closed"),
            ("inspection", "done"),
            ("doors", "decisions"),
            ("doors", "offline"),
            ("lifts", "alarms"),
            ("notices", "read"),
            ("parking", "fees"),
            ("roles", "routes"),
            ("roles", "denied"),
        )
    )
    return walked and mission["doors"]["wrong"] == 0 and mission["roles"]["open"] == 0
