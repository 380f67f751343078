"""What passed in each quarter of an hour, hour, day and month, summed up. Pure.

A bucket counts readings that may be believed; the others are counted as ``bad`` and change nothing else.
It is made from all readings of its time at once, or by joining finer ones, and is the same either way.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import NamedTuple
from zoneinfo import ZoneInfo

from central_server.telemetry.block import NO_VALUE, Block, pack_columns, unpack_columns
from protocols.quantity import BELIEVED

QUARTER_MS = 15 * 60_000
HOUR_MS = 4 * QUARTER_MS
DAY_MS = 24 * HOUR_MS

_BELIEVED = frozenset(map(int, BELIEVED))


class Bucket(NamedTuple):
    """One stretch of one series; values are integers, to be multiplied by 10 ** ``exponent``.

    Shape: ``first`` to ``total`` mean nothing where ``size`` is 0.
    Units: ``start``, ``first_at`` and ``last_at`` are milliseconds since 1970 in UTC.
    """

    start: int
    size: int
    bad: int
    exponent: int
    first_at: int = 0
    first: int = 0
    last_at: int = 0
    last: int = 0
    low: int = 0
    high: int = 0
    total: int = 0


_FIELDS = Bucket._fields
_SMOOTH = frozenset(_FIELDS.index(name) for name in ("start", "first_at", "last_at"))


def quarters(block: Block) -> list[Bucket]:
    """Sum a block up, a quarter of an hour each, quarters without readings left out."""
    rows = zip(block.at, block.mantissa, block.exponent, block.quality, strict=True)
    return [_summed(start, list(those)) for start, those in groupby(rows, lambda row: row[0] // QUARTER_MS)]


def _summed(quarter: int, rows: Sequence[tuple[int, int, int, int]]) -> Bucket:
    good = [row for row in rows if not row[3] & NO_VALUE and row[3] in _BELIEVED]
    bad = len(rows) - len(good)
    if not good:
        return Bucket(quarter * QUARTER_MS, 0, bad, 0)
    least = min(row[2] for row in good)
    values = [row[1] * 10 ** (row[2] - least) for row in good]
    # Of two readings of one instant the one heard last stands; what has been before it is no first.
    opening = max(place for place, row in enumerate(good) if row[0] == good[0][0])
    return Bucket(
        quarter * QUARTER_MS, len(good), bad, least, good[0][0], values[opening], good[-1][0], values[-1],
        min(values), max(values), sum(values),
    )  # fmt: skip


def joined(start: int, parts: Sequence[Bucket]) -> Bucket:
    """Join buckets that follow each other into one."""
    good = [part for part in parts if part.size]
    bad = sum(part.bad for part in parts)
    if not good:
        return Bucket(start, 0, bad, 0)
    least = min(part.exponent for part in good)
    scaled = [_at_exponent(part, least) for part in good]
    return Bucket(
        start, sum(part.size for part in good), bad, least, good[0].first_at, scaled[0].first, good[-1].last_at,
        scaled[-1].last, min(it.low for it in scaled), max(it.high for it in scaled), sum(it.total for it in scaled),
    )  # fmt: skip


def _at_exponent(bucket: Bucket, exponent: int) -> Bucket:
    if bucket.exponent == exponent:
        return bucket
    factor = 10 ** (bucket.exponent - exponent)
    first, last, low, high, total = (
        it * factor for it in (bucket.first, bucket.last, bucket.low, bucket.high, bucket.total)
    )
    return bucket._replace(exponent=exponent, first=first, last=last, low=low, high=high, total=total)


def coarser(buckets: Iterable[Bucket], start_of: Callable[[int], int]) -> list[Bucket]:
    """Join buckets into larger ones; ``start_of`` gives where the one begins in which an instant lies."""
    return [joined(start, list(parts)) for start, parts in groupby(buckets, lambda part: start_of(part.start))]


def hour_start(at: int) -> int:
    return at // HOUR_MS * HOUR_MS


def day_start(zone: ZoneInfo) -> Callable[[int], int]:
    """Give the function that finds the beginning of an instant's day in a time zone."""

    def start(at: int) -> int:
        local = datetime.fromtimestamp(at // 1000, UTC).astimezone(zone)
        return _ms(local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0))

    return start


def month_start(zone: ZoneInfo) -> Callable[[int], int]:
    """Give the function that finds the beginning of an instant's month in a time zone."""

    def start(at: int) -> int:
        local = datetime.fromtimestamp(at // 1000, UTC).astimezone(zone)
        return _ms(local.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0))

    return start


def next_month(start: int, zone: ZoneInfo) -> int:
    """Give the beginning of the month after the one that begins at ``start``."""
    local = datetime.fromtimestamp(start // 1000, UTC).astimezone(zone)
    return _ms((local.replace(day=28) + timedelta(days=4)).replace(day=1, fold=0))


def _ms(local: datetime) -> int:
    return int(local.timestamp()) * 1000


def pack_buckets(buckets: Sequence[Bucket]) -> bytes:
    """Pack buckets. Raises: ValueError where there is none."""
    return pack_columns([list(column) for column in zip(*buckets, strict=True)], _SMOOTH)


def unpack_buckets(body: bytes, wanted: Collection[str] = _FIELDS) -> list[Bucket]:
    """Unpack buckets; fields that are not wanted are 0."""
    places = {_FIELDS.index(name) for name in wanted}
    columns = unpack_columns(body, len(_FIELDS), _SMOOTH, places)
    rows = len(columns[_FIELDS.index("start")])
    return [Bucket(*row) for row in zip(*(column or (0,) * rows for column in columns), strict=True)]
