"""Settings that are meant for gateways, and what became of them there."""

from sqlalchemy import Column, Index, Integer, String, Table, Text, UniqueConstraint, text

from central_server.schema.base import at, key_id, metadata, to

_OPEN = text("state = 'offered'")

# ``body`` is the whole settings file; it names secrets by their files and holds none.
config_revision = Table(
    "config_revision",
    metadata,
    key_id(),
    to("gateway"),
    Column("number", Integer, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("actor", String(64), nullable=False),
    at("issued_at"),
    Column("state", String(16), nullable=False),
    at("reported_at", nullable=True),
    Column("reason", Text),
    Column("edge_revision", Integer),
    UniqueConstraint("gateway_id", "number"),
)
# What still has to be told is found without a look at all that ever was.
Index("ix_config_revision_open", config_revision.c.gateway_id, sqlite_where=_OPEN, postgresql_where=_OPEN)
