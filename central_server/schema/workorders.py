"""Work orders and what happened to them."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from central_server.crypto import Sealed
from central_server.schema.base import at, key_id, metadata, to

# What stands here beside the report itself can be computed anew from the events.
work_order = Table(
    "work_order",
    metadata,
    key_id(),
    to("site"),
    to("building", nullable=True),
    to("unit", nullable=True),
    to("equipment", nullable=True),
    to("device", nullable=True),
    to("alarm", nullable=True),
    to("person", nullable=True),  # the resident who asked
    Column("source", String(16), nullable=False),
    Column("condition", String(64)),  # an alarm's; its words are the title
    Column("title", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("detail", Sealed("work_order.detail")),
    Column("contact_name", Sealed("work_order.contact_name")),
    Column("contact_phone", Sealed("work_order.contact_phone")),
    Column("contact_phone_index", String(32), index=True),
    at("created_at"),
    Column("created_by", String(64), nullable=False),
    Column("once_key", String(64), unique=True),  # a form sent twice makes one order
    Column("fault_key", String(255)),  # a device and its fault, or what an inspection found
    Column("open_key", String(255), unique=True),  # the same as long as the order is open: one open order a fault
    Column("state", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("category", String(16), nullable=False),
    Column("urgency", String(16), nullable=False),
    to("account", "lead_id", nullable=True),
    at("respond_due_at"),
    at("finish_due_at"),
    at("responded_at", nullable=True),
    at("arrived_at", nullable=True),
    at("paused_at", nullable=True),
    at("deferred_until", nullable=True),
    at("finished_at", nullable=True),
    at("ended_at", nullable=True),
    Column("labour_minutes", Integer),
    Column("quote_fen", BigInteger),
    Column("fee_fen", BigInteger),
    to("work_order", "merged_into_id", nullable=True),
    Column("rating", Integer),
    at("changed_at"),
    Index(None, "site_id", "state"),
    Index(None, "lead_id", "state"),
    Index(None, "person_id", "created_at"),
    Index(None, "unit_id", "created_at"),
    Index(None, "finished_at"),
)

# The truth: every step and every word, in order. ``body`` holds what the step says, nothing personal;
# ``note`` holds what a person wrote.
work_order_event = Table(
    "work_order_event",
    metadata,
    key_id(),
    to("work_order", "order_id"),
    Column("kind", String(16), nullable=False),
    at("at"),
    to("account", nullable=True),
    Column("login", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("note", Sealed("work_order_event.note")),
    Index(None, "order_id", "id"),
)
