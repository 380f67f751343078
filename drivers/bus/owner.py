"""The one task that owns a physical line.

    DOWN  --opened-->            UP
    UP    --port or link lost--> DOWN, opened again after a pause that doubles

Everybody else hands exchanges to it. Commands go before polls; an exchange under way is
not broken off, because on a half-duplex line its answer would collide with the next one.
"""

import asyncio
import contextlib
import heapq
import itertools
from abc import ABC, abstractmethod
from collections.abc import Container, Iterator, Sequence
from enum import Enum
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from drivers.bus.exchange import Answer, Clock, Exchange, ModbusWrite, Priority, utc_now
from drivers.bus.tap import Tap
from drivers.bus.traffic import RoundTrips, Traffic
from drivers.errors import BusDown, DriverError

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 5.0


class BusState(Enum):
    UP = "up"
    DOWN = "down"


class Reply(Protocol):
    """Where an answer is put: a future, or a place among several."""

    def done(self) -> bool: ...

    def set_result(self, result: Answer, /) -> None: ...

    def set_exception(self, exception: BaseException, /) -> None: ...


class Job(NamedTuple):
    """An exchange and its turn; compared by priority and turn, which no two share."""

    priority: Priority
    turn: int
    exchange: Exchange
    answer: Reply


class _Together:
    """The answers of several exchanges; ``future`` is set when each is answered or has failed."""

    def __init__(self, count: int) -> None:
        self.future: asyncio.Future[list[Answer | None]] = asyncio.get_running_loop().create_future()
        self._answers: list[Answer | None] = [None] * count
        self._left = count

    def settle(self, place: int, answer: Answer | None) -> None:
        self._answers[place] = answer
        self._left -= 1
        if self._left == 0 and not self.future.done():
            self.future.set_result(self._answers)


class _Place:
    """One exchange's place among several."""

    __slots__ = ("_is_settled", "_number", "_together")

    def __init__(self, together: _Together, number: int) -> None:
        self._together = together
        self._number = number
        self._is_settled = False

    def done(self) -> bool:
        return self._is_settled or self._together.future.done()

    def set_result(self, answer: Answer) -> None:
        self._is_settled = True
        self._together.settle(self._number, answer)

    def set_exception(self, error: BaseException) -> None:
        self._is_settled = True
        self._together.settle(self._number, None)


class Bus(ABC):
    """A line with one owner: ``async with bus`` for a short use, or ``run()`` in a TaskGroup.

    Shape: ``speaks`` names the protocols of profiles whose devices can stand on it.
    """

    kind: str
    speaks: frozenset[str]
    window = 1  # how many reads may be under way at once

    def __init__(self, bus_id: str, *, clock: Clock = utc_now, first_pause_s: float = FIRST_PAUSE_S) -> None:
        self.id = bus_id
        self.clock = clock
        self._first_pause_s = first_pause_s
        self._state = BusState.DOWN
        self._error: str | None = None
        self._has_tried = False
        self._jobs: list[Job] = []
        self._turns = itertools.count()
        self._wake = asyncio.Event()
        self._permits: dict[tuple[int, int, int], Container[int]] = {}
        self._traffic = Traffic(asyncio.get_running_loop().time())
        self._group: asyncio.TaskGroup | None = None
        self._owner: asyncio.Task[None] | None = None
        self.tap = Tap()
        self._is_working = False

    @property
    def state(self) -> BusState:
        return self._state

    @property
    def error(self) -> str | None:
        """Why the bus is down, None while it is up."""
        return self._error

    @property
    def utilisation(self) -> float:
        """The share of the last minute in which the line was busy, 0 to 1."""
        return self._traffic.utilisation(self._now())

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way and nobody waits."""
        return not self._is_working and not self._jobs

    @property
    def round_trips(self) -> RoundTrips:
        return self._traffic.round_trips()

    def permit(self, device_id: int, function: int, address: int, values: Container[int]) -> None:
        """Let one address of one device be written, with these values; nothing else ever goes out as a write."""
        self._permits[device_id, function, address] = values

    @contextlib.contextmanager
    def without_permits(self) -> Iterator[None]:
        """Take back every permit that is given inside: for drivers that only try whether a profile fits."""
        before = dict(self._permits)
        try:
            yield
        finally:
            self._permits = before

    async def execute(self, exchange: Exchange, priority: Priority = Priority.POLL) -> Answer:
        """Have one exchange carried out in its turn.

        Raises: BusDown at once while the line is down; DeviceOffline, DeviceBusy, DeviceRefused;
        DriverError for a write that was not permitted.
        """
        if isinstance(exchange, ModbusWrite):
            self._check_permit(exchange)
        if self._has_tried and self._state is BusState.DOWN:
            raise BusDown(self._error or f"The bus '{self.id}' is down.")
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._jobs, Job(priority, next(self._turns), exchange, answer))
        self._wake.set()
        return await answer

    async def read_all(self, reads: Sequence[Exchange], priority: Priority = Priority.POLL) -> list[Answer | None]:
        """Have several reads carried out, as many of them under way at once as the line takes (``window``).

        Shape: an answer each, None for a read that failed: asked for alone it says why.
        """
        if self._has_tried and self._state is BusState.DOWN:
            return [None] * len(reads)
        together = _Together(len(reads))
        for number, read in enumerate(reads):
            heapq.heappush(self._jobs, Job(priority, next(self._turns), read, _Place(together, number)))
        self._wake.set()
        return await together.future

    async def run(self) -> None:
        """Own the line until cancelled; opens it again whenever it is lost."""
        pause = self._first_pause_s
        try:
            while True:
                try:
                    await self._open()
                    self._turn(BusState.UP, None)
                    pause = self._first_pause_s
                    await self._serve()
                except BusDown as error:
                    self._turn(BusState.DOWN, error.reason)
                finally:
                    await self._close()
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)
        finally:
            self._turn(BusState.DOWN, f"The bus '{self.id}' is stopped.")

    async def __aenter__(self) -> Self:
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()
        self._owner = self._group.create_task(self.run(), name=f"bus {self.id}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._group is not None
        assert self._owner is not None
        self._owner.cancel()
        # The user's own error goes on as it is, not wrapped in a group; a cancellation is the group's to settle.
        is_cancelled = kind is not None and issubclass(kind, asyncio.CancelledError)
        await self._group.__aexit__(*((kind, error, trace) if is_cancelled else (None, None, None)))

    async def _serve(self) -> None:
        while True:
            self._check()
            job, hold_s = self._next()
            if job is not None:
                self._is_working = True
                try:
                    await self._work(job)
                finally:
                    self._is_working = False
            elif hold_s is not None:
                await self._rest(hold_s)
            else:
                self._wake.clear()
                await self._wake.wait()

    def _next(self) -> tuple[Job | None, float | None]:
        """Take the first job that may go now; else say for how long the first is held."""
        held: list[Job] = []
        hold_s: float | None = None
        found: Job | None = None
        while self._jobs and found is None:
            job = heapq.heappop(self._jobs)
            wait_s = 0.0 if job.answer.done() else self._hold_s(job.exchange)
            if wait_s <= 0:
                found = job
            else:
                held.append(job)
                hold_s = wait_s if hold_s is None else min(hold_s, wait_s)
        for job in held:
            heapq.heappush(self._jobs, job)
        return found, hold_s

    def _hold_s(self, exchange: Exchange) -> float:
        """Say for how long an exchange may not be carried out yet, while others go."""
        return 0.0

    async def _rest(self, seconds: float) -> None:
        """Pass some time in which every job is held."""
        self._wake.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _work(self, job: Job) -> None:
        if job.answer.done():
            return  # whoever asked has gone
        start = self._now()
        try:
            payload = await self._exchange(job.exchange)
        except DriverError as error:
            self._traffic.failed(start, self._now())
            if not job.answer.done():
                job.answer.set_exception(error)
            if isinstance(error, BusDown):
                raise
            return
        except asyncio.CancelledError:
            # Not a cancellation of whoever asked: that task may go on.
            if not job.answer.done():
                job.answer.set_exception(BusDown(f"The bus '{self.id}' is stopped."))
            raise
        except Exception as error:  # noqa: BLE001 - a fault in one exchange must not take the line from all the others
            self._traffic.failed(start, self._now())
            if not job.answer.done():
                job.answer.set_exception(error)
            return
        end = self._now()
        self._traffic.answered(start, end)
        if not job.answer.done():
            job.answer.set_result(Answer(payload, self.clock(), end - start))

    def _check_permit(self, write: ModbusWrite) -> None:
        if write.value not in self._permits.get((write.device_id, write.function, write.address), ()):
            raise DriverError(
                f"A write of {write.value} to address {write.address} of unit {write.device_id} (function "
                f"{write.function}) is not permitted: its profile does not list it."
            )

    def _turn(self, state: BusState, error: str | None) -> None:
        self._state, self._error, self._has_tried = state, error, True
        if state is BusState.UP:
            return
        jobs, self._jobs = self._jobs, []
        for job in jobs:
            if not job.answer.done():
                job.answer.set_exception(BusDown(error or f"The bus '{self.id}' is down."))

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    @abstractmethod
    async def _open(self) -> None:
        """Open the line.

        Raises: BusDown with a sentence and its remedy.
        """

    @abstractmethod
    async def _close(self) -> None:
        """Let go of the line, whatever state it is in."""

    @abstractmethod
    async def _exchange(self, exchange: Exchange) -> bytes:
        """Carry out one exchange and give the answer's payload.

        Raises: DriverError.
        """

    @abstractmethod
    def _check(self) -> None:
        """Notice a line that was lost while nothing was asked; what loses it calls ``_wake.set``.

        Raises: BusDown.
        """
