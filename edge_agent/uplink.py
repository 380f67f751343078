"""The uplink on a real network: one connection, one thing in flight, decisions by ``sync.Uplink``."""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

from edge_agent.answer import (
    Acked,
    Answer,
    Broken,
    Gap,
    Heard,
    TooLarge,
    Unreachable,
    read_batch_answer,
    read_live_answer,
    read_status_answer,
)
from edge_agent.clock import TOLERANCE_MS
from edge_agent.credential import Credential, UplinkError
from edge_agent.http_link import HttpTransport
from edge_agent.identity import Signer
from edge_agent.outbox import Outbox
from edge_agent.rules import DeltaRefused, RuleKeeper, RulesRefused
from edge_agent.store import Store, StoreError
from edge_agent.sync import Link as LinkState
from edge_agent.sync import Policy, Rest, SendBatch, SendLive, SendStatus, SetAside, Uplink
from edge_agent.transport import Link, Overlong, Silence, Transport
from protocols.access import MAX_RULES_BYTES
from protocols.snapshot import MAX_SNAPSHOT_VALUES, PATH_LIVE, encode_snapshot
from protocols.sync import (
    MAX_BATCH_BYTES,
    PATH_BATCHES,
    PATH_STATUS,
    Batch,
    Dictionary,
    Lane,
    batch_digest,
    encode_batch,
)

_log = logging.getLogger(__name__)

TIMEOUT_S = 30.0
_LONGEST_REST_S = 5.0
_LOOKS = 12
_RULES_AGAIN_S = 60.0  # rules that were refused will be refused again


class UplinkState(NamedTuple):
    """The link as ``edge status`` shows it. Units: ``last_ack_at`` is milliseconds UTC."""

    state: str
    last_ack_at: int | None
    retry_in_s: float | None
    error: str | None

    def as_json(self) -> dict[str, Any]:
        at = None if self.last_ack_at is None else _iso(self.last_ack_at)
        retry = None if self.retry_in_s is None else round(self.retry_in_s, 1)
        return {"state": self.state, "last_ack_at": at, "retry_in_s": retry, "error": self.error}


class Offers(Protocol):
    """Takes settings that the centre offers."""

    @property
    def centre(self) -> int | None:
        """The highest number taken; None where none can be."""

    async def offered(self, told: Any) -> None: ...


class UplinkClient:
    """Sends one store's records and the gateway's status; ``run`` it in a task.

    Shape: ``status`` gives the status JSON of the moment; ``clock_offset_ms`` is the centre's
    clock minus ours, None before it was heard. ``refused`` is told why access rules were not
    taken, and None when they were. ``transport`` takes the place of HTTP to ``url``.
    """

    def __init__(
        self,
        url: str,
        credential: Credential,
        store: Store,
        status: Callable[[], Mapping[str, Any]],
        signer: Signer,
        *,
        policy: Policy | None = None,
        timeout_s: float = TIMEOUT_S,
        transport: Transport | None = None,
        rules: RuleKeeper | None = None,
        refused: Callable[[str | None], Awaitable[None]] | None = None,
        configs: Offers | None = None,
    ) -> None:
        """Prepare the link. Raises: UplinkError for an address on another machine."""
        self._transport = transport or HttpTransport(url, credential, signer.public, timeout_s)
        self._signer = signer
        self._store = store
        self._outbox = Outbox(store)
        self._status = status
        self._rules = rules
        self._refused = refused
        self._configs = configs
        self._has_asked = False
        self._rules_again_at = 0.0
        self._core = Uplink(policy)
        self._said: tuple[LinkState, str | None] = (LinkState.STARTING, None)
        self.last_ack_at: int | None = None
        self.clock_offset_ms: int | None = None

    def state(self) -> UplinkState:
        """Give the link's state for the status."""
        core = self._core
        return UplinkState(core.link.value, self.last_ack_at, core.retry_in_s(time.monotonic()), core.error)

    def touch(self) -> None:
        """Have the status sent soon: something in it changed."""
        self._core.touch(time.monotonic())
        self._store.wakeup.set()

    def hurry(self) -> None:
        """Try at once what waits for a better moment: a person asks."""
        self._core.hurry(time.monotonic())
        self._store.wakeup.set()

    async def run(self) -> None:
        """Send until cancelled; a new certificate is shown on a new connection."""
        while True:
            generation = self._transport.generation()
            try:
                opened = self._transport.open()
            except UplinkError as error:
                self._core.shut(str(error), time.monotonic())
                self._report()
                await self._until_changed(generation)
                self._core.again()
                continue
            async with opened as link:
                await self._send_while(link, generation)

    async def _until_changed(self, generation: object) -> None:
        """Wait for another credential, but not for ever: the clock may have been the fault."""
        for _ in range(_LOOKS):
            await asyncio.sleep(_LONGEST_REST_S)
            if self._transport.generation() != generation:
                return

    async def _send_while(self, link: Link, generation: object) -> None:
        while self._transport.generation() == generation:
            try:
                await self._step(link)
                await self._transport.renew(link)
            except UplinkError as error:
                _log.warning("uplink: the certificate was not renewed: %s", error)
            except StoreError as error:
                _log.warning("uplink: %s", error)
                await asyncio.sleep(_LONGEST_REST_S)
            except Exception:  # noqa: BLE001 - the sync loop's boundary: a fault of ours must not end all sending
                _log.exception("uplink: a fault in this program")
                await asyncio.sleep(_LONGEST_REST_S)

    async def _step(self, link: Link) -> None:
        self._store.wakeup.clear()  # before the look at the lanes, so that nothing stored after it is missed
        await self._settle()
        action = self._core.next(self._outbox.lanes(), time.monotonic())
        match action:
            case SendBatch():
                await self._send_batch(link, action)
            case SendStatus():
                await self._send_status(link)
            case SendLive():
                await self._send_live(link)
            case SetAside(lane, seq, reason):
                _log.warning("uplink: record %d of the %s lane is set aside: %s", seq, lane.word, reason)
                await self._store.set_aside(lane, seq, reason, _now_ms())
                self._core.set_aside(lane, time.monotonic())
            case Rest(seconds):
                await self._rest(min(seconds, _LONGEST_REST_S))
        self._report()

    async def _settle(self) -> None:
        """Delete what the centre has; a full disk may refuse that for a while."""
        for lane, seq, chain in self._core.unsettled(self._store.lanes()):
            try:
                await self._store.ack(lane, seq, chain)
            except StoreError as error:
                _log.warning("uplink: acknowledged records stay for now: %s", error)

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._store.wakeup.wait()
        except TimeoutError:
            pass

    async def _send_batch(self, link: Link, action: SendBatch) -> None:
        lane, state = action.lane, self._outbox.lanes()[action.lane]
        batch = await self._outbox.batch(lane, action.after_seq, action.limit, action.prev)
        if batch is None:
            self._core.nothing_there(lane, state)
            return
        answer, digest = await self._deliver(link, batch, self._outbox.dictionary(action.names))
        self._note_heard(answer)
        if isinstance(answer, Acked):
            self.last_ack_at = _now_ms()
        state = self._outbox.lanes()[lane]
        answer = await self._outbox.heard(batch, answer, _now_ms())
        first, last = batch.first_seq, batch.last_seq
        if isinstance(answer, TooLarge | Broken):  # of what a batch covers, only what is there can be halved
            first = batch.seqs[0] if batch.seqs else first
            last = first + len(batch.records) - 1
        self._core.batch_answered(first, last, lane, state, answer, time.monotonic(), digest)

    async def _deliver(self, link: Link, batch: Batch, dictionary: Dictionary | None) -> tuple[Answer, str]:
        """Send a batch; give what was answered, and the digest under which the batch is known."""
        try:
            body = await asyncio.to_thread(encode_batch, batch, self._signer.sign, dictionary)
        except ValueError as error:
            return Broken(str(error)), ""
        if len(body) > MAX_BATCH_BYTES:
            return TooLarge(), ""
        answer = await self._post(link, PATH_BATCHES, read_batch_answer, body, batch.lane)
        return answer, batch_digest(body)

    async def _send_live(self, link: Link) -> None:
        """Show the newest values now; they are counted when their batch comes."""
        readings = self._store.newest.changed(MAX_SNAPSHOT_VALUES) if self._store.clock.is_proved else []
        answer: Answer = Heard(0)
        if readings:
            shift_ms = self._store.clock.shift_ms or 0
            shown = [reading._replace(taken_at=reading.taken_at + shift_ms) for reading in readings]
            answer = await self._post(link, PATH_LIVE, read_live_answer, encode_snapshot(shown))
            if isinstance(answer, Heard):
                self._store.newest.sent(readings)
        self._core.live_answered(answer, time.monotonic())

    async def _send_status(self, link: Link) -> None:
        sent_at = _now_ms()
        answer = await self._post(link, PATH_STATUS, read_status_answer, json.dumps(dict(self._status())).encode())
        self._note_heard(answer)
        if isinstance(answer, Heard):
            await self._note_time(answer.server_time, sent_at)
            await self._follow_rules(link, answer.rules_version)
            await self._follow_configs(link, answer.config_revision)
        elif isinstance(answer, Broken):
            _log.warning("uplink: the centre does not take the status: %s", answer.reason)
        self._core.status_answered(answer, time.monotonic())

    async def _note_time(self, server_time: int, sent_at: int) -> None:
        now = _now_ms()
        self.clock_offset_ms = server_time - (sent_at + now) // 2
        if 0 <= now - sent_at <= TOLERANCE_MS:  # of an answer that was long on its way nobody knows when it was given
            await self._store.prove_clock(self.clock_offset_ms)

    def _note_heard(self, answer: Answer) -> None:
        if self._rules is not None and isinstance(answer, Acked | Heard | Gap | TooLarge | Broken):
            self._rules.hear()

    async def _follow_rules(self, link: Link, version: int | None) -> None:
        """Fetch the access rules where the centre has others, and once after every start."""
        rules = self._rules
        if rules is None:
            return
        await rules.confirm(version)
        is_due = not self._has_asked or (version is not None and version != rules.version)
        if not is_due or time.monotonic() < self._rules_again_at:
            return
        self._rules_again_at = time.monotonic() + _RULES_AGAIN_S
        try:
            await self._take_rules(link, rules)
        except RulesRefused as error:
            await self._tell_refused(str(error))
            return
        except Silence as error:
            _log.warning("uplink: the access rules did not come: %s", error)
            self._rules_again_at = 0.0  # the next status finds out whether the centre is there
            return
        self._has_asked = True
        self._rules_again_at = 0.0  # the first rules of a site may come a moment after there were none
        if rules.version is not None:
            await self._tell_refused(None)

    async def _follow_configs(self, link: Link, newest: int | None) -> None:
        """Fetch the settings that the centre offers, where they have not come by the way down."""
        if self._configs is None or newest is None or self._configs.centre is None or newest <= self._configs.centre:
            return
        try:
            reply = await link.config()
        except Silence as error:
            _log.warning("uplink: the centre's settings did not come: %s", error)
            return
        if reply.status != 200:
            return
        try:
            offer = json.loads(reply.body)
        except (ValueError, RecursionError):
            _log.warning("uplink: the centre's settings did not come: %s", "not JSON")
            return
        await self._configs.offered(offer)

    async def _tell_refused(self, reason: str | None) -> None:
        if self._refused is not None:
            await self._refused(reason)

    async def _take_rules(self, link: Link, rules: RuleKeeper) -> None:
        """Fetch rules and put them in force; the whole of them where what has changed does not fit. Raises: as both."""
        body = await self._fetch_rules(link, await asyncio.to_thread(lambda: rules.have))
        if body is None:
            return
        try:
            await rules.take(body)
        except DeltaRefused as error:
            _log.warning("uplink: %s; the whole rules are asked for", error)
            if (body := await self._fetch_rules(link, None)) is not None:
                await rules.take(body)

    async def _fetch_rules(self, link: Link, have: str | None) -> bytes | None:
        """Get the rules; None where ours are the newest or there are none for this gateway.

        Raises: Silence; RulesRefused for an answer that is none of the contract's.
        """
        try:
            reply = await link.rules(have)
        except Overlong:
            raise RulesRefused(f"they are larger than {MAX_RULES_BYTES} bytes") from None
        if reply.status == 304 and self._rules is not None:
            await self._rules.confirm(self._rules.version)
        if reply.status in (204, 304, 404):  # an older centre has no such page
            return None
        if reply.status != 200:
            raise Silence(f"HTTP {reply.status}")
        return reply.body

    async def _post(
        self,
        link: Link,
        path: str,
        read: Callable[[int, str | None, bytes], Answer],
        body: bytes,
        lane: Lane | None = None,
    ) -> Answer:
        try:
            reply = await link.post(path, body, lane=lane)
        except Silence as error:
            return Unreachable(str(error))
        return read(reply.status, reply.retry_after, reply.body)

    def _report(self) -> None:
        """Log a change of the link once, not every try."""
        now = (self._core.link, self._core.error)
        if now == self._said:
            return
        self._said = now
        level = logging.INFO if now[0] is LinkState.ONLINE else logging.WARNING
        _log.log(level, "uplink: %s%s", now[0].value, f": {now[1]}" if now[1] else "")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
