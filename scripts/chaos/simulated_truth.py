"""What a simulated gateway has accepted, kept outside of it, and what must have become of it. Pure.

A record is known by the number in it, which no clock and no restore changes. Numbers of lanes are given out anew
after a restore, under another epoch; a record is looked up by the epoch that gave its number.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from edge_agent.epochs import PastEpoch
from protocols.record import Event, Lane, Record
from scripts.chaos.simulated_centre import Told


class Violation(AssertionError):
    """The promise was broken."""


@dataclass(slots=True)
class Truth:
    """Shape: ``lanes`` by number in the order of acceptance; ``spared`` may be lost, their disk was put back."""

    lanes: dict[int, Lane] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)
    given: dict[tuple[int, Lane, int], int] = field(default_factory=dict)
    before: dict[int, PastEpoch] = field(default_factory=dict)
    spared: set[int] = field(default_factory=set)
    is_put_back: bool = False
    impossible: set[int] = field(default_factory=set)

    @property
    def count(self) -> int:
        return len(self.order)

    def accept(self, epoch: int, lane: Lane, last: int, records: Sequence[Record]) -> None:
        for seq, record in enumerate(records, last - len(records) + 1):
            number = number_of(record)
            self.lanes[number] = lane
            self.order.append(number)
            self.given[epoch, lane, seq] = number

    def note_epoch(self, epoch: int, past: Sequence[PastEpoch]) -> None:
        """Remember which epoch a new one has followed, and up to which numbers."""
        if past:
            self.before.setdefault(epoch, past[-1])

    def spare(self, place: int, at_centre: Set[int], passed: Iterable[int]) -> None:
        """Note that a disk was put back to when so many had been accepted; the centre has what it has.

        Shape: ``passed`` had left their lanes for a tombstone; where that was on this disk only it is gone, too.
        """
        self.is_put_back = True
        self.spared |= {*self.order[place:], *passed} - at_centre

    def number_at(self, epoch: int, lane: Lane, seq: int) -> int | None:
        while (before := self.before.get(epoch)) is not None and seq <= before.last[lane]:
            epoch = before.epoch
        return self.given.get((epoch, lane, seq))

    def check(self, told: Iterable[Told]) -> Counter[str]:
        """Compare with what the centre has; give how much was set aside or let go, and told. Raises: Violation."""
        there, stones, met = self._there(told)
        buried = self._buried(stones)
        missing = [number for number in self.order if number not in there]
        lost = [number for number in missing if number not in buried and number not in self.spared]
        if lost:
            raise Violation(f"{len(lost)} are lost in silence, the first one {lost[0]} of {self.lanes[lost[0]].word}")
        if not self.is_put_back:
            self._check_counts(missing, stones)
        met["shed"] += sum(stone.body["lost"] for _, stone in stones if stone.body["reason"] in _SHED)
        met["set_aside_edge"] += sum(stone.body["reason"] == "quarantined" for _, stone in stones)
        met["given_up"] += sum("(sync_" in stone.body["reason"] for _, stone in stones)
        met["salvaged"] += sum(stone.body["reason"] == "damaged store" for _, stone in stones)
        met["lost_with_disk"] += sum(number not in buried for number in missing)
        return met

    def _there(self, told: Iterable[Told]) -> tuple[set[int], list[tuple[int, Event]], Counter[str]]:
        there: set[int] = set()
        stones: list[tuple[int, Event]] = []
        met: Counter[str] = Counter()
        newest = dict.fromkeys(Lane, 0)
        for epoch, lane, seq, record in told:
            if isinstance(record, Event) and record.kind == "tombstone":
                stones.append((epoch, record))
                continue
            number = self.number_at(epoch, lane, seq)
            if number is None:
                raise Violation(f"the centre has {seq} of {lane.word}, which was never accepted")
            if record is None:
                met["set_aside_centre"] += 1
                if number not in self.impossible:
                    raise Violation(f"the centre has set {number} aside, a sound record")
            elif number != (record.body["n"] if isinstance(record, Event) else int(record * 100)):
                raise Violation(f"the centre has another record in the place of {number}")
            if number in there:
                raise Violation(f"{number} of {lane.word} counts twice")
            if number < newest[lane]:
                raise Violation(f"{lane.word}: {number} comes after {newest[lane]}")
            newest[lane] = number
            there.add(number)
        return there, stones, met

    def _buried(self, stones: Iterable[tuple[int, Event]]) -> set[int]:
        """Give what tombstones speak of; nothing but telemetry goes for want of room."""
        found: set[int] = set()
        for epoch, stone in stones:
            body, lane = stone.body, Lane(stone.body["lane"])
            if body["reason"] in _SHED and lane is not Lane.TELEMETRY:
                raise Violation(f"{lane.word} was shed: {body}")
            of = int(body["epoch"], 16) if "epoch" in body else epoch
            numbers = (self.number_at(of, lane, seq) for seq in range(body["from_seq"], body["to_seq"] + 1))
            found.update(number for number in numbers if number is not None)
        return found

    def _check_counts(self, missing: Sequence[int], stones: Iterable[tuple[int, Event]]) -> None:
        """Hold the tombstones' numbers against what is missing: of a disk that was not put back they are exact."""
        told: Counter[Lane] = Counter()
        for _, stone in stones:
            told[Lane(stone.body["lane"])] += stone.body["lost"]
        true = Counter(self.lanes[number] for number in missing)
        if told != true:
            raise Violation(f"tombstones tell of {_by_word(told)}, but {_by_word(true)} are missing")


_SHED = frozenset({"thinned to 1 min", "thinned to 15 min", "thinned to 1 h", "dropped"})


def _by_word(counts: Mapping[Lane, int]) -> dict[str, int]:
    return {lane.word: count for lane, count in counts.items()}


def number_of(record: Record) -> int:
    """Give the number by which a record of the simulation is known."""
    if isinstance(record, Event):
        return int(record.body["n"])
    assert record.value is not None
    return int(record.value * 100)
