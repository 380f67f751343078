"""What becomes of a batch, without a database: decided from what is known of its lane.

known of the lane                           decision
all of it is here                           Repeated  acknowledged again, nothing stored
records before it are missing               Missing   the gateway goes back
another store of the gateway came since     Fenced    nothing new of this one is taken
the rest                                    Taken     what is above the mark counts

Series travel by number; the names of new ones come with the batch (``learn``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from protocols.errors import ProtocolError
from protocols.sync import Header, Record, Series, decode_batch


@dataclass(frozen=True, slots=True)
class Lane:
    """What is known of a gateway's lane: its mark, and the stores the gateway has begun."""

    mark: int
    newest_epoch: int | None
    is_known_epoch: bool


@dataclass(frozen=True, slots=True)
class Repeated:
    mark: int


@dataclass(frozen=True, slots=True)
class Missing:
    expected: int


@dataclass(frozen=True, slots=True)
class Fenced:
    pass


@dataclass(frozen=True, slots=True)
class Taken:
    """What counts begins at ``from_seq``; ``is_new_store`` where it is the first word of a store."""

    from_seq: int
    is_new_store: bool


Decision = Repeated | Missing | Fenced | Taken


def decide(header: Header, lane: Lane) -> Decision:
    """Decide on a batch."""
    if header.last_seq <= lane.mark:
        return Repeated(lane.mark)
    if lane.is_known_epoch and lane.newest_epoch != header.epoch:
        return Fenced()
    if header.first_seq > lane.mark + 1:
        return Missing(lane.mark + 1)
    return Taken(lane.mark + 1, not lane.is_known_epoch)


@dataclass(frozen=True, slots=True)
class Unnamed:
    """The batch builds on names of series of which only so many are known."""

    have: int


@dataclass(frozen=True, slots=True)
class Renamed:
    """The batch gives the number of one series to another: it is another box's."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """The names from number ``have`` + 1 on are new."""

    have: int
    fresh: tuple[Series, ...]


def learn(header: Header, have: int, again: Sequence[Series]) -> Unnamed | Renamed | Learnt:
    """Decide on the names of series that a batch brings.

    Shape: ``have`` of the store's series are known; ``again`` are those behind the batch's base.
    """
    if header.names_base > have:
        return Unnamed(have)
    told = header.names[: have - header.names_base]
    if told != tuple(again[: len(told)]):
        return Renamed()
    return Learnt(have, header.names[len(told) :])


def numbered(body: bytes, names: Mapping[int, Series]) -> dict[int, Record]:
    """Give a batch's records by their numbers; none of one that cannot be read: it is set aside when it is expanded."""
    try:
        return dict(decode_batch(body, names).numbered())
    except ProtocolError:
        return {}


class Logged(NamedTuple):
    """A batch of the log; what counts of it begins at ``from_seq``."""

    from_seq: int
    last_seq: int
    digest: str
    body: bytes


def contradicts(mine: Mapping[int, Record], logged: Iterable[Logged], names: Mapping[int, Series]) -> bool:
    """Tell whether what is logged under some of a batch's numbers is something else.

    A gateway that did not hear an acknowledgement sends the same records, perhaps in another cut, or
    fewer of them where it has thinned them out since. Other records under the same numbers are another
    box's: a copy of this gateway's disk.
    """
    return any(
        seq >= each.from_seq and mine.get(seq, record) != record
        for each in logged
        for seq, record in numbered(each.body, names).items()
    )
