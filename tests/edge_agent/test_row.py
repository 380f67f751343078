"""A record comes back from its row as it went in."""

from decimal import Decimal

import pytest

from edge_agent.row import MAX_EVENT_BYTES, RecordRefused, from_rows, to_rows
from protocols.quantity import Quality
from protocols.sync import Event, Lane, Reading, Record, Series

POWER = Series("em-1", "powerTotal", "W")


def round_trip(record: Record) -> Record:
    rows = to_rows(Lane.TELEMETRY, 1, [record], {POWER: 1})
    names = (None, "", "") if isinstance(record, Event) else record.series
    return from_rows([(row[1], *names, *row[3:9]) for row in rows])[0]  # type: ignore[arg-type, misc]


@pytest.mark.parametrize("text", ["0", "-0.05", "1234.50", "1E+3", "0E-7", "-1.2E-9", "4611686018427387903"])
def test_a_value_keeps_its_number_and_its_places(text: str) -> None:
    value = Decimal(text)
    got = round_trip(Reading(POWER, 5, value))
    assert isinstance(got, Reading)
    assert got.value is not None
    assert got.value.as_tuple() == value.as_tuple()


@pytest.mark.parametrize(
    "text", ["NaN", "Infinity", "-Infinity", "1E+38", "1.4E-45", "9" * 25, "0.1234567890123456789"]
)
def test_a_number_that_cannot_be_kept_becomes_invalid_and_leaves_its_text(text: str) -> None:
    got = round_trip(Reading(POWER, 5, Decimal(text)))
    assert got == Reading(POWER, 5, None, Quality.INVALID, str(Decimal(text)).encode())


def test_a_reading_without_a_value_keeps_its_bytes_and_its_quality() -> None:
    reading = Reading(POWER, 5, None, Quality.NOT_AVAILABLE, b"\xff\xff")
    assert round_trip(reading) == reading


def test_an_event_keeps_its_body() -> None:
    event = Event("alarm", "device:em-1", 7, {"文": ["x", 1, None, {"deep": True}]})
    assert round_trip(event) == event


def deep(levels: int) -> dict[str, object]:
    return {"in": deep(levels - 1)} if levels else {}


@pytest.mark.parametrize(
    "record",
    [
        Event("alarm", "a", 1, {"value": float("nan")}),
        Event("alarm", "a", 1, {"value": Decimal(1)}),
        Event("alarm", "a", 1, {"text": "\ud800"}),
        Event("alarm", "a", 1, {"text": "x" * MAX_EVENT_BYTES}),
        Event("alarm", "\ud800", 1, {}),
        Event("alarm", "a" * 1000, 1, {}),
        Event("alarm", "a", 2**63, {}),
        Event("alarm", "a", 1, deep(100)),
        Reading(POWER, 2**62, Decimal(1)),
        Reading(POWER, 1, None, Quality.INVALID, b"x" * 5000),
    ],
    ids=["nan", "decimal", "surrogate", "long", "subject", "long-subject", "instant", "deep", "reading-instant", "raw"],
)
def test_a_record_that_no_batch_can_carry_is_refused(record: Record) -> None:
    with pytest.raises(RecordRefused):
        round_trip(record)
