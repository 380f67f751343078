"""The settings of a running gateway: which revision runs, its trial, and the way back.

Every change is in the book on disk before anything acts on it; what is decided, ``config_trial`` and
``config_health`` decide.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from edge_agent import config_trial as trial
from edge_agent.command_key import load_command_key
from edge_agent.config import Settings, load_settings, parse_settings, read_text
from edge_agent.config_change import forbidden
from edge_agent.config_health import Health, Verdict, health_of, is_known, judge, well_now
from edge_agent.config_revision import Damaged, Held, RevisionError, Revisions, digest_of
from edge_agent.config_trial import Book, Event, NotNow, Phase, Revision, State
from edge_agent.credential import UplinkError
from edge_agent.store_file import StoreError
from protocols.config_offer import read_offer
from protocols.errors import SecurityError
from protocols.toml import SettingsError

log = logging.getLogger("edge.config")

WINDOW_S = 60.0
_LOOK_S = 0.5
_SETTLE_OF = 0.75  # of a trial's time a gateway has after a start to find out what is well; less than a command waits
_HELD_S = 3.0  # a command is done with the revisions in a moment


class Unchanged(Exception):
    """The settings are those that run already."""


class ConfigKeeper:
    """Keep the settings of one gateway; ``begin`` comes first.

    Shape: ``settings`` are those to run by; ``changed`` is set when the gateway is to begin again with others,
    ``news`` when there is something to tell. Units: ``wall`` gives milliseconds UTC, ``monotonic`` seconds; a trial
    lasts ``window_s``.
    """

    def __init__(
        self,
        settings: Settings,
        revisions: Revisions | None = None,
        *,
        window_s: float = WINDOW_S,
        wall: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.revisions = revisions or Revisions(settings.data, settings.file)
        self.window_s = window_s
        self.changed = asyncio.Event()
        self.news = asyncio.Event()
        self._wall = wall
        self._monotonic = monotonic
        self._book: Book | None = None
        self._until: tuple[int, float] | None = None
        self._turn = asyncio.Lock()
        self._status: Callable[[], Mapping[str, Any]] | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the only process that changes these settings. Raises: StoreError."""
        until = self._monotonic() + _HELD_S
        while True:
            try:
                with self.revisions.held():
                    yield
                    return
            except Held as error:
                if self._monotonic() > until:
                    raise StoreError(
                        f"{self.settings.store_path}: the store is in use by process {error.holder}. "
                        f"Stop that service, or give this one a data folder of its own."
                    ) from None
            except RevisionError as error:
                raise StoreError(str(error)) from None
            time.sleep(0.1)

    @property
    def book(self) -> Book:
        """The book. Raises: RevisionError where it could not be used at the start."""
        if self._book is None:
            raise RevisionError(f"{self.revisions.folder}: the revisions cannot be used. The gateway's log says why.")
        return self._book

    @property
    def is_on_trial(self) -> bool:
        return self._book is not None and self._book.phase is Phase.TRIAL

    @property
    def centre(self) -> int | None:
        """The highest number that the centre has sent, None where none can be taken."""
        return None if self._book is None else self._book.centre

    def follow(self, status: Callable[[], Mapping[str, Any]]) -> None:
        """Know how the gateway is."""
        self._status = status

    def begin(self) -> None:
        """Choose what to run by at a start: what was cut off on trial has failed, a changed file is taken in.

        A disk that takes no note of it does not keep the gateway from its work.

        Raises: SettingsError.
        """
        try:
            try:
                book = self.revisions.book()
            except Damaged as error:
                log.error("%s", error)
                self.revisions.set_aside()
                book = None
            self._begin(book)
        except RevisionError as error:
            log.error("%s", error)
            self._book = None
            self.settings = self._last_good()

    def _begin(self, book: Book | None) -> None:
        file, now = self.settings.file, self._wall()
        text = read_text(file)
        digest = digest_of(text)
        if book is not None and book.file_hash == digest:
            after = trial.step(book, Event.START, now)
        else:
            load_settings(file)
            number = self.revisions.put(text)
            made = Revision(number, digest, str(file), now, State.CONFIRMED, ended_at=now)
            after = trial.first(made) if book is None else trial.take_file(book, made)
        if book is not None and book.phase is Phase.TRIAL:
            ended = after.get(book.newest.number)
            log.error("revision %d is %s", book.newest.number, ended and f"{ended.state.value}: {ended.reason}")
        if after is not book:
            self._save(after)
        self._book = after
        self._run_by(after)

    def _run_by(self, book: Book) -> None:
        try:
            self.settings = self._load(book)
        except SettingsError as error:
            if book.phase is not Phase.TRIAL:
                raise
            self._go_back(str(error.faults[0]))

    def _last_good(self) -> Settings:
        file = self.settings.file
        with suppress(RevisionError):
            book = self.revisions.book()
            good = None if book is None or book.file_hash != digest_of(read_text(file)) else book.get(book.good)
            if good is not None:
                return self.revisions.settings(good)
        return load_settings(file)

    def resume(self) -> None:
        """Choose what to run by when the gateway begins again within its process. Raises: SettingsError."""
        self.changed.clear()
        if self._book is None or self._book.phase is not Phase.STAGED:
            return
        try:
            self._save(trial.step(self._book, Event.START, self._wall()))
        except RevisionError as error:
            log.error("%s", error)
            return  # it stays staged, and what has run before goes on
        self._run_by(self._book)

    def _load(self, book: Book) -> Settings:
        current = book.get(book.current)
        assert current is not None, "the book keeps what runs"
        return self.revisions.settings(current)

    def _go_back(self, reason: str) -> None:
        """Leave what is on trial for the last good settings. Raises: SettingsError."""
        log.error("revision %d is reverted: %s", self.book.newest.number, reason)
        after = trial.step(self.book, Event.UNWELL, self._wall(), reason)
        try:
            self._save(after)
        except RevisionError as error:
            log.error("%s", error)  # the book on disk has it on trial still, so that a start goes back as well
            self._book = after
        self.settings = self._load(after)

    def _save(self, book: Book) -> None:
        self.revisions.save(book)
        self._book = book

    async def failed(self, reason: str) -> None:
        """Note that the gateway could not run by what is on trial. Raises: SettingsError."""
        async with self._turn:
            await asyncio.to_thread(self._go_back, reason)

    async def watch(self) -> None:
        """Judge what is on trial until its time is over, then rest. Raises: SettingsError."""
        while self.is_on_trial and not self.changed.is_set():
            await asyncio.sleep(_LOOK_S)
            async with self._turn:
                try:
                    await self._look()
                except RevisionError as error:
                    log.error("%s", error)  # looked at again
        await asyncio.Event().wait()

    async def _look(self) -> None:
        if not self.is_on_trial or self._status is None:
            return
        number = self.book.newest.number
        if self._until is None or self._until[0] != number:
            self._until = number, self._monotonic() + self.window_s
        verdict, reason = judge(
            self.book.before,
            health_of(self._status()),
            [bus.id for bus in self.settings.buses],
            [device.id for device in self.settings.devices],
            is_over=self._monotonic() >= self._until[1],
            has_uplink=self.settings.uplink is not None,
        )
        if verdict is Verdict.WELL:
            await asyncio.to_thread(self._save, trial.step(self.book, Event.WELL, self._wall()))
            log.info("revision %d is confirmed", number)
            self.news.set()
        elif verdict is Verdict.UNWELL:
            await asyncio.to_thread(self._go_back, f"not well within {self.window_s:.0f} s: {reason}")
            self.changed.set()

    async def apply(self, text: str, name: str, origin: str, centre: int | None = None) -> int:
        """Have the gateway begin again with other settings, on trial; gives the revision's number.

        Raises: SettingsError, NotNow, Unchanged, RevisionError: then nothing has changed.
        """
        while not self._is_known():  # noqa: ASYNC110 - devices tell nobody when they had their turn
            await asyncio.sleep(_LOOK_S)
        async with self._turn:
            new = await asyncio.to_thread(parse_settings, text, self.settings.file, name)
            if faults := forbidden(text, name, self.settings, new, is_remote=centre is not None):
                raise SettingsError(faults)
            before = None if self._status is None else well_now(self._status())
            await asyncio.to_thread(self._stage, text, origin, centre, before)
            self.changed.set()
            return self.book.newest.number

    def _is_known(self) -> bool:
        return self.is_on_trial or self._status is None or is_known(self._status(), _SETTLE_OF * self.window_s)

    def look(self) -> None:
        """Read the book while no gateway runs; where there is none yet, begin one. Raises: RevisionError, SettingsError."""
        self._book = self.revisions.book()
        if self._book is None:
            self._begin(None)

    def stage(self, text: str, origin: str) -> int:
        """Put settings on their way while no gateway runs. Raises: NotNow, Unchanged, RevisionError."""
        self._stage(text, origin, None, None)
        return self.book.newest.number

    def _stage(self, text: str, origin: str, centre: int | None, before: Health | None) -> None:
        book, digest = self.book, digest_of(text)
        trial.ready(book)
        current = book.get(book.current)
        if centre is None and current is not None and current.hash == digest:
            raise Unchanged
        made = Revision(self.revisions.put(text), digest, origin, self._wall(), State.STAGED, centre)
        self._save(trial.apply(book, made, before))

    async def revert(self, number: int | None, by: str) -> int:
        """End a trial, or put an older revision on trial; gives the number of what is to run.

        Raises: NotNow, SettingsError, Unchanged, RevisionError.
        """
        if number is None and self.book.phase is not Phase.STEADY:
            async with self._turn:
                await asyncio.to_thread(self.withdraw, by)
                self.changed.set()
            return self.book.good
        wanted = chosen(self.book, number)
        text = await asyncio.to_thread(self.revisions.text, wanted)
        return await self.apply(text, str(self.revisions.place(wanted.number)), again(wanted, by))

    def withdraw(self, by: str) -> None:
        """End a trial on a person's word. Raises: NotNow, RevisionError, SettingsError."""
        self._save(trial.step(self.book, Event.REVERT, self._wall(), f"ended by {by}"))
        self.settings = self._load(self.book)

    async def offered(self, told: Any) -> None:
        """Take a revision that the centre offers, once; while another is on trial, or shortly after a start, it is
        offered again.

        Raises: ProtocolError for one that is not the centre's, UplinkError where that cannot be known, RevisionError.
        """
        key = await asyncio.to_thread(load_command_key, self.settings.data)
        if key is None:
            raise UplinkError("the centre's key is not known yet, so its settings cannot be believed")
        offer = await asyncio.to_thread(read_offer, told, self.settings.edge_id, key)
        if offer.revision < self.book.centre:
            raise SecurityError(f"revision {offer.revision} is older than {self.book.centre}, which has come already")
        if offer.revision <= self.book.centre or self.book.phase is not Phase.STEADY:
            return
        if not self._is_known():
            return
        name, origin = f"centre revision {offer.revision}", f"centre revision {offer.revision}, {offer.actor}"
        try:
            await self.apply(offer.text, name, origin, offer.revision)
        except NotNow:
            return
        except SettingsError as error:
            reason = "; ".join(map(str, error.faults[:3]))
            log.error("%s is refused: %s", name, reason)
            async with self._turn:
                await asyncio.to_thread(self._refuse, offer.text, origin, offer.revision, reason)
            self.news.set()

    def _refuse(self, text: str, origin: str, centre: int, reason: str) -> None:
        number, now = self.revisions.put(text), self._wall()
        made = Revision(number, digest_of(text), origin, now, State.REFUSED, centre, reason, now)
        self._save(trial.refuse(self.book, made))

    def untold(self) -> list[Revision]:
        return [] if self._book is None else trial.untold(self._book)

    async def told(self, number: int) -> None:
        """Note that the store has what became of a revision. Raises: RevisionError."""
        async with self._turn:
            await asyncio.to_thread(lambda: self._save(trial.told(self.book, number)))

    @property
    def reverted(self) -> Revision | None:
        """The revision that has failed its trial, until another has been good since."""
        return None if self._book is None else self._book.reverted

    def as_json(self) -> dict[str, Any]:
        """Describe what runs as ``edge status`` does."""
        if self._book is None:
            return {
                "revision": None,
                "state": "unknown",
                "left_s": None,
                "good": None,
                "centre": None,
                "reverted": None,
            }
        left = None
        if self.is_on_trial and self._until is not None:
            left = round(max(0.0, self._until[1] - self._monotonic()), 1)
        return self._book.as_json(left)


def chosen(book: Book, number: int | None) -> Revision:
    """Find the revision to go back to: the one named, or the newest good one that is not what runs.

    Raises: NotNow.
    """
    if number is not None:
        found = book.get(number)
        missing = f"There is no revision {number}"
    else:
        current = book.get(book.current)
        others = [it for it in book.revisions if it.state is State.CONFIRMED and current and it.hash != current.hash]
        found = others[-1] if others else None
        missing = "There is no other good revision"
    if found is None:
        raise NotNow(f"{missing}. 'edge config history' lists those that there are.")
    return found


def again(revision: Revision, by: str) -> str:
    """Say whence a revision is that an older one is put on trial as."""
    return f"revision {revision.number}, {by}"
