"""Readings packed into blocks with rollups beside them; what the log holds is packed anew at the next start."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "block",
        sa.Column("series_id", _Key, sa.ForeignKey("series.id"), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("part", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("series_id", "day", "part"),
        sqlite_with_rowid=False,
    )
    parts = sa.text("part != 0")
    op.create_index("ix_block_parts", "block", ["day", "series_id"], sqlite_where=parts, postgresql_where=parts)
    op.create_table(
        "quarter",
        sa.Column("series_id", _Key, sa.ForeignKey("series.id"), nullable=False),
        sa.Column("month", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("series_id", "month"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rollup",
        sa.Column("span", sa.String(8), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("series_id", _Key, sa.ForeignKey("series.id"), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("bad", sa.Integer(), nullable=False),
        sa.Column("exponent", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("first", "last", "low", "high", "total")),
        sa.PrimaryKeyConstraint("span", "start", "series_id"),
        sqlite_with_rowid=False,
    )
    op.drop_index("ix_batch_pending", "batch")
    op.add_column("batch", sa.Column("packed_at", sa.BigInteger()))
    pending = sa.text("packed_at IS NULL AND error IS NULL")
    op.create_index("ix_batch_pending", "batch", ["lane", "id"], sqlite_where=pending, postgresql_where=pending)
    op.create_table(
        "manual_read",
        sa.Column("batch_id", _Key, sa.ForeignKey("batch.id"), primary_key=True, autoincrement=False),
        sa.Column("series_id", _Key, sa.ForeignKey("series.id"), nullable=False),
    )
    # The log does not say of which gateway's meter a person read; the rows did.
    op.execute(
        "INSERT INTO manual_read (batch_id, series_id) SELECT DISTINCT reading.batch_id, reading.series_id FROM reading"
        " JOIN batch ON batch.id = reading.batch_id JOIN gateway ON gateway.id = batch.gateway_id"
        " WHERE gateway.edge_id LIKE 'manual-%' AND gateway.secret_hash = ''"  # a box may be called so, too
    )
    op.drop_table("reading")
