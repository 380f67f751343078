"""Work orders and their events."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
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
    _make_orders()
    op.create_table(
        "work_order_event",
        _id(),
        _to("work_order", "order_id"),
        sa.Column("kind", sa.String(16), nullable=False),
        _at("at"),
        _to("account", nullable=True),
        sa.Column("login", sa.String(64), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("note", sa.LargeBinary()),
    )
    op.create_index("ix_work_order_event_order_id_id", "work_order_event", ["order_id", "id"])


def _make_orders() -> None:
    op.create_table(
        "work_order",
        _id(),
        _to("site"),
        *(_to(name, nullable=True) for name in ("building", "unit", "equipment", "device", "alarm", "person")),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("condition", sa.String(64)),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        *(sa.Column(name, sa.LargeBinary()) for name in ("detail", "contact_name", "contact_phone")),
        sa.Column("contact_phone_index", sa.String(32)),
        _at("created_at"),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("once_key", sa.String(64), unique=True),
        sa.Column("fault_key", sa.String(255)),
        sa.Column("open_key", sa.String(255), unique=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("category", sa.String(16), nullable=False),
        sa.Column("urgency", sa.String(16), nullable=False),
        _to("account", "lead_id", nullable=True),
        _at("respond_due_at"),
        _at("finish_due_at"),
        *(
            _at(name, nullable=True)
            for name in ("responded_at", "arrived_at", "paused_at", "deferred_until", "finished_at", "ended_at")
        ),
        sa.Column("labour_minutes", sa.Integer()),
        sa.Column("quote_fen", sa.BigInteger()),
        sa.Column("fee_fen", sa.BigInteger()),
        _to("work_order", "merged_into_id", nullable=True),
        sa.Column("rating", sa.Integer()),
        _at("changed_at"),
    )
    for names in (
        ("contact_phone_index",),
        ("site_id", "state"),
        ("lead_id", "state"),
        ("person_id", "created_at"),
        ("unit_id", "created_at"),
        ("finished_at",),
    ):
        op.create_index(f"ix_work_order_{'_'.join(names)}", "work_order", list(names))
