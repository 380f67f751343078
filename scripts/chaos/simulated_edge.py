"""The gateway of a simulated run: the product's store, recovery and uplink, without their threads and clocks.

Its folder is killed, torn, copied and put back as files, so that what the product then finds is what it would find.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Coroutine, Iterator, Sequence, Set
from concurrent.futures import Future
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, NamedTuple, cast
from unittest.mock import patch

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent import recovery, store, store_file, uplink, writer
from edge_agent.credential import Credential
from edge_agent.identity import Signer
from edge_agent.machine_clock import Clocks
from edge_agent.reserve import Reserve
from edge_agent.seal import seal_texts
from edge_agent.shedding import Shedding
from edge_agent.store import Store, StoreDamaged, StoreError
from edge_agent.sync import Policy, Uplink
from edge_agent.transport import Transport
from edge_agent.uplink import UplinkClient
from protocols.record import Lane, Record
from scripts.chaos.simulated_truth import Truth

_KEY = Ed25519PrivateKey.from_private_bytes(b"simulated gateway's signing key!")
SIGNER = Signer(_KEY.public_key().public_bytes_raw().hex(), _KEY.sign)
_POLICY = Policy(limit=60)
_IN_HAND = 240  # four batches, as in the product
_RESERVED_PAGES = 2048  # 8 MiB, as in the product
_FILES = ("edge.db", "edge.db-wal", "edge.db.marks")
_NAME = "gw-1"


async def _at_once(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return call(*args, **kwargs)


async def _result(done: "Future[Any]") -> Any:
    return done.result()


# With everything done in the caller's turn a coroutine never waits, and needs no loop: see ``finished``.
_NO_LOOP = SimpleNamespace(run_in_executor=lambda _, call, *args: _at_once(call, *args))
_ASYNCIO = SimpleNamespace(
    Event=asyncio.Event, to_thread=_at_once, wrap_future=_result, get_running_loop=lambda: _NO_LOOP
)


def finished(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end without a loop."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise RuntimeError("something in a simulated run waits for the world outside")


class _WriterAtOnce(writer.Writer):
    """The writer without its thread: a request is a commit."""

    def start(self) -> None:
        pass

    def submit(self, request: writer.Request) -> None:
        if self._is_closed:
            raise StoreError("the store is closed.")
        request.done.set_running_or_notify_cancel()
        self._serve_safely([request])

    def stop(self) -> None:
        self._is_closed = True
        self._disconnect()
        self._marks.close()


class _Room(Reserve):
    """The reserve on a disk that can be full: whoever releases it has so many pages more."""

    is_full = False
    pages: Callable[[int], None]

    def hold(self) -> bool:
        return self.is_held or (not self.is_full and super().hold())

    def release(self) -> None:
        super().release()
        if self.is_full:
            self.pages(_RESERVED_PAGES)


class Client(UplinkClient):
    """The uplink whose rests take simulated time."""

    rested: Callable[[float], None]

    def use(self, core: Uplink, rested: Callable[[float], None]) -> None:
        self._core = core
        self.rested = rested

    async def step(self) -> None:
        """Do one thing, as ``run`` does again and again."""
        try:
            async with self._transport.open() as link:
                await self._step(link)
        except StoreError:
            self.rested(5.0)

    async def _rest(self, seconds: float) -> None:
        self.rested(seconds)


@contextlib.contextmanager
def machine(chance: Random, mono_s: Callable[[], float], wall_ms: Callable[[], int]) -> Iterator[None]:
    """Give the product this run's clocks and dice, and no threads."""
    clock = SimpleNamespace(monotonic=mono_s, time_ns=lambda: wall_ms() * 1_000_000, time=lambda: wall_ms() / 1000)
    with contextlib.ExitStack() as stack:
        for module, name, own in (
            (store, "Writer", _WriterAtOnce),
            (store, "Reserve", _Room),
            (store, "asyncio", _ASYNCIO),
            (uplink, "asyncio", _ASYNCIO),
            (recovery, "randbits", chance.getrandbits),
            (store_file, "secrets", SimpleNamespace(randbits=chance.getrandbits)),
            (store_file, "time", clock),
            (writer, "time", clock),
            (uplink, "time", clock),
        ):
            stack.enter_context(patch.object(module, name, own))
        yield


class Backup(NamedTuple):
    """A copy of the store's folder, and how much had been accepted when it was made."""

    files: dict[str, bytes]
    origin: bytes
    accepted: int


class Edge:
    """A gateway, from start to kill to start."""

    def __init__(
        self,
        folder: Path,
        chance: Random,
        truth: Truth,
        look: Callable[[], Clocks],
        transport: Transport,
        rested: Callable[[float], None],
        quota: int | None,
    ) -> None:
        self._path = folder / "edge.db"
        self._chance = chance
        self._truth = truth
        self._look = look
        self._transport = transport
        self._rested = rested
        self._quota = quota
        self._old_marks: list[bytes] = []
        self.backups: list[Backup] = []
        self._path.write_bytes(_new_store())
        epoch = str(chance.getrandbits(64))
        with contextlib.closing(sqlite3.connect(self._path, isolation_level=None)) as new:
            new.execute("UPDATE store SET epoch = ?, created_at = 0, seal = ?", (epoch, seal_texts(_NAME, epoch)))
        self._start()

    def _start(self) -> None:
        try:
            self.store = self._open()
        except StoreDamaged:  # as the service does: what was found is noted, so this time it is salvaged
            self.store = self._open()
        self._truth.note_epoch(self.store.epoch, self.store._past)  # noqa: SLF001 - what the file says of itself
        self.client = Client(
            "", cast(Credential, None), self.store, dict, SIGNER, policy=_POLICY, transport=self._transport
        )
        self.client.use(Uplink(_POLICY, self._chance.random), self._rested)
        if self._quota is not None:
            self.shedding = Shedding(self.store, self._quota, _tell, lambda: self._look().wall_ms, _IN_HAND)

    def _open(self) -> Store:
        return Store._open(self._path, _NAME, 0.0, 1, self._look)  # noqa: SLF001 - ``open`` is this in a thread

    async def accept(self, lane: Lane, records: Sequence[Record]) -> bool:
        """Store records; what the store refuses was not accepted."""
        try:
            last = await self.store.append(lane, records)
        except StoreError:
            return False
        self._truth.accept(self.store.epoch, lane, last, records)
        return True

    async def shed(self) -> None:
        """Keep to the quota as the task does between two of its looks."""
        if self._quota is None:
            return
        with contextlib.suppress(StoreError):
            while await self.shedding.look():
                pass

    async def is_drained(self) -> bool:
        """Tell whether nothing is left that could be sent."""
        if self.store.leg().is_past:
            return False
        for lane, state in self.store.lanes().items():
            if state.pending and (await self.store.peek(lane, state.acked_seq, 1)).records:
                return False
        return True

    def fill(self, *, is_full: bool) -> None:
        """Let the file grow no further than the reserve, or again; what SQLite then says is SQLite's own."""
        room = cast(_Room, self.store._writer._reserve)  # noqa: SLF001
        room.pages, room.is_full = self._allow, is_full
        self._allow(0 if is_full else 1_000_000)

    @property
    def is_full(self) -> bool:
        return cast(_Room, self.store._writer._reserve).is_full  # noqa: SLF001

    def _allow(self, more: int) -> None:
        connection = self.store._writer._connection  # noqa: SLF001
        if connection is not None:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages + more}")

    def kill(self) -> None:
        """End the process at once: the files stay as they are, nothing is closed."""
        self._restart(self._files())

    async def cut_power(self, lane: Lane, records: Sequence[Record]) -> bool:
        """Cut the power while a commit is being written; tell whether a part of it has reached the disk.

        The records were never accepted. Whether they are there afterwards is for nobody to know.
        """
        before = self._files()
        first = self.store.lanes()[lane].next_seq
        with contextlib.suppress(StoreError):
            await self.store.append(lane, records)
        durable, written = before.get("edge.db-wal", b""), self._files().get("edge.db-wal", b"")
        torn = bytearray()
        if written.startswith(durable):
            part = written[len(durable) :]
            torn += part[: self._chance.randrange(len(part) + 1)]
            for _ in range(self._chance.randrange(3)):  # sectors that were still to be written
                if torn:
                    at = self._chance.randrange(len(torn)) // 512 * 512
                    torn[at : at + 512] = bytes(len(torn[at : at + 512]))
            before["edge.db-wal"] = durable + bytes(torn)
        if self._old_marks and self._chance.random() < 0.5:  # they are not synced, so they may be older
            before["edge.db.marks"] = self._chance.choice(self._old_marks)
        self._restart(before)
        last = first + len(records) - 1
        if self.store.lanes()[lane].next_seq == last + 1:
            self._truth.accept(self.store.epoch, lane, last, records)
        return bool(torn)

    def back_up(self) -> None:
        """Copy the folder as a person would, all of it at one moment."""
        origin = self._path.with_name("edge.db.origin").read_bytes()
        self.backups.append(Backup(self._files(), origin, self._truth.count))

    def put_back(self, at_centre: Set[int], *, is_whole: bool) -> None:
        """Put an older copy in the place of the store: the whole folder, or the database alone.

        Beside a database alone its marks say how far the newer one was, and nothing below that is sent again.
        """
        backup = self._chance.choice(self.backups)
        files = dict(backup.files)
        passed: set[int] = set()
        if is_whole:
            origin, fresh = self._path.with_name("edge.db.origin"), self._path.with_name("restored")
            fresh.write_bytes(backup.origin)
            fresh.rename(origin)
        else:
            files["edge.db.marks"] = self._files()["edge.db.marks"]
            for lane, state in self.store.lanes().items():
                found = (self._truth.number_at(self.store.epoch, lane, seq) for seq in range(1, state.acked_seq + 1))
                passed.update(number for number in found if number is not None)
        self._truth.spare(backup.accepted, at_centre, passed)
        self._old_marks.clear()
        self._restart(files)

    def close(self) -> None:
        self.store._close()  # noqa: SLF001

    def _files(self) -> dict[str, bytes]:
        found = {name: self._path.with_name(name) for name in _FILES}
        return {name: path.read_bytes() for name, path in found.items() if path.exists()}

    def _restart(self, files: dict[str, bytes]) -> None:
        self._old_marks = [*self._old_marks[-3:], files["edge.db.marks"]]
        self.close()
        for name in (*_FILES, "edge.db-shm"):
            self._path.with_name(name).unlink(missing_ok=True)
        for name, content in files.items():
            self._path.with_name(name).write_bytes(content)
        self._start()


async def _tell(*_: object) -> None:
    """People are told elsewhere."""


@cache
def _new_store() -> bytes:
    """Make an empty store once: a run is over in less time than its schema takes."""
    with TemporaryDirectory() as name:
        path = Path(name) / "edge.db"
        store_file.connect(path, _NAME).close()
        return path.read_bytes()


def used_by_new() -> int:
    return len(_new_store())
