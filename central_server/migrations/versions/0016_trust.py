"""Keep for how long the cards of each class open with the centre away."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

_Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "card_trust",
        sa.Column("site_id", _Key, sa.ForeignKey("site.id"), nullable=False),
        sa.Column("basis", sa.String(16), nullable=False),
        sa.Column("fresh_h", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "basis"),
    )


def downgrade() -> None:
    op.drop_table("card_trust")
