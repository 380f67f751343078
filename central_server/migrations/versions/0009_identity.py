"""Gateways' certificates, one-time codes, the keys with which they sign, and the stores they had."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("gateway", sa.Column("sign_key", sa.String(64)))
    op.create_table(
        "enrolment",
        sa.Column("gateway_id", _Key, sa.ForeignKey("gateway.id"), primary_key=True, autoincrement=False),
        sa.Column("code_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("request_hash", sa.String(64)),
    )
    op.create_table(
        "certificate",
        sa.Column("serial", sa.String(40), primary_key=True),
        sa.Column("gateway_id", _Key, sa.ForeignKey("gateway.id"), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger()),
    )
    op.create_table(
        "gateway_key",
        sa.Column("gateway_id", _Key, sa.ForeignKey("gateway.id"), nullable=False),
        sa.Column("sign_key", sa.String(64), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("gateway_id", "sign_key"),
    )
    op.create_table(
        "gateway_epoch",
        sa.Column("gateway_id", _Key, sa.ForeignKey("gateway.id"), nullable=False),
        sa.Column("epoch", sa.String(20), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("gateway_id", "epoch"),
    )
    op.execute(
        "INSERT INTO gateway_epoch (gateway_id, epoch, since) "
        "SELECT gateway_id, epoch, min(received_at) FROM batch GROUP BY gateway_id, epoch"
    )
