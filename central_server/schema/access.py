"""Doors, who may open them and when, the rules handed down, and what every door decided."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from central_server.crypto import Sealed
from central_server.schema.base import Key, at, key_id, metadata, to

# What the centre adds to a device of kind door; a door without a row has the usual settings.
door = Table(
    "door",
    metadata,
    Column("device_id", Key, ForeignKey("device.id"), primary_key=True, autoincrement=False),
    to("building", nullable=True),
    Column("pulse_ms", Integer, nullable=False),
    Column("held_open_s", Integer, nullable=False),
)

door_group = Table(
    "door_group",
    metadata,
    key_id(),
    to("site"),
    Column("name", String(64), nullable=False),
    UniqueConstraint("site_id", "name"),
)

door_group_member = Table(
    "door_group_member",
    metadata,
    to("door_group", "group_id"),
    to("device"),
    PrimaryKeyConstraint("group_id", "device_id"),
)

# ``windows`` and ``holidays`` are JSON: [[[days], from, to], ...] and ["2026-10-01", ...].
door_schedule = Table(
    "door_schedule",
    metadata,
    key_id(),
    to("site"),
    Column("name", String(64), nullable=False),
    Column("windows", Text, nullable=False),
    Column("holidays", Text, nullable=False),
    UniqueConstraint("site_id", "name"),
)

# A card of a person; ``active_key`` holds a card's place as long as it is not revoked, so that nobody else has it.
credential = Table(
    "credential",
    metadata,
    key_id(),
    to("site"),
    to("person"),
    Column("basis", String(16), nullable=False),
    Column("bits", Integer, nullable=False),
    Column("number", Sealed("credential.number"), nullable=False),
    Column("number_index", String(32), nullable=False, index=True),
    Column("active_key", String(64), unique=True),
    Column("from_on", String(10)),
    Column("to_on", String(10)),
    at("created_at"),
    Column("created_by", String(64), nullable=False),
    at("revoked_at", nullable=True),
    Column("revoked_by", String(64)),
    Index(None, "site_id"),
    Index(None, "person_id"),
)

credential_grant = Table(
    "credential_grant",
    metadata,
    key_id(),
    to("credential"),
    to("door_group", "group_id"),
    to("door_schedule", "schedule_id", nullable=True),
    UniqueConstraint("credential_id", "group_id"),
)

# For how long cards of a class open with the centre away, 0 for ever; a class without a row has the usual bound.
card_trust = Table(
    "card_trust",
    metadata,
    to("site"),
    Column("basis", String(16), nullable=False),
    Column("fresh_h", Integer, nullable=False),
    PrimaryKeyConstraint("site_id", "basis"),
)

# The rules of a gateway as they were last handed down; ``digest`` is of all that they are made from.
door_rules = Table(
    "door_rules",
    metadata,
    Column("gateway_id", Key, ForeignKey("gateway.id"), primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
    at("issued_at"),
    Column("body", Sealed("door_rules.body"), nullable=False),
)

# What changed from one version to the next, for gateways that lag by a few; ``base`` and ``made`` are hashes of rules.
door_rules_step = Table(
    "door_rules_step",
    metadata,
    key_id(),
    to("gateway"),
    Column("version", BigInteger, nullable=False),
    Column("base", String(64), nullable=False),
    Column("made", String(64), nullable=False),
    Column("body", Sealed("door_rules_step.body"), nullable=False),
    UniqueConstraint("gateway_id", "version"),
)

# Written once, never changed.
door_decision = Table(
    "door_decision",
    metadata,
    key_id(),
    Column("decision_id", String(128), nullable=False, unique=True),
    to("site"),
    to("gateway"),
    to("device", nullable=True),
    Column("door_code", String(64), nullable=False),
    at("at"),
    Column("is_granted", Boolean(create_constraint=False), nullable=False),
    Column("reason", String(32), nullable=False),
    to("credential", nullable=True),
    to("person", nullable=True),
    Column("card_bits", Integer),
    Column("card_number", Sealed("door_decision.card_number")),
    Column("card_index", String(32)),
    Column("rules_version", BigInteger),
    Column("is_offline", Boolean(create_constraint=False), nullable=False),
    Column("by", String(64)),
    Index(None, "site_id", "at"),
    Index(None, "device_id", "at"),
    Index(None, "person_id", "at"),
)

# What people say to an alarm, and what became of it beside its three instants.
alarm_note = Table(
    "alarm_note",
    metadata,
    key_id(),
    to("alarm"),
    at("at"),
    Column("kind", String(16), nullable=False),
    to("account", nullable=True),
    Column("login", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("text", Sealed("alarm_note.text")),
    Index(None, "alarm_id"),
)
