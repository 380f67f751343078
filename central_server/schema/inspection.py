"""Checkpoints and what is looked at there, routes, plans, tasks, and the answers of those who went."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text, UniqueConstraint

from central_server.schema.base import Key, at, key_id, metadata, to

# ``secret`` is on the label; who knows it stood before the label, or before a picture of it.
checkpoint = Table(
    "checkpoint",
    metadata,
    key_id(),
    to("site"),
    to("building", nullable=True),
    to("equipment", nullable=True),
    Column("code", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("secret", String(32), nullable=False, unique=True),
    Column("is_retired", Boolean(create_constraint=False), nullable=False),
    at("created_at"),
    UniqueConstraint("site_id", "code"),
)

# An item is never changed, only retired for a new one, so that an answer keeps its question.
check_item = Table(
    "check_item",
    metadata,
    key_id(),
    to("checkpoint"),
    Column("position", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("title", Text, nullable=False),
    Column("unit", String(16), nullable=False),
    Column("low", Text),
    Column("high", Text),
    to("metering_point", nullable=True),
    Column("is_required", Boolean(create_constraint=False), nullable=False),
    at("created_at"),
    at("retired_at", nullable=True),
    Index(None, "checkpoint_id"),
)

inspection_route = Table(
    "inspection_route",
    metadata,
    key_id(),
    to("site"),
    Column("name", Text, nullable=False),
    at("created_at"),
)

route_point = Table(
    "route_point",
    metadata,
    key_id(),
    to("inspection_route", "route_id"),
    to("checkpoint"),
    Column("position", Integer, nullable=False),
    UniqueConstraint("route_id", "checkpoint_id"),
)

# ``windows`` are local times of the site, one "HH:MM-HH:MM" a line; ``made_to_at`` is how far tasks are made.
inspection_plan = Table(
    "inspection_plan",
    metadata,
    key_id(),
    to("site"),
    to("inspection_route", "route_id"),
    Column("name", Text, nullable=False),
    Column("every_days", Integer, nullable=False),
    Column("from_on", String(10), nullable=False),
    Column("windows", Text, nullable=False),
    Column("is_statutory", Boolean(create_constraint=False), nullable=False),
    to("account", nullable=True),
    at("created_at"),
    at("made_to_at"),
    at("ended_at", nullable=True),
)

# ``slot`` is the window's local beginning: however often tasks are made, each is there once.
inspection_task = Table(
    "inspection_task",
    metadata,
    key_id(),
    to("inspection_plan", "plan_id"),
    to("site"),
    to("account", nullable=True),
    Column("slot", String(24), nullable=False),
    at("starts_at"),
    at("ends_at"),
    at("created_at"),
    Column("state", String(16), nullable=False),
    at("closed_at", nullable=True),
    UniqueConstraint("plan_id", "slot"),
    Index(None, "state", "ends_at"),
    Index(None, "site_id", "ends_at"),
)

# What is expected of a task at each point; it ends done, late, missed or excused.
task_point = Table(
    "task_point",
    metadata,
    key_id(),
    to("inspection_task", "task_id"),
    to("checkpoint"),
    Column("position", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("client_id", String(64), unique=True),
    at("done_at", nullable=True),
    at("received_at", nullable=True),
    Column("skew_ms", BigInteger),
    to("account", nullable=True),
    Column("is_scanned", Boolean(create_constraint=False)),
    Column("note", Text),
    UniqueConstraint("task_id", "checkpoint_id"),
    Index(None, "checkpoint_id", "done_at"),
)

check_answer = Table(
    "check_answer",
    metadata,
    key_id(),
    to("task_point"),
    to("check_item"),
    Column("value", Text, nullable=False),
    Column("is_failed", Boolean(create_constraint=False), nullable=False),
    Column("order_id", Key),  # the work order that a failure opened or was added to
    UniqueConstraint("task_point_id", "check_item_id"),
    Index(None, "check_item_id"),
)
