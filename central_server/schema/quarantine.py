"""What was set aside: batches and single records that could not be expanded."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text, UniqueConstraint, text

from central_server.schema.base import at, key_id, metadata, to

_OPEN = text("settled_at IS NULL")

# ``seq`` is 0 where it is the whole batch; the bytes are the batch's own.
quarantine = Table(
    "quarantine",
    metadata,
    key_id(),
    to("gateway"),
    to("batch"),
    Column("seq", BigInteger, nullable=False),
    Column("reason", String(32), nullable=False),
    Column("detail", Text, nullable=False),
    at("noted_at"),
    Column("tries", Integer, nullable=False),
    at("settled_at", nullable=True),
    Column("settled_by", Text),
    Column("outcome", String(16)),
    Column("remark", Text),
    UniqueConstraint("batch_id", "seq"),
)
Index("ix_quarantine_open", quarantine.c.noted_at, sqlite_where=_OPEN, postgresql_where=_OPEN)
