"""Records as rows of the store: integers for readings, JSON for events."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from edge_agent.plain import Plain, is_plain, plain_of
from edge_agent.seal import seal_reading, seal_record
from protocols.quantity import MANTISSA_LIMIT, Quality, from_scaled, to_scaled
from protocols.record import Event, Lane, Reading, Record, Series

MAX_EVENT_BYTES = 64 * 1024
MAX_RAW_BYTES = 4096  # the longest frame of any bus here is far shorter
MAX_EVENT_LEVELS = 32  # readers of JSON give up at depths of their own
MAX_NAME_LENGTH = 200  # a batch full of names must stay far below its limit

# lane, seq, series_id, at, mantissa, exponent, quality, raw, event, seal
Row = tuple[int, int, int | None, int, int | None, int | None, int | None, bytes | None, str | None, int]
# seq, device, point, unit, at, mantissa, exponent, quality, raw, event
JoinedRow = tuple[int, str | None, str, str, int, int | None, int, int, bytes | None, str | None]

_QUALITIES = tuple(Quality)


class RecordRefused(ValueError):
    """A record that no batch can carry; the sentence says what is wrong with it."""


def to_rows(lane: Lane, first_seq: int, records: Sequence[Record], series_ids: Mapping[Series, int]) -> list[Row]:
    """Lay records out as rows.

    A number that a reading cannot keep exactly becomes INVALID with its text as raw bytes,
    so that one meter's garbage never holds back its neighbours.

    Raises: RecordRefused.
    """
    return [_to_row(int(lane), seq, record, series_ids) for seq, record in enumerate(records, first_seq)]


def to_parts(
    lane: Lane, first_seq: int, records: Sequence[Record], series_ids: Mapping[Series, int]
) -> tuple[Plain | None, list[Row]]:
    """Lay records out as ``to_rows`` does: the plain readings as columns, then rows of all others.

    Raises: RecordRefused.
    """
    seqs: Sequence[int] = range(first_seq, first_seq + len(records))
    plain = plain_of(lane, seqs, records, series_ids)
    if plain is not None:
        return plain, []
    number = int(lane)
    chosen: list[tuple[int, Record]] = []
    others: list[Row] = []
    for seq, record in zip(seqs, records, strict=True):
        if is_plain(record):
            chosen.append((seq, record))
        else:
            others.append(_to_row(number, seq, record, series_ids))
    seqs, records = [seq for seq, _ in chosen], [record for _, record in chosen]
    return plain_of(lane, seqs, records, series_ids), others


def _to_row(lane: int, seq: int, record: Record, series_ids: Mapping[Series, int]) -> Row:
    if isinstance(record, Event):
        _check_instant(record.at)
        row = (lane, seq, None, record.at, None, None, None, None, _event_text(record))
        return (*row, seal_record(*row))
    series, at, value, quality, raw = record
    _check_instant(at)
    if len(raw) > MAX_RAW_BYTES:
        raise RecordRefused(f"a reading of {series.device} keeps {len(raw)} raw bytes; {MAX_RAW_BYTES} is the most")
    mantissa: int | None = None
    exponent = 0
    if value is not None:
        try:
            mantissa, exponent = to_scaled(value)
        except ValueError:
            quality, raw = Quality.INVALID, str(value).encode()[:64]
    key, code = series_ids[series], int(quality)
    seal = seal_reading(lane, seq, key, at, mantissa, exponent, code, raw)
    return lane, seq, key, at, mantissa, exponent, code, raw or None, None, seal


def from_rows(rows: Iterable[JoinedRow]) -> tuple[Record, ...]:
    """Read records back from rows joined with their series."""
    series: dict[tuple[str, str, str], Series] = {}
    records: list[Record] = []
    for _, device, point, unit, at, mantissa, exponent, quality, raw, event in rows:
        if device is None:
            kind, subject, body = json.loads(event or "null")
            records.append(Event(kind, subject, at, body))
            continue
        key = (device, point, unit)
        name = series.get(key)
        if name is None:
            name = series[key] = Series(device, point, unit)
        value = None if mantissa is None else from_scaled(mantissa, exponent)
        records.append(Reading(name, at, value, _QUALITIES[quality], raw or b""))
    return tuple(records)


def check_series(series: Series) -> None:
    """Refuse a name that a batch cannot carry.

    Raises: RecordRefused.
    """
    for text in series:
        _check_name(text)


def _check_name(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RecordRefused(f"the name {text!r} is not text that UTF-8 can carry") from None
    if "\0" in text:
        raise RecordRefused(f"the name {text!r} is not text that a database can hold")
    if len(text) > MAX_NAME_LENGTH:
        raise RecordRefused(f"the name {text[:20]!r}... has {len(text)} characters; {MAX_NAME_LENGTH} is the most")


def _check_instant(at: int) -> None:
    if not -MANTISSA_LIMIT < at < MANTISSA_LIMIT:
        raise RecordRefused(f"{at} is not an instant in milliseconds")


def _event_text(event: Event) -> str:
    _check_name(event.kind)
    _check_name(event.subject)
    try:
        text = _json([event.kind, event.subject, event.body])
        size = len(text.encode())
        if not isinstance(event.body, dict) or _json(json.loads(text)) != text:
            raise RecordRefused(f"the body of the event {event.kind!r} would come back changed")
        if not _is_within(event.body, MAX_EVENT_LEVELS):
            raise RecordRefused(f"the body of the event {event.kind!r} is nested over {MAX_EVENT_LEVELS} levels deep")
    except RecordRefused:
        raise
    except (ValueError, TypeError, RecursionError) as error:
        raise RecordRefused(f"the body of the event {event.kind!r} is not JSON: {error}") from None
    if size > MAX_EVENT_BYTES:
        raise RecordRefused(f"the event {event.kind!r} has {size} bytes; {MAX_EVENT_BYTES} is the most")
    return text


def _is_within(value: Any, levels: int) -> bool:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return levels > 0 and all(_is_within(child, levels - 1) for child in children)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
