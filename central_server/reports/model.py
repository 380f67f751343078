"""The figures as pure functions of what happened in a month; words.py says each of them to people."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

Unit = Literal["ms", "percent"]


@dataclass(frozen=True, slots=True)
class Repair:
    """A work order that was finished in the month.

    Units: ms from the report to the first answer, and to the finish. Shape: ``is_kept`` is None where
    nothing was promised.
    """

    category: str
    respond_ms: int | None
    finish_ms: int
    is_kept: bool | None


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a month's figures are made of.

    Shape: ``rounds`` are states of inspection tasks whose window ended in the month. Units: fen.
    """

    repairs: tuple[Repair, ...] = ()
    rounds: tuple[str, ...] = ()
    received_fen: int = 0
    online_fen: int = 0
    due_fen: int = 0
    collected_fen: int = 0

    def __add__(self, other: "Facts") -> "Facts":
        return Facts(
            self.repairs + other.repairs,
            self.rounds + other.rounds,
            self.received_fen + other.received_fen,
            self.online_fen + other.online_fen,
            self.due_fen + other.due_fen,
            self.collected_fen + other.collected_fen,
        )


@dataclass(frozen=True, slots=True)
class Figure:
    """One value, or none where there was nothing to measure; ``part`` of ``whole`` is what it was made from.

    Units: ``value`` in ms, or in percent with one place.
    """

    value: Decimal | None
    part: int
    whole: int


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure's name for programs, its unit, and how it is computed."""

    key: str
    unit: Unit
    compute: Callable[[Facts], Figure]


def share(part: int, whole: int) -> Figure:
    """Give a part of a whole in percent, halves up."""
    if whole == 0:
        return Figure(None, part, whole)
    return Figure((Decimal(part * 100) / Decimal(whole)).quantize(Decimal("0.1"), ROUND_HALF_UP), part, whole)


def reached(values: Iterable[int | None], percent: int) -> Figure:
    """Give the smallest value that at least so many percent of all do not exceed: the nearest rank, no value made up."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return Figure(None, 0, 0)
    rank = -(-len(known) * percent // 100)
    return Figure(Decimal(known[rank - 1]), rank, len(known))


def _respond(facts: Facts) -> list[int | None]:
    return [each.respond_ms for each in facts.repairs]


def _finish(facts: Facts) -> list[int | None]:
    return [each.finish_ms for each in facts.repairs]


def _kept(facts: Facts) -> Figure:
    promised = [each.is_kept for each in facts.repairs if each.is_kept is not None]
    return share(sum(promised), len(promised))


def _walked(facts: Facts) -> Figure:
    counted = [state for state in facts.rounds if state != "excused"]
    return share(sum(state in ("done", "late") for state in counted), len(counted))


MEASURES: Sequence[Measure] = (
    Measure("respond_median", "ms", lambda facts: reached(_respond(facts), 50)),
    Measure("respond_p90", "ms", lambda facts: reached(_respond(facts), 90)),
    Measure("finish_median", "ms", lambda facts: reached(_finish(facts), 50)),
    Measure("finish_p90", "ms", lambda facts: reached(_finish(facts), 90)),
    Measure("sla_kept", "percent", _kept),
    Measure("inspection_done", "percent", _walked),
    Measure("collection_rate", "percent", lambda facts: share(facts.collected_fen, facts.due_fen)),
    Measure("online_rate", "percent", lambda facts: share(facts.online_fen, facts.received_fen)),
)


@dataclass(frozen=True, slots=True)
class CategoryRow:
    """The repairs of one category. Units: figures in ms and percent."""

    category: str
    count: int
    respond: Figure
    finish: Figure
    kept: Figure


def by_category(facts: Facts) -> list[CategoryRow]:
    """Give the repairs apart by category, most frequent first."""
    groups: dict[str, list[Repair]] = {}
    for each in facts.repairs:
        groups.setdefault(each.category, []).append(each)
    rows = [
        CategoryRow(
            category,
            len(repairs),
            reached((each.respond_ms for each in repairs), 50),
            reached((each.finish_ms for each in repairs), 50),
            _kept(Facts(repairs=tuple(repairs))),
        )
        for category, repairs in groups.items()
    ]
    return sorted(rows, key=lambda row: (-row.count, row.category))
