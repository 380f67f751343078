"""Charges and payments; a bill line may come from a charge instead of a meter."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_KEPT = (
    "id, bill_id, position, metering_point_id, description_key, kind, quantity, unit, unit_price, amount_fen, "
    "opening_at, closing_at, trace"
)


def _id() -> sa.Column[int]:
    return sa.Column("id", _Key, primary_key=True, autoincrement=True)


def _to(table: str, name: str | None = None, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name or f"{table}_id", _Key, sa.ForeignKey(f"{table}.id"), nullable=nullable)


def upgrade() -> None:
    _widen_lines()
    op.create_table(
        "charge",
        _id(),
        sa.Column("key", sa.String(128), nullable=False, unique=True),
        _to("site"),
        _to("unit"),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("period", sa.String(7), nullable=False),
        sa.Column("trace", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_charge_site_id_period", "charge", ["site_id", "period"])
    op.create_index("ix_charge_unit_id", "charge", ["unit_id"])
    op.create_table(
        "payment",
        _id(),
        _to("bill"),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("method", sa.String(16), nullable=False),
        sa.Column("is_online", sa.Boolean(), nullable=False),
        sa.Column("reference", sa.String(32), nullable=False, unique=True),
        sa.Column("once_key", sa.String(64), nullable=False, unique=True),
        sa.Column("taken_at", sa.BigInteger(), nullable=False),
        sa.Column("taken_by", sa.String(64), nullable=False),
        _to("payment", "reverses_id", nullable=True),
        sa.Column("reason", sa.LargeBinary()),
    )
    op.create_index("ix_payment_bill_id", "payment", ["bill_id"])
    op.create_index("ix_payment_taken_at", "payment", ["taken_at"])
    op.create_index("ix_payment_reverses_id", "payment", ["reverses_id"], unique=True)


def _widen_lines() -> None:
    """Let a line do without a meter."""
    if op.get_bind().dialect.name == "postgresql":
        for name in ("metering_point_id", "opening_at", "closing_at"):
            op.alter_column("bill_line", name, nullable=True)
        op.add_column("bill_line", sa.Column("source_key", sa.String(128)))
        op.create_unique_constraint("uq_bill_line_source_key", "bill_line", ["source_key"])
    else:
        _make_lines_anew()
    op.create_index("ix_bill_line_bill_id", "bill_line", ["bill_id"])


def _make_lines_anew() -> None:
    """Copy the lines into a table made anew: SQLite cannot lift a NOT NULL, and nothing refers to lines."""
    op.rename_table("bill_line", "bill_line_before")
    op.create_table(
        "bill_line",
        _id(),
        _to("bill"),
        sa.Column("position", sa.Integer(), nullable=False),
        _to("metering_point", nullable=True),
        sa.Column("description_key", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("quantity", sa.Text(), nullable=False),
        sa.Column("unit", sa.String(16), nullable=False),
        sa.Column("unit_price", sa.Text()),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("opening_at", sa.BigInteger()),
        sa.Column("closing_at", sa.BigInteger()),
        sa.Column("trace", sa.Text(), nullable=False),
        sa.Column("source_key", sa.String(128), unique=True),
        sa.UniqueConstraint("metering_point_id", "opening_at"),
    )
    op.execute(f"INSERT INTO bill_line ({_KEPT}) SELECT {_KEPT} FROM bill_line_before")  # noqa: S608  # our own names
    op.drop_table("bill_line_before")
