"""What becomes of a revision of the settings: pure, as a table of phase and event.

    steady --apply--> staged --start--> trial --well--> steady      the new one is the last good one
                         |                |---unwell--> steady      back to the last good one
                         |                `---start---> steady      back: cut off once is once too often
                         `--unwell/revert--> steady                 back, before it ever ran

A power cut leaves the book as it was before or after an event, so every start finds its place in the table.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from edge_agent.config_health import Health

MOST_KEPT = 20  # revisions; the one that runs and the last good one are kept besides


class Phase(Enum):
    STEADY = "steady"
    STAGED = "staged"
    TRIAL = "trial"


class Event(Enum):
    APPLY = "apply"
    START = "start"
    WELL = "well"
    UNWELL = "unwell"
    REVERT = "revert"


class State(Enum):
    """What has become of one revision."""

    STAGED = "staged"
    TRIAL = "trial"
    CONFIRMED = "confirmed"
    REVERTED = "reverted"
    REPLACED = "replaced"
    WITHDRAWN = "withdrawn"
    REFUSED = "refused"


TABLE: Mapping[tuple[Phase, Event], Phase] = {
    (Phase.STEADY, Event.START): Phase.STEADY,
    (Phase.STEADY, Event.APPLY): Phase.STAGED,
    (Phase.STAGED, Event.APPLY): Phase.STAGED,
    (Phase.STAGED, Event.START): Phase.TRIAL,
    (Phase.STAGED, Event.UNWELL): Phase.STEADY,
    (Phase.STAGED, Event.REVERT): Phase.STEADY,
    (Phase.TRIAL, Event.START): Phase.STEADY,
    (Phase.TRIAL, Event.WELL): Phase.STEADY,
    (Phase.TRIAL, Event.UNWELL): Phase.STEADY,
    (Phase.TRIAL, Event.REVERT): Phase.STEADY,
}

INTERRUPTED = "the gateway was stopped or lost its power while it was on trial"


class NotNow(Exception):
    """What is asked does not fit what is under way; the sentence says what to do."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One whole settings file, and what became of it.

    Shape: ``origin`` tells whence it came, for people; ``centre`` is its number at the centre, None for one made here.
    ``is_told`` is whether the store has the event of its end.

    Units: ``at`` and ``ended_at`` are milliseconds UTC.
    """

    number: int
    hash: str
    origin: str
    at: int
    state: State
    centre: int | None = None
    reason: str = ""
    ended_at: int | None = None
    is_told: bool = False


@dataclass(frozen=True, slots=True)
class Book:
    """All revisions, oldest first, and which of them counts.

    Shape: ``good`` is the last good one, which runs unless another is on trial; ``file_hash`` is the settings file
    as it was last taken in; ``before`` how the gateway was when the newest was applied, None where it was not running;
    ``centre`` the highest number that the centre has sent.
    """

    revisions: tuple[Revision, ...]
    good: int
    file_hash: str
    phase: Phase = Phase.STEADY
    before: Health | None = None
    centre: int = 0

    @property
    def newest(self) -> Revision:
        return self.revisions[-1]

    @property
    def current(self) -> int:
        """The number of the revision that runs, or is to run at the next start."""
        return self.good if self.phase is Phase.STEADY else self.newest.number

    @property
    def reverted(self) -> Revision | None:
        """The revision that has failed its trial, until another has been good since."""
        return self.newest if self.newest.state is State.REVERTED else None

    def as_json(self, left_s: float | None) -> dict[str, Any]:
        """Describe what runs as ``edge status`` does."""
        failed = self.reverted
        return {
            "revision": self.current,
            "state": self.phase.value,
            "left_s": left_s,
            "good": self.good,
            "centre": self.centre,
            "reverted": None if failed is None else {"revision": failed.number, "reason": failed.reason},
        }

    def get(self, number: int) -> Revision | None:
        return next((found for found in self.revisions if found.number == number), None)


def first(made: Revision) -> Book:
    """Begin with the file that a gateway is first started with: there is nothing better to go back to."""
    return Book((replace(made, is_told=True),), made.number, made.hash)


def take_file(book: Book, made: Revision) -> Book:
    """Take in a settings file that a person has changed: it counts at once, as it would without any of this."""
    if book.phase is not Phase.STEADY:
        book = _end(book, State.REPLACED, "the settings file was changed by hand meanwhile", made.at)
    return _bounded(replace(book, revisions=(*book.revisions, made), good=made.number, file_hash=made.hash))


def ready(book: Book) -> None:
    """Tell whether a revision can be applied now. Raises: NotNow."""
    _next(book, Event.APPLY)


def apply(book: Book, made: Revision, before: Health | None) -> Book:
    """Put a revision on its way. Raises: NotNow."""
    after = _next(book, Event.APPLY)
    if book.phase is Phase.STAGED:
        book = _end(book, State.REPLACED, "another revision was applied before it ran", made.at)
    centre = max(book.centre, made.centre or 0)
    book = replace(book, revisions=(*book.revisions, made), phase=after, before=before, centre=centre)
    return _bounded(book)


def refuse(book: Book, made: Revision) -> Book:
    """Keep that a revision of the centre was refused; whatever is under way goes on."""
    ahead, last = book.revisions[:-1], book.revisions[-1:]
    is_busy = book.phase is not Phase.STEADY  # the newest is the one on trial, and stays the newest
    revisions = (*ahead, made, *last) if is_busy else (*book.revisions, made)
    return _bounded(replace(book, revisions=revisions, centre=max(book.centre, made.centre or 0)))


def step(book: Book, event: Event, at: int, reason: str = "") -> Book:
    """Let something happen to what is under way. Raises: NotNow."""
    after = _next(book, event)
    if book.phase is Phase.STEADY:
        return book
    if after is Phase.TRIAL:
        return replace(_renewed(book, replace(book.newest, state=State.TRIAL)), phase=after)
    if event is Event.WELL:
        return replace(_end(book, State.CONFIRMED, reason, at), good=book.newest.number)
    if event is Event.REVERT:
        return _end(book, State.WITHDRAWN, reason, at)
    return _end(book, State.REVERTED, INTERRUPTED if event is Event.START else reason, at)


def told(book: Book, number: int) -> Book:
    """Note that the end of a revision was told."""
    return replace(
        book,
        revisions=tuple(replace(it, is_told=True) if it.number == number else it for it in book.revisions),
    )


def untold(book: Book) -> list[Revision]:
    """Give the revisions whose end has still to be told."""
    return [found for found in book.revisions if found.ended_at is not None and not found.is_told]


def _next(book: Book, event: Event) -> Phase:
    found = TABLE.get((book.phase, event))
    if found is not None:
        return found
    if event is Event.APPLY:
        raise NotNow(
            f"revision {book.newest.number} is on trial. Wait until it is confirmed or reverted, or end it with "
            f"'edge config revert'."
        )
    raise NotNow("no revision is on trial. Name the one to go back to; 'edge config history' lists them.")


def _end(book: Book, state: State, reason: str, at: int) -> Book:
    ended = replace(book.newest, state=state, reason=reason, ended_at=at)
    return replace(_renewed(book, ended), phase=Phase.STEADY, before=None)


def _renewed(book: Book, newest: Revision) -> Book:
    return replace(book, revisions=(*book.revisions[:-1], newest))


def _bounded(book: Book) -> Book:
    """Forget the oldest, but never what runs, what is good, or what nobody has been told of."""
    spare = len(book.revisions) - MOST_KEPT
    kept = []
    for found in book.revisions:
        is_needed = found.number in (book.good, book.current) or (found.ended_at is not None and not found.is_told)
        if spare > 0 and not is_needed:
            spare -= 1
        else:
            kept.append(found)
    return replace(book, revisions=tuple(kept))
