"""Single readings that no table can take: kept out of what is expanded, so that their neighbours count. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

from protocols.sync import Series, SeriesColumn

_EARLIEST_MS, _LATEST_MS = 0, 4_102_444_800_000  # 1970 to 2100: what a gateway could not put right is no date
_MOST = (64, 64, 16)  # letters of device, point and unit


class Refused(NamedTuple):
    """Readings of one series in a batch that are set aside; ``seq`` is the first of them."""

    seq: int
    reason: str
    detail: str


def sifted(columns: Iterable[SeriesColumn]) -> tuple[list[SeriesColumn], list[Refused]]:
    """Part columns into what can be expanded and what is set aside."""
    kept: list[SeriesColumn] = []
    refused: list[Refused] = []
    for column in columns:
        if any(len(text) > most for text, most in zip(column.series, _MOST, strict=True)):
            refused.append(_refused(column, "name-too-long"))
        elif min(column.at) < _EARLIEST_MS or max(column.at) > _LATEST_MS:
            good = [place for place, at in enumerate(column.at) if _EARLIEST_MS <= at <= _LATEST_MS]
            bad = sorted(set(range(len(column.at))).difference(good))
            refused.append(_refused(_chosen(column, bad), "absurd-time"))
            if good:
                kept.append(_chosen(column, good))
        else:
            kept.append(column)
    return kept, refused


def _chosen(column: SeriesColumn, places: list[int]) -> SeriesColumn:
    return column._replace(
        seqs=[column.seqs[place] for place in places],
        at=[column.at[place] for place in places],
        mantissas=[column.mantissas[place] for place in places],
        qualities=bytes(column.qualities[place] for place in places),
    )


def _refused(column: SeriesColumn, reason: str) -> Refused:
    count, last = len(column.seqs), column.seqs[-1]
    more = f"; {count} readings up to number {last}" if count > 1 else ""
    return Refused(column.seqs[0], reason, f"{_named(column.series)}, at {column.at[0]} ms{more}")


def _named(series: Series) -> str:
    return " ".join(text if len(text) <= 80 else f"{text[:80]}…" for text in series)
