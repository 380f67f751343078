"""A site with two checkpoints, a route over them and an inspector; the tests write the plans."""

import secrets
import time
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from central_server import schema
from central_server.db import Database
from central_server.inspection import keeping, rounds, service
from central_server.inspection.entry import ItemEntry, PlanEntry, PointEntry, RouteEntry
from central_server.inspection.model import Given
from central_server.inspection.rounds import Check, TaskView
from central_server.rbac import Actor, Role
from tests.central_server.blocks import kept_readings

HOUR = 3_600_000
MINUTE = 60_000

Table = list[Any]


@dataclass
class House:
    """What the tests walk; ``pressure`` has limits, ``door`` is in order or not."""

    db: Database
    manager: Actor
    inspector: Actor
    pump: int
    lobby: int
    route: int
    pressure: int
    door: int

    async def plan(self, windows: str = "00:00-24:00", **more: Any) -> int:
        entry = PlanEntry(route=self.route, name="每日巡检", from_on="2026-01-01", windows=windows, **more)
        return await service.add_plan(self.db, self.manager, entry)

    async def task(self, *, starts: int = -HOUR, ends: int = HOUR, **more: Any) -> TaskView:
        """Make a plan and put its one task where the test wants it, in ms from now."""
        plan = await self.plan(**more)
        now = int(time.time() * 1000)
        tasks, points = schema.inspection_task, schema.task_point
        async with self.db.write() as connection:
            of_plan = select(tasks.c.id).where(tasks.c.plan_id == plan)
            await connection.execute(points.delete().where(points.c.task_id.in_(of_plan)))
            await connection.execute(tasks.delete().where(tasks.c.plan_id == plan))
            values = {"plan_id": plan, "site_id": 1, "slot": "one", "state": "open", "created_at": now}
            values |= {"starts_at": now + starts, "ends_at": now + ends}
            made = (await connection.execute(insert(tasks).values(**values))).inserted_primary_key
            assert made
            for position, key in enumerate((self.pump, self.lobby), 1):
                await connection.execute(
                    insert(points).values(task_id=made[0], checkpoint_id=key, position=position, state="open")
                )
            await connection.execute(update(schema.inspection_plan).values(made_to_at=now + 100 * HOUR))
        return await self.view(made[0])

    async def view(self, task_id: int) -> TaskView:
        async with self.db.read() as connection:
            return await rounds.get_task(connection, self.manager, task_id)

    async def check(self, view: TaskView, position: int, **more: Any) -> TaskView:
        """Check a point, all in order unless something else is given."""
        given = more.pop("given", {self.pressure: Given("0.4"), self.door: Given("ok")})
        sent = Check(more.pop("client_id", secrets.token_hex(8)), given, **more)
        point = view.points[position - 1]
        return await rounds.check(self.db, self.inspector, view.task.id, point.id, sent)

    async def keep(self, ahead: int = 0) -> frozenset[int]:
        return await keeping.keep(self.db, int(time.time() * 1000) + ahead)

    async def rows(self, table: str) -> Table:
        if table == "reading":  # packed: there is no such table
            return await kept_readings(self.db)
        found = schema.metadata.tables[table]
        async with self.db.read() as connection:
            return list((await connection.execute(select(found).order_by(found.c.id))).all())


@pytest.fixture
async def house(db: Database) -> House:
    manager = Actor("manager", "经理", Role.MANAGER)
    values = {"login": "walker", "name": "巡检员", "password_hash": "", "language": "zh", "is_disabled": False}
    async with db.write() as connection:
        await connection.execute(insert(schema.account).values(**values, role="inspector", created_at=0))
        key = await connection.scalar(select(schema.account.c.id))
    inspector = Actor("walker", "巡检员", Role.INSPECTOR, account_id=key)
    pump = await service.add_point(db, manager, PointEntry(code="B1-PUMP", name="水泵房", place="地下一层"))
    lobby = await service.add_point(db, manager, PointEntry(code="1F-LOBBY", name="大堂"))
    item = ItemEntry(kind="number", title="出水压力", unit="MPa", low="0.2", high="0.6", required=True)
    pressure = await service.add_item(db, manager, pump, item)
    door = await service.add_item(db, manager, lobby, ItemEntry(kind="pass", title="防火门自闭", required=True))
    route = await service.add_route(db, manager, RouteEntry(name="夜巡"), [pump, lobby])
    return House(db, manager, inspector, pump, lobby, route, pressure, door)
