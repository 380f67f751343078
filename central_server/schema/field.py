"""Gateways, devices, and what they told."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from central_server.schema.base import Key, at, key_id, metadata, to

_PENDING = text("packed_at IS NULL AND error IS NULL")

gateway = Table(
    "gateway",
    metadata,
    key_id(),
    Column("edge_id", String(32), nullable=False, unique=True),
    to("site"),
    Column("name", Text, nullable=False),
    Column("secret_hash", String(64), nullable=False),
    at("created_at"),
    at("revoked_at", nullable=True),
    at("last_seen_at", nullable=True),
    Column("status", Text),
    Column("sign_key", String(64)),
)

# A one-time code; ``request_hash`` is of the request that used it, which may be repeated where its answer was lost.
enrolment = Table(
    "enrolment",
    metadata,
    Column("gateway_id", Key, ForeignKey("gateway.id"), primary_key=True, autoincrement=False),
    Column("code_hash", String(64), nullable=False, unique=True),
    at("expires_at"),
    Column("request_hash", String(64)),
)

certificate = Table(
    "certificate",
    metadata,
    Column("serial", String(40), primary_key=True),
    to("gateway"),
    at("issued_at"),
    at("expires_at"),
    at("revoked_at", nullable=True),
)

# Every key with which a gateway has ever signed: what is in the log stays provable when its box is exchanged.
gateway_key = Table(
    "gateway_key",
    metadata,
    to("gateway"),
    Column("sign_key", String(64), nullable=False),
    Column("since", BigInteger, nullable=False),
    PrimaryKeyConstraint("gateway_id", "sign_key"),
)

# The stores a gateway has had; what is new comes from the newest of them alone.
gateway_epoch = Table(
    "gateway_epoch",
    metadata,
    to("gateway"),
    Column("epoch", String(20), nullable=False),
    Column("since", BigInteger, nullable=False),
    PrimaryKeyConstraint("gateway_id", "epoch"),
)

# What the numbers in a store's batches stand for; given with the batches, and never changed.
gateway_series = Table(
    "gateway_series",
    metadata,
    to("gateway"),
    Column("epoch", String(20), nullable=False),
    Column("number", Integer, nullable=False),
    Column("device", Text, nullable=False),
    Column("point", Text, nullable=False),
    Column("unit", Text, nullable=False),
    PrimaryKeyConstraint("gateway_id", "epoch", "number"),
)

device = Table(
    "device",
    metadata,
    key_id(),
    to("gateway"),
    Column("code", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("bus", String(64), nullable=False),
    Column("profile", String(128), nullable=False),
    Column("address", String(64), nullable=False),
    at("first_seen_at"),
    UniqueConstraint("gateway_id", "code"),
)

series = Table(
    "series",
    metadata,
    key_id(),
    to("device"),
    Column("point", String(64), nullable=False),
    Column("unit", String(16), nullable=False),
    UniqueConstraint("device_id", "point", "unit"),
)

# The epoch is a random 64-bit number and would not fit a signed column: it is kept as text.
lane_mark = Table(
    "lane_mark",
    metadata,
    to("gateway"),
    Column("epoch", String(20), nullable=False),
    Column("lane", Integer, nullable=False),
    Column("high_seq", BigInteger, nullable=False),
    PrimaryKeyConstraint("gateway_id", "epoch", "lane"),
)

batch = Table(
    "batch",
    metadata,
    key_id(),
    to("gateway"),
    Column("epoch", String(20), nullable=False),
    Column("lane", Integer, nullable=False),
    Column("first_seq", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("from_seq", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
    at("received_at"),
    at("expanded_at", nullable=True),
    Column("error", Text),
    Column("body", LargeBinary, nullable=False),  # SQLite reads through it to whatever stands behind
    at("packed_at", nullable=True),
    UniqueConstraint("gateway_id", "epoch", "lane", "from_seq"),
)
# What waits to be expanded is found without a look at the rest of the log.
Index("ix_batch_pending", batch.c.lane, batch.c.id, sqlite_where=_PENDING, postgresql_where=_PENDING)

# Readings, packed: of each batch its own part of a series' day, joined into part 0 when the day is over.
block = Table(
    "block",
    metadata,
    Column("series_id", Key, ForeignKey("series.id"), nullable=False),
    Column("day", Integer, nullable=False),
    Column("part", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("series_id", "day", "part"),
    sqlite_with_rowid=False,
)
_PARTS = text("part != 0")
Index("ix_block_parts", block.c.day, block.c.series_id, sqlite_where=_PARTS, postgresql_where=_PARTS)

# Whose register a person read: the log has the reading under the gateway of people, not under the meter's.
manual_read = Table(
    "manual_read",
    metadata,
    Column("batch_id", Key, ForeignKey("batch.id"), primary_key=True, autoincrement=False),
    Column("series_id", Key, ForeignKey("series.id"), nullable=False),
)

# Quarters of an hour, a month of UTC to a row; only of days whose parts are joined.
quarter = Table(
    "quarter",
    metadata,
    Column("series_id", Key, ForeignKey("series.id"), nullable=False),
    Column("month", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("series_id", "month"),
    sqlite_with_rowid=False,
)

# Days and months of the site's own time; value = number * 10 ** exponent.
rollup = Table(
    "rollup",
    metadata,
    Column("span", String(8), nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("series_id", Key, ForeignKey("series.id"), nullable=False),
    Column("count", Integer, nullable=False),
    Column("exponent", Integer, nullable=False),
    at("first_at"),
    Column("first", Text, nullable=False),
    at("last_at"),
    Column("last", Text, nullable=False),
    Column("bad", Integer, nullable=False),
    Column("low", Text, nullable=False),
    Column("high", Text, nullable=False),
    Column("total", Text, nullable=False),
    PrimaryKeyConstraint("span", "start", "series_id"),
    sqlite_with_rowid=False,
)

latest = Table(
    "latest",
    metadata,
    Column("series_id", Key, ForeignKey("series.id"), primary_key=True, autoincrement=False),
    at("taken_at"),
    Column("mantissa", BigInteger),
    Column("exponent", Integer),
    Column("quality", Integer, nullable=False),
    to("batch", nullable=True),  # none: shown before its record came, see sync.snapshots
)

# When a gateway's clock was wrong; times put right where that was possible, and by how much.
clock_stretch = Table(
    "clock_stretch",
    metadata,
    to("gateway"),
    Column("boot", String(200), nullable=False),
    Column("offset_ms", BigInteger, nullable=False),
    Column("is_known", Boolean, nullable=False),
    Column("shift_ms", BigInteger),
    at("first_at"),
    at("last_at"),
    PrimaryKeyConstraint("gateway_id", "boot", "offset_ms", "is_known"),
)

event = Table(
    "event",
    metadata,
    key_id(),
    to("gateway"),
    to("batch"),
    Column("seq", BigInteger, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("subject", String(128), nullable=False),
    at("at"),
    Column("body", Text, nullable=False),
    Index(None, "subject", "at"),
)

alarm = Table(
    "alarm",
    metadata,
    key_id(),
    Column("key", String(255), nullable=False, unique=True),
    to("gateway", nullable=True),
    Column("subject", String(128), nullable=False),
    Column("condition", String(64), nullable=False),
    Column("priority", Integer, nullable=False),
    at("raised_at"),
    at("cleared_at", nullable=True),
    at("acknowledged_at", nullable=True),
    Column("acknowledged_by", Text),
    Column("detail", Text, nullable=False),
    to("site", nullable=True),
    at("gone_at", nullable=True),  # the cause is gone, and a person must end the alarm
    Index(None, "cleared_at", "raised_at"),
)
