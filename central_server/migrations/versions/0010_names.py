"""Series by number: a dictionary of each store, which grows with its batches."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "gateway_series",
        sa.Column("gateway_id", _Key, sa.ForeignKey("gateway.id"), nullable=False),
        sa.Column("epoch", sa.String(20), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("point", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("gateway_id", "epoch", "number"),
    )


def downgrade() -> None:
    op.drop_table("gateway_series")
