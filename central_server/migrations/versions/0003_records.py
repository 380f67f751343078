"""Tenancies, vehicles, equipment, and workbooks that wait."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _id() -> sa.Column[int]:
    return sa.Column("id", _Key, primary_key=True, autoincrement=True)


def _to(table: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(f"{table}_id", _Key, sa.ForeignKey(f"{table}.id"), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "tenancy",
        _id(),
        _to("unit"),
        _to("person"),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("from_on", sa.String(10), nullable=False),
        sa.Column("to_on", sa.String(10)),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("unit_id", "person_id", "from_on"),
    )
    op.create_index("ix_tenancy_person_id", "tenancy", ["person_id"])
    op.create_table(
        "vehicle",
        _id(),
        _to("person"),
        _to("unit", nullable=True),
        sa.Column("plate", sa.LargeBinary(), nullable=False),
        sa.Column("plate_index", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("removed_at", sa.BigInteger()),
    )
    op.create_index("ix_vehicle_plate_index", "vehicle", ["plate_index"])
    op.create_table(
        "equipment",
        _id(),
        _to("site"),
        _to("building", nullable=True),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        _to("device", nullable=True),
        sa.Column("installed_on", sa.String(10)),
        sa.Column("is_retired", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("site_id", "code"),
    )
    op.create_table(
        "workbook",
        _id(),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("name", sa.Text(), nullable=False),
        _to("account", nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("applied_at", sa.BigInteger()),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
    )
