"""Keep what was set aside where people can look at it, and let a value be shown before its record has come."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OPEN = sa.text("settled_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "quarantine",
        sa.Column("id", _Key, primary_key=True, autoincrement=True),
        sa.Column("gateway_id", _Key, sa.ForeignKey("gateway.id"), nullable=False),
        sa.Column("batch_id", _Key, sa.ForeignKey("batch.id"), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("noted_at", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("settled_at", sa.BigInteger()),
        sa.Column("settled_by", sa.Text()),
        sa.Column("outcome", sa.String(16)),
        sa.Column("remark", sa.Text()),
        sa.UniqueConstraint("batch_id", "seq"),
    )
    op.create_index("ix_quarantine_open", "quarantine", ["noted_at"], sqlite_where=_OPEN, postgresql_where=_OPEN)
    op.execute(
        "INSERT INTO quarantine (gateway_id, batch_id, seq, reason, detail, noted_at, tries) "
        "SELECT gateway_id, id, 0, 'unreadable', error, received_at, 1 FROM batch WHERE error IS NOT NULL"
    )
    with op.batch_alter_table("latest") as table:
        table.alter_column("batch_id", existing_type=_Key, nullable=True)


def downgrade() -> None:
    op.execute("DELETE FROM latest WHERE batch_id IS NULL")
    with op.batch_alter_table("latest") as table:
        table.alter_column("batch_id", existing_type=_Key, nullable=False)
    op.drop_table("quarantine")
