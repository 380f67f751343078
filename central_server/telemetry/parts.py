"""From a batch to the parts it adds to its series' days. Pure."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import le
from typing import Any

from central_server.telemetry.block import Block, merged, pack
from central_server.telemetry.block_store import DAY_MS
from central_server.telemetry.clock_stretch import ClockStretch, stretches_of
from central_server.telemetry.sieve import Refused, sifted
from central_server.telemetry.store import SeriesKey
from protocols.sync import Event, Series, SeriesColumn, decode_columns


@dataclass(frozen=True, slots=True)
class Opened:
    """What counts of a batch: readings as columns and events with their numbers, both stamped right.

    Shape: ``refused`` are readings that no table can take; ``stretches`` tell when the clock was wrong.
    """

    columns: list[SeriesColumn]
    events: list[tuple[int, Event]]
    refused: list[Refused]
    stretches: list[ClockStretch]


def open_batch(body: bytes, from_seq: int, names: Mapping[int, Series]) -> Opened:
    """Unpack what of a batch counts; records below ``from_seq`` were in an earlier one.

    Raises: ProtocolError.
    """
    header, columns, events = decode_columns(body, names)
    if from_seq > header.first_seq:
        columns = [_above(column, from_seq) for column in columns]
    kept, refused = sifted(column for column in columns if len(column.seqs))
    counted = [(seq, event) for seq, event in events if seq >= from_seq]
    return Opened(kept, counted, refused, stretches_of(header.clocks, kept))


def _above(column: SeriesColumn, from_seq: int) -> SeriesColumn:
    start = bisect_left(column.seqs, from_seq)
    return column._replace(
        seqs=column.seqs[start:],
        at=column.at[start:],
        mantissas=column.mantissas[start:],
        qualities=column.qualities[start:],
    )


def parts_of(columns: Sequence[SeriesColumn], keys: Mapping[Series, SeriesKey], batch_id: int) -> list[dict[str, Any]]:
    """Pack a batch's columns, a part for each series and day."""
    found: dict[tuple[int, int], list[Block]] = {}
    for column in columns:
        for day, start, end in _day_runs(column.at):
            count = end - start
            part = Block(
                column.at[start:end], column.mantissas[start:end], [column.exponent] * count,
                column.qualities[start:end], [batch_id] * count, column.seqs[start:end],
            )  # fmt: skip
            found.setdefault((keys[column.series].series_id, day), []).append(part)
    return [
        {"series_id": series_id, "day": day, "part": batch_id, "body": pack(_one(blocks))}
        for (series_id, day), blocks in found.items()
    ]


def _one(blocks: list[Block]) -> Block:
    """Give one block in order; nearly always it is one already."""
    at = blocks[0].at
    if len(blocks) == 1 and all(map(le, at, at[1:])):
        return blocks[0]
    return merged(blocks)


def _day_runs(at: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Cut instants into runs of one day each: (day, start, end)."""
    first, last = min(at) // DAY_MS, max(at) // DAY_MS
    if first == last:
        yield first, 0, len(at)
        return
    start = 0
    for day, run in groupby(at, lambda instant: instant // DAY_MS):
        end = start + sum(1 for _ in run)
        yield day, start, end
        start = end
