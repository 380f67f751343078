"""Parking places, notices, visitors and what residents agreed to."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
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
    _make_parking()
    _make_notices()
    _make_visitors()
    op.create_table(
        "consent",
        _id(),
        _to("person"),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("wording", sa.Integer(), nullable=False),
        _at("given_at"),
        _at("withdrawn_at", nullable=True),
    )
    op.create_index("ix_consent_person_id_kind", "consent", ["person_id", "kind"])


def _make_parking() -> None:
    op.create_table(
        "parking_place",
        _id(),
        _to("site"),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("spaces", sa.Integer(), nullable=False),
        _at("created_at"),
        sa.UniqueConstraint("site_id", "code"),
    )
    op.create_table(
        "parking_price",
        _id(),
        _to("parking_place", "place_id"),
        sa.Column("from_period", sa.String(7), nullable=False),
        sa.Column("month_fen", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("place_id", "from_period"),
    )
    op.create_table(
        "parking_lease",
        _id(),
        _to("parking_place", "place_id"),
        _to("unit"),
        _to("person", nullable=True),
        sa.Column("from_period", sa.String(7), nullable=False),
        sa.Column("to_period", sa.String(7)),
        _at("created_at"),
    )
    op.create_index("ix_parking_lease_place_id_from_period", "parking_lease", ["place_id", "from_period"])
    op.create_index("ix_parking_lease_unit_id", "parking_lease", ["unit_id"])
    op.create_table(
        "parking_fees",
        _to("site"),
        sa.Column("period", sa.String(7), nullable=False),
        _at("made_at"),
        sa.PrimaryKeyConstraint("site_id", "period"),
    )


def _make_notices() -> None:
    op.create_table(
        "notice",
        _id(),
        _to("site"),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("is_emergency", sa.Boolean(), nullable=False),
        _at("expires_at", nullable=True),
        _at("created_at"),
        sa.Column("created_by", sa.String(64), nullable=False),
        _at("published_at", nullable=True),
        sa.Column("published_by", sa.String(64)),
        _at("withdrawn_at", nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
    )
    op.create_index("ix_notice_site_id_published_at", "notice", ["site_id", "published_at"])
    op.create_table(
        "notice_building", _to("notice"), _to("building"), sa.PrimaryKeyConstraint("notice_id", "building_id")
    )
    op.create_table(
        "notice_read",
        _to("notice"),
        _to("account"),
        _to("person"),
        _at("read_at"),
        sa.PrimaryKeyConstraint("notice_id", "account_id"),
    )
    op.create_index("ix_notice_read_person_id", "notice_read", ["person_id"])


def _make_visitors() -> None:
    op.create_table(
        "visitor",
        _id(),
        _to("site"),
        _to("unit"),
        _to("person"),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("phone", sa.LargeBinary()),
        sa.Column("plate", sa.LargeBinary()),
        _at("from_at"),
        _at("until_at"),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        _at("created_at"),
        _at("decided_at", nullable=True),
        sa.Column("decided_by", sa.String(64)),
        sa.Column("reason", sa.LargeBinary()),
        _at("arrived_at", nullable=True),
        _at("left_at", nullable=True),
        sa.Column("once_key", sa.String(64), nullable=False, unique=True),
    )
    op.create_index("ix_visitor_site_id_state_from_at", "visitor", ["site_id", "state", "from_at"])
    op.create_index("ix_visitor_person_id_created_at", "visitor", ["person_id", "created_at"])
