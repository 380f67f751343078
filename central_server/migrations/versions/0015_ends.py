"""Rollups say when their first and last reading were taken; what the log holds is summed up anew at the next start."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

_Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.drop_table("rollup")
    op.create_table(
        "rollup",
        sa.Column("span", sa.String(8), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("series_id", _Key, sa.ForeignKey("series.id"), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("exponent", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.Text(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.Text(), nullable=False),
        sa.Column("bad", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("low", "high", "total")),
        sa.PrimaryKeyConstraint("span", "start", "series_id"),
        sqlite_with_rowid=False,
    )
    # As 'central sync rebuild' begins: what is packed is old, and is told on until all is packed anew.
    op.execute(
        "DELETE FROM block WHERE part >= 0 AND series_id IN (SELECT series_id FROM block WHERE part != 0 AND part < 0)"
    )
    op.execute("UPDATE block SET part = -1 - part WHERE part >= 0")
    op.execute("UPDATE batch SET packed_at = NULL WHERE error IS NULL")
