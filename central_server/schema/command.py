"""Commands to gateways, and what became of each."""

from sqlalchemy import Column, Index, String, Table, Text, text

from central_server.schema.base import at, metadata, to

_OPEN = text("state IN ('queued', 'sent')")

command = Table(
    "command",
    metadata,
    Column("id", String(32), primary_key=True),
    to("gateway"),
    to("device"),
    Column("action", String(32), nullable=False),
    Column("args", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("actor", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    at("issued_at"),
    at("expires_at"),
    at("sent_at", nullable=True),
    at("reported_at", nullable=True),
    Column("error", Text),
    Column("read_back", Text),
    Index(None, "device_id", "issued_at"),
)
# What is still under way is found without a look at all that ever was.
Index("ix_command_open", command.c.gateway_id, sqlite_where=_OPEN, postgresql_where=_OPEN)
