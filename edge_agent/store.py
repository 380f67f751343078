"""The store: what the gateway has accepted, on disk, until the centre has it.

A record is accepted when its commit has reached the disk; ``append`` returns then and not
before. One thread writes (``edge_agent.writer``), another reads, so that a look at the
backlog never delays a door decision.
"""

import asyncio
import contextlib
import logging
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Self

from edge_agent.clock import Span, first_span, next_span, proved, restamped
from edge_agent.epochs import Leg, PastEpoch, current_leg, load_past
from edge_agent.incident import Incident, mark_told, read_incidents
from edge_agent.machine_clock import Clocks, look_at_clocks
from edge_agent.newest import Newest
from edge_agent.quarantine import hidden, put_back, set_aside
from edge_agent.recovery import note_unsound, open_sound
from edge_agent.reserve import RESERVE_BYTES, Reserve
from edge_agent.row import RecordRefused, from_rows
from edge_agent.span_log import add_stretch, clock_spans, load_stretches, newest_stamp, prove_stretches
from edge_agent.store_file import (
    ASIDE,
    Identity,
    LaneState,
    StoreDamaged,
    StoreError,
    StoreFull,
    connect_reader,
    explained,
    load_identity,
    lock,
    peek_records,
    read_identity,
    read_lanes,
    reading,
    select_records,
)
from edge_agent.thinned import is_told, stretches
from edge_agent.writer import Ack, Append, Change, Writer
from protocols.record import Event, Lane, Record, Series
from protocols.sync import ClockSpan

__all__ = [
    "Identity",
    "LaneState",
    "Peek",
    "RecordRefused",
    "Store",
    "StoreDamaged",
    "StoreError",
    "StoreFull",
    "peek_records",
    "read_identity",
    "read_lanes",
]

log = logging.getLogger("edge.store")

GROUP_WINDOW_S = 0.1
_LEAST_FREE_BYTES = 256 * 1024
_ACK_RECORDS = 20_000
_WAITING = """
SELECT count(*) FROM record
WHERE lane = ?1 AND seq > ?2 AND seq < ?3 AND seq NOT IN (SELECT seq FROM quarantine WHERE lane = ?1)
"""
PEEK_BYTES = 1024 * 1024  # of raw bytes and events; keeps any batch far below its limit


class Peek(NamedTuple):
    """Records in sequence, those that follow ``first_seq`` - 1.

    Shape: ``seqs`` are their numbers; it is empty where they follow each other from ``first_seq``.
    """

    first_seq: int
    records: tuple[Record, ...]
    clocks: tuple[ClockSpan, ...] = ()
    seqs: tuple[int, ...] = ()

    def numbered(self) -> Iterator[tuple[int, Record]]:
        """Give each record with its number."""
        seqs = self.seqs or range(self.first_seq, self.first_seq + len(self.records))
        return zip(seqs, self.records, strict=True)


class Store:
    """One gateway's store; make it with ``await Store.open(...)``, close it or use ``async with``.

    Shape: ``wakeup`` is set after every append, for the one task that sends; ``damaged`` when the file turns
    out to be: closed and opened again, the store is then salvaged.
    """

    def __init__(
        self,
        path: Path,
        identity: Identity,
        writer: Writer,
        descriptor: int,
        span: Span,
        look: Callable[[], Clocks],
        past: Sequence[PastEpoch] = (),
    ) -> None:
        self.path = path
        self.edge_id = identity.edge_id
        self.epoch = identity.epoch
        self.wakeup = asyncio.Event()
        self.newest = Newest()
        self._writer = writer
        self._span, self._span_before = span, span
        self._look = look
        self._past = past
        self.damaged = asyncio.Event()
        self._lock = descriptor
        self._reader: sqlite3.Connection | None = None
        self._reading = ThreadPoolExecutor(1, "store-reader")

    @classmethod
    async def open(
        cls,
        path: Path,
        edge_id: str,
        *,
        window_s: float = GROUP_WINDOW_S,
        reserve_bytes: int = RESERVE_BYTES,
        look: Callable[[], Clocks] = look_at_clocks,
    ) -> Self:
        """Open the gateway's store, or make it.

        Units: ``window_s`` is how long a reading may wait for others to share its commit;
        ``reserve_bytes`` is the disk space kept for alarms and Acks when all else is full.
        Raises: StoreError.
        """
        try:
            return await asyncio.to_thread(cls._open, path, edge_id, window_s, reserve_bytes, look)
        except StoreDamaged:  # found behind the first look; that is noted, so this time it is salvaged
            return await asyncio.to_thread(cls._open, path, edge_id, window_s, reserve_bytes, look)

    @classmethod
    def _open(cls, path: Path, edge_id: str, window_s: float, reserve_bytes: int, look: Callable[[], Clocks]) -> Self:
        descriptor = lock(path)
        try:
            reserve = Reserve(path.with_name(path.name + ".reserve"), reserve_bytes)
            if shutil.disk_usage(path.parent).free < _LEAST_FREE_BYTES:
                reserve.release()  # a file that is opened needs some room too
            connection = open_sound(path, edge_id, look()[1])
            reserve.hold()
            writer = Writer(path, edge_id, connection, reserve, window_s)
            identity, past = load_identity(connection), load_past(connection)
            known = load_stretches(connection)
            before = known[-1].span if known else None
            span = first_span(*look(), newest_stamp(connection, known), before)
        except sqlite3.Error as error:
            os.close(descriptor)
            fault = explained(path, error)
            if isinstance(fault, StoreDamaged):
                note_unsound(path, str(error))
            raise fault from None
        except BaseException:
            os.close(descriptor)
            raise
        writer.start()
        if span != before:
            writer.submit(Change(partial(add_stretch, span)))
        return cls(path, identity, writer, descriptor, span, look, past)

    async def append(
        self, lane: Lane, records: Sequence[Record], notes: Mapping[tuple[str, str], str] = MappingProxyType({})
    ) -> int:
        """Store records at the end of a lane and give the last one's number.

        Shape: ``notes`` by (device, point) are kept in the same commit.

        It returns after the durable commit: what it has returned for survives a power cut.
        Readings share commits; safety and control records are committed at once.

        Raises: RecordRefused, StoreFull, StoreError: then none of these records is stored.
        """
        request = Append(lane, self._on_time(records), notes=notes)
        self._writer.submit(request)
        try:
            with self._noting_damage():
                last = await asyncio.wrap_future(request.done)
            self.newest.note(request.records)
            return last
        finally:  # a caller that was cancelled may have stored its records all the same
            self.wakeup.set()

    async def peek(self, lane: Lane, after_seq: int, limit: int) -> Peek:
        """Read pending records after a number, contiguous, at most ``limit``, fewer if they are big.

        Raises: StoreError.
        """
        with self._noting_damage():
            return await asyncio.get_running_loop().run_in_executor(self._reading, self._peek, lane, after_seq, limit)

    async def ack(self, lane: Lane, seq: int, chain: str = "") -> None:
        """Delete a lane's records up to a number, which the centre now has. An old number changes nothing.

        Shape: ``chain`` is the digest of the batch that ends there, for the next one to name.

        Raises: StoreError for a number that was never given out, or when the disk fails.
        """
        state = self._writer.lanes[lane]
        # A delete of a whole backlog would keep alarms waiting, and need more room than is reserved.
        slices = range(state.acked_seq + _ACK_RECORDS, seq, _ACK_RECORDS) if seq < state.next_seq else ()
        for part in (*slices, seq):
            request = Ack(lane, part, chain if part == seq else "")
            self._writer.submit(request)
            with self._noting_damage():
                await asyncio.wrap_future(request.done)

    async def notes(self) -> dict[tuple[str, str], str]:
        """Read every note.

        Raises: StoreError.
        """
        return await asyncio.get_running_loop().run_in_executor(self._reading, self._read_notes)

    def _on_time(self, records: Sequence[Record]) -> tuple[Record, ...]:
        """See whether the wall clock has jumped, before records are stored that it has stamped."""
        mono_ms = self._notice_jump()
        if self._span_before is self._span:
            return tuple(records)
        return tuple(restamped(record, self._span_before, self._span, mono_ms) for record in records)

    def _notice_jump(self) -> int:
        """Begin a span where the wall clock has jumped; gives the monotonic clock."""
        _, wall_ms, mono_ms = self._look()
        span = next_span(self._span, wall_ms, mono_ms)
        if span is not None:
            self._writer.submit(Change(partial(add_stretch, span)))
            self._span_before, self._span = self._span, span
        return mono_ms

    @property
    def clock(self) -> Span:
        """Give what is known of the clock at present."""
        return self._span

    async def prove_clock(self, centre_ahead_ms: int) -> None:
        """Take in how far the centre's clock is ahead of ours as it is now.

        Raises: StoreError.
        """
        self._notice_jump()  # the clock may have been set since something was stored: this is not said of the one before
        span = proved(self._span, centre_ahead_ms)
        if self._span.is_proved and span.shift_ms == self._span.shift_ms:
            return
        if self._span_before is self._span:
            self._span_before = span
        self._span = span
        request = Change(partial(prove_stretches, span))
        self._writer.submit(request)
        await asyncio.wrap_future(request.done)

    async def change(self, apply: Callable[[sqlite3.Connection, dict[Lane, LaneState]], None]) -> None:
        """Keep something else in the file; it may be applied again where a commit has failed, and then counts once.

        Raises: StoreError.
        """
        request = Change(apply)
        self._writer.submit(request)
        with self._noting_damage():
            await asyncio.wrap_future(request.done)

    async def set_aside(self, lane: Lane, seq: int, reason: str, now_ms: int) -> None:
        """Take a record out of what is sent; it is kept with the reason, and a tombstone tells of it.

        Raises: StoreError.
        """
        await self.change(partial(set_aside, lane, seq, reason, now_ms))

    async def put_back(self, only: int | None = None) -> None:
        """Have what was set aside sent again, all of it or one record, as new records of their lanes.

        Raises: StoreError.
        """
        await self.change(partial(put_back, only))
        self.wakeup.set()

    def numbers(self) -> Mapping[Series, int]:
        """Give the numbers of all series that the store has met."""
        return self._writer.series()

    async def incidents(self) -> list[Incident]:
        """Read what has befallen the store, oldest first.

        Raises: StoreError.
        """
        return await asyncio.get_running_loop().run_in_executor(self._reading, read_incidents, self.path)

    async def tell_incidents(self) -> None:
        """Note that all that has befallen the store so far is told.

        Raises: StoreError.
        """
        request = Change(mark_told)
        self._writer.submit(request)
        await asyncio.wrap_future(request.done)

    def leg(self) -> Leg:
        """Say which epoch is being sent: what an older one has left goes before all of the present one."""
        return current_leg(self._past, self.epoch, self._writer.lanes)

    async def forsake(self, leg: Leg, reason: str, now_ms: int) -> None:
        """Give up what a past epoch has left, for the centre takes none of it; it is kept in a copy of the store.

        Raises: StoreError.
        """
        lanes = leg.lanes(self.lanes())
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._reading, self._keep_copy, f"{leg.epoch:016x}")
        lost = await loop.run_in_executor(self._reading, self._count_sent_later, lanes)
        for lane, state in lanes.items():
            if lost[lane]:
                body = {"lane": int(lane), "from_seq": state.acked_seq + 1, "to_seq": state.next_seq - 1}
                more = {"reason": reason[:500], "lost": lost[lane], "epoch": f"{leg.epoch:016x}"}
                stone = Event("tombstone", f"lane:{lane.word}", now_ms, {**body, **more})
                await self.append(Lane.CONTROL, (stone,))
        for lane, state in lanes.items():
            await self.ack(lane, state.next_seq - 1)

    def _count_sent_later(self, lanes: Mapping[Lane, LaneState]) -> dict[Lane, int]:
        """Count what waits to be sent: no tombstone tells of it yet."""
        with reading(self.path) as connection:
            return {
                lane: connection.execute(_WAITING, (int(lane), state.acked_seq, state.next_seq)).fetchone()[0]
                for lane, state in lanes.items()
            }

    def _keep_copy(self, epoch: str) -> None:
        copy = self.path.with_name(f"{self.path.name}.refused-{epoch}")
        try:
            copy.unlink(missing_ok=True)
            with contextlib.closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
                connection.execute("VACUUM INTO ?", (str(copy),))
        except (sqlite3.Error, OSError) as error:  # alarms wait behind this: they are worth more than the copy
            log.error("what is given up cannot be kept in %s: %s", copy, error)

    @contextlib.contextmanager
    def _noting_damage(self) -> Iterator[None]:
        try:
            yield
        except StoreDamaged as error:
            note_unsound(self.path, str(error).removesuffix(ASIDE).strip())
            self.damaged.set()
            raise

    def lanes(self) -> dict[Lane, LaneState]:
        """Give how far each lane is, from memory."""
        return dict(self._writer.lanes)

    async def close(self) -> None:
        """Commit what waits, then close the file; calling it again does nothing."""
        await asyncio.to_thread(self._close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _close(self) -> None:
        self._reading.shutdown()
        self._drop_reader()
        self._writer.stop()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _peek(self, lane: Lane, after_seq: int, limit: int) -> Peek:
        end = self._writer.lanes[lane].next_seq  # beyond it may be what a failed commit left
        try:
            if self._reader is None:
                self._reader = connect_reader(self.path)
            self._reader.execute("BEGIN")  # one view: an Ack may be deleting records meanwhile
            unsent = hidden(self._reader, lane, after_seq)
            told = stretches(self._reader, lane, after_seq)
            rows = select_records(self._reader, lane, after_seq, limit + len(unsent))
            spans = load_stretches(self._reader)
            acked = self._reader.execute("SELECT acked_seq FROM lane WHERE lane = ?", (int(lane),)).fetchone()[0]
            self._reader.execute("COMMIT")
        except sqlite3.Error as error:
            self._drop_reader()
            raise explained(self.path, error) from None
        if not rows or rows[0][0] >= end:
            return Peek(after_seq + 1, ())
        rows = [row for row in rows if row[0] < end]
        sparse_until = max((part.last[lane] for part in self._past), default=0)
        before = max(after_seq, acked)
        first_seq, size = before + 1, 0
        for position, row in enumerate(rows):
            if row[0] != before + 1 and row[0] > sparse_until and not is_told(told, before + 1, row[0] - 1):
                raise StoreDamaged(f"{self.path}: record {before + 1} of the {lane.word} lane is missing. {ASIDE}")
            before = row[0]
            size += 2 * len(row[8] or b"") + 4 * len(row[9] or "")
            if size > PEEK_BYTES and position:
                rows = rows[:position]
                break
        rows = [row for row in rows if row[0] not in unsent][:limit]
        if not rows:
            return Peek(first_seq, ())
        seqs = tuple(row[0] for row in rows)
        is_run = seqs[-1] - first_seq + 1 == len(seqs)
        return Peek(first_seq, from_rows(rows), clock_spans(spans, lane, first_seq, seqs[-1]), () if is_run else seqs)

    async def used_bytes(self) -> int:
        """Say how much the store takes up, what is free inside the file left out.

        Raises: StoreError.
        """
        return await asyncio.get_running_loop().run_in_executor(self._reading, self._used_bytes)

    def refuse_telemetry(self, *, is_refused: bool) -> None:
        """Take no telemetry for now, or take it again; it goes first where the quota is reached."""
        self._writer.refuses_telemetry = is_refused

    def _used_bytes(self) -> int:
        try:
            if self._reader is None:
                self._reader = connect_reader(self.path)
            pages, free, size = (
                self._reader.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
        except sqlite3.Error as error:
            self._drop_reader()
            raise explained(self.path, error) from None
        return int((pages - free) * size)

    def _read_notes(self) -> dict[tuple[str, str], str]:
        try:
            if self._reader is None:
                self._reader = connect_reader(self.path)
            rows = self._reader.execute("SELECT device, point, state FROM note").fetchall()
        except sqlite3.Error as error:
            self._drop_reader()
            raise explained(self.path, error) from None
        return {(device, point): state for device, point, state in rows}

    def _drop_reader(self) -> None:
        if self._reader is not None:
            with contextlib.suppress(sqlite3.Error):
                self._reader.close()
            self._reader = None
