"""Checkpoints, routes, plans, tasks and answers."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _id() -> sa.Column[int]:
    return sa.Column("id", _Key, primary_key=True, autoincrement=True)


def _to(table: str, name: str | None = None, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name or f"{table}_id", _Key, sa.ForeignKey(f"{table}.id"), nullable=nullable)


def _at(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def upgrade() -> None:
    _points()
    _plans()
    _tasks()


def _points() -> None:
    op.create_table(
        "checkpoint",
        _id(),
        _to("site"),
        _to("building", nullable=True),
        _to("equipment", nullable=True),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("secret", sa.String(32), nullable=False, unique=True),
        sa.Column("is_retired", sa.Boolean(), nullable=False),
        _at("created_at"),
        sa.UniqueConstraint("site_id", "code"),
    )
    op.create_table(
        "check_item",
        _id(),
        _to("checkpoint"),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("unit", sa.String(16), nullable=False),
        sa.Column("low", sa.Text()),
        sa.Column("high", sa.Text()),
        _to("metering_point", nullable=True),
        sa.Column("is_required", sa.Boolean(), nullable=False),
        _at("created_at"),
        _at("retired_at", nullable=True),
    )
    op.create_index("ix_check_item_checkpoint_id", "check_item", ["checkpoint_id"])


def _plans() -> None:
    op.create_table(
        "inspection_route", _id(), _to("site"), sa.Column("name", sa.Text(), nullable=False), _at("created_at")
    )
    op.create_table(
        "route_point",
        _id(),
        _to("inspection_route", "route_id"),
        _to("checkpoint"),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.UniqueConstraint("route_id", "checkpoint_id"),
    )
    op.create_table(
        "inspection_plan",
        _id(),
        _to("site"),
        _to("inspection_route", "route_id"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("every_days", sa.Integer(), nullable=False),
        sa.Column("from_on", sa.String(10), nullable=False),
        sa.Column("windows", sa.Text(), nullable=False),
        sa.Column("is_statutory", sa.Boolean(), nullable=False),
        _to("account", nullable=True),
        _at("created_at"),
        _at("made_to_at"),
        _at("ended_at", nullable=True),
    )


def _tasks() -> None:
    op.create_table(
        "inspection_task",
        _id(),
        _to("inspection_plan", "plan_id"),
        _to("site"),
        _to("account", nullable=True),
        sa.Column("slot", sa.String(24), nullable=False),
        _at("starts_at"),
        _at("ends_at"),
        _at("created_at"),
        sa.Column("state", sa.String(16), nullable=False),
        _at("closed_at", nullable=True),
        sa.UniqueConstraint("plan_id", "slot"),
    )
    op.create_index("ix_inspection_task_state_ends_at", "inspection_task", ["state", "ends_at"])
    op.create_index("ix_inspection_task_site_id_ends_at", "inspection_task", ["site_id", "ends_at"])
    op.create_table(
        "task_point",
        _id(),
        _to("inspection_task", "task_id"),
        _to("checkpoint"),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("client_id", sa.String(64), unique=True),
        _at("done_at", nullable=True),
        _at("received_at", nullable=True),
        sa.Column("skew_ms", sa.BigInteger()),
        _to("account", nullable=True),
        sa.Column("is_scanned", sa.Boolean()),
        sa.Column("note", sa.Text()),
        sa.UniqueConstraint("task_id", "checkpoint_id"),
    )
    op.create_index("ix_task_point_checkpoint_id_done_at", "task_point", ["checkpoint_id", "done_at"])
    op.create_table(
        "check_answer",
        _id(),
        _to("task_point"),
        _to("check_item"),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("is_failed", sa.Boolean(), nullable=False),
        sa.Column("order_id", _Key),
        sa.UniqueConstraint("task_point_id", "check_item_id"),
    )
    op.create_index("ix_check_answer_check_item_id", "check_answer", ["check_item_id"])
