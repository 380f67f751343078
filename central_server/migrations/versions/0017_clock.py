"""Keep when a gateway's clock was wrong, so that pages can tell whose stamps were put right."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

_Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "clock_stretch",
        sa.Column("gateway_id", _Key, sa.ForeignKey("gateway.id"), nullable=False),
        sa.Column("boot", sa.String(200), nullable=False),
        sa.Column("offset_ms", sa.BigInteger(), nullable=False),
        sa.Column("is_known", sa.Boolean(), nullable=False),
        sa.Column("shift_ms", sa.BigInteger()),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("gateway_id", "boot", "offset_ms", "is_known"),
    )


def downgrade() -> None:
    op.drop_table("clock_stretch")
