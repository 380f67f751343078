"""Every table of the centre; migrations build the same, and a test compares the two."""

from central_server.schema.base import metadata
from central_server.schema.billing import bill, bill_line, bill_run, installation, metering_point
from central_server.schema.charge import charge, payment
from central_server.schema.estate import building, ownership, person, site, unit
from central_server.schema.field import alarm, batch, device, event, gateway, lane_mark, latest, reading, series
from central_server.schema.neighbourhood import (
    consent,
    notice,
    notice_building,
    notice_read,
    parking_fees,
    parking_lease,
    parking_place,
    parking_price,
    visitor,
)
from central_server.schema.people import account, audit, outbox, photo, session, sign_in_code
from central_server.schema.records import equipment, tenancy, vehicle, workbook

__all__ = [
    "account",
    "alarm",
    "audit",
    "batch",
    "bill",
    "bill_line",
    "bill_run",
    "building",
    "charge",
    "consent",
    "device",
    "equipment",
    "event",
    "gateway",
    "installation",
    "lane_mark",
    "latest",
    "metadata",
    "metering_point",
    "notice",
    "notice_building",
    "notice_read",
    "outbox",
    "ownership",
    "parking_fees",
    "parking_lease",
    "parking_place",
    "parking_price",
    "payment",
    "person",
    "photo",
    "reading",
    "series",
    "session",
    "sign_in_code",
    "site",
    "tenancy",
    "unit",
    "vehicle",
    "visitor",
    "workbook",
]
