"""Keep revisions of gateways' settings, and what changed from one version of their door rules to the next."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OPEN = sa.text("state = 'offered'")


def upgrade() -> None:
    op.create_table(
        "config_revision",
        sa.Column("id", _Key, primary_key=True, autoincrement=True),
        sa.Column("gateway_id", _Key, sa.ForeignKey("gateway.id"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reported_at", sa.BigInteger()),
        sa.Column("reason", sa.Text()),
        sa.Column("edge_revision", sa.Integer()),
        sa.UniqueConstraint("gateway_id", "number"),
    )
    op.create_index(
        "ix_config_revision_open", "config_revision", ["gateway_id"], sqlite_where=_OPEN, postgresql_where=_OPEN
    )
    op.create_table(
        "door_rules_step",
        sa.Column("id", _Key, primary_key=True, autoincrement=True),
        sa.Column("gateway_id", _Key, sa.ForeignKey("gateway.id"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("base", sa.String(64), nullable=False),
        sa.Column("made", sa.String(64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.UniqueConstraint("gateway_id", "version"),
    )


def downgrade() -> None:
    op.drop_table("door_rules_step")
    op.drop_table("config_revision")
