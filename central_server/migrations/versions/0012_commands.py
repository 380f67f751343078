"""Keep commands to gateways and what became of them."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OPEN = sa.text("state IN ('queued', 'sent')")


def upgrade() -> None:
    op.create_table(
        "command",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("gateway_id", _Key, sa.ForeignKey("gateway.id"), nullable=False),
        sa.Column("device_id", _Key, sa.ForeignKey("device.id"), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("args", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger()),
        sa.Column("reported_at", sa.BigInteger()),
        sa.Column("error", sa.Text()),
        sa.Column("read_back", sa.Text()),
    )
    op.create_index("ix_command_device_id_issued_at", "command", ["device_id", "issued_at"])
    op.create_index("ix_command_open", "command", ["gateway_id"], sqlite_where=_OPEN, postgresql_where=_OPEN)


def downgrade() -> None:
    op.drop_table("command")
