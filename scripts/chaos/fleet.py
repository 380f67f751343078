"""Have hundreds of gateways come back at once after an outage, and see how the centre bears it.

The centre is the real ``central run``, the sockets and the signed batches are real, and what each gateway does next
(pauses, back-off, sizes) is decided by the product's own ``edge_agent.sync``. Only stores and devices are simulated.

    calm      all gateways are connected and send
    outage    the centre is killed; the gateways store on and try again
    storm     the centre is back, until every backlog is empty
    after     all send as before; now answers have to be quick again
"""

import argparse
import asyncio
import random
import signal
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp

from edge_agent.answer import Answer, Unreachable, read_batch_answer, read_live_answer, read_status_answer
from edge_agent.store_file import LaneState
from edge_agent.sync import Policy, Rest, SendBatch, SendLive, SendStatus, Uplink
from protocols.snapshot import LANE_HEADER, PATH_LIVE, encode_snapshot
from protocols.sync import PATH_BATCHES, PATH_STATUS, Lane, batch_digest
from scripts.chaos.nursery import Nursery, nursery_of, when
from scripts.chaos.rig import Centre, Sender, conclude, expansion_faults, p99, told_by

_DEEPEST_S = 60.0  # from the start of a storm; no refusal after it
_QUICK_S = 2.0
_TIMEOUT_S = 30.0
_REST_S = 1.0
_NEW = {Lane.SAFETY: 1, Lane.BILLING: 5, Lane.TELEMETRY: 60}  # records at a time


class Said(NamedTuple):
    """One answer. Units: steady seconds."""

    at: float
    took_s: float
    status: int
    has_retry_after: bool


@dataclass(slots=True)
class Fleet:
    """What all gateways share: where the centre is, and what it has said."""

    url: str
    every_s: float
    said: list[Said] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)


class Gateway:
    """A gateway whose store is its counts; record n of a lane is always the same."""

    def __init__(self, fleet: Fleet, sender: Sender, seed: int) -> None:
        self._fleet, self._sender = fleet, sender
        self._chance = random.Random(seed)
        self._core = Uplink(Policy(), self._chance.random)
        self.lanes = {lane: LaneState(1, 0, 0, None) for lane in Lane}
        self.accepted = 0
        devices = [{"id": f"{sender.edge_id}-em-{number}", "state": "online"} for number in range(5)]
        self._status = {"edge_id": sender.edge_id, "devices": devices}

    async def store(self) -> None:
        await asyncio.sleep(self._chance.random() * self._fleet.every_s)
        while True:
            for lane, count in _NEW.items():
                state = self.lanes[lane]
                at = state.oldest_at or time.time_ns() // 1_000_000
                self.lanes[lane] = state._replace(
                    next_seq=state.next_seq + count, pending=state.pending + count, oldest_at=at
                )
                self.accepted += count
            await asyncio.sleep(self._fleet.every_s)

    async def send(self) -> None:
        connector = aiohttp.TCPConnector(limit=1)
        async with aiohttp.ClientSession(
            self._fleet.url,
            connector=connector,
            headers=self._sender.headers,
            timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S, sock_connect=5),
        ) as session:
            while True:
                await self._step(session)

    async def _step(self, session: aiohttp.ClientSession) -> None:
        for lane, seq, chain in self._core.unsettled(self.lanes):
            state = self.lanes[lane]
            pending = state.next_seq - 1 - seq
            self.lanes[lane] = LaneState(state.next_seq, seq, pending, state.oldest_at if pending else None, chain)
        match self._core.next(self.lanes, time.monotonic()):
            case SendBatch(lane, after, limit, prev):
                state = self.lanes[lane]
                count = min(limit, state.next_seq - 1 - after)
                body = self._sender.cut(lane, after + 1, count, prev)
                headers = {LANE_HEADER: str(int(lane))}
                answer = await self._post(session, PATH_BATCHES, read_batch_answer, data=body, headers=headers)
                digest, now = batch_digest(body), time.monotonic()
                self._core.batch_answered(after + 1, after + count, lane, state, answer, now, digest)
            case SendStatus():
                answer = await self._post(session, PATH_STATUS, read_status_answer, json=self._status)
                self._core.status_answered(answer, time.monotonic())
            case SendLive():
                body = encode_snapshot(self._sender.newest(self.lanes[Lane.TELEMETRY].next_seq - 1))
                answer = await self._post(session, PATH_LIVE, read_live_answer, data=body)
                self._core.live_answered(answer, time.monotonic())
            case Rest(seconds):
                await asyncio.sleep(min(seconds, _REST_S))
            case _:
                raise AssertionError("the centre has refused a record of its own gateway for good")

    async def _post(self, session: aiohttp.ClientSession, path: str, read: Any, **body: Any) -> Answer:
        began = time.monotonic()
        try:
            async with session.post(path, **body) as response:
                content = await response.read()
                now = time.monotonic()
                if response.status not in (200, 503):
                    self._fleet.strange.append(
                        f"{path}: HTTP {response.status} {content[:200].decode(errors='replace')}"
                    )
                retry_after = response.headers.get("Retry-After")
                self._fleet.said.append(Said(now, now - began, response.status, retry_after is not None))
                found: Answer = read(response.status, retry_after, content)
                return found
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return Unreachable(str(error))

    @property
    def pending(self) -> int:
        return sum(state.pending for state in self.lanes.values())


async def _campaign(folder: Path, nursery: Nursery, options: argparse.Namespace) -> dict[str, Any]:
    edge_ids = [f"gw-{number}" for number in range(1, options.gateways + 1)]
    centre = Centre(folder / "centre", nursery)
    secrets = await centre.make(edge_ids)
    centre.start()
    await asyncio.to_thread(centre.wait_ready)
    fleet = Fleet(centre.url, options.every)
    gateways = [Gateway(fleet, Sender(each, secrets[each]), options.seed + at) for at, each in enumerate(edge_ids)]
    tasks = [asyncio.create_task(work) for each in gateways for work in (each.store(), each.send())]
    assert centre.process is not None
    await asyncio.sleep(options.calm)
    await asyncio.to_thread(centre.process.end)
    await asyncio.sleep(options.outage)
    waiting = sum(each.pending for each in gateways)
    centre.start()
    await asyncio.to_thread(centre.wait_ready)
    began = time.monotonic()
    owed = [{lane: state.next_seq - 1 for lane, state in each.lanes.items()} for each in gateways]
    await when(lambda: _is_paid(gateways, owed) or time.monotonic() - began > 2 * _DEEPEST_S)
    over = time.monotonic()
    await asyncio.sleep(options.after)
    rss = centre.rss_mib()
    for task in tasks[::2]:
        task.cancel()
    with suppress(TimeoutError):
        async with asyncio.timeout(60):
            await when(lambda: not any(each.pending for each in gateways))
    for task in tasks:
        task.cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    faults = [f"a gateway's fault: {end!r}" for end in ends if isinstance(end, Exception)]
    await asyncio.to_thread(centre.wait_expanded)
    await asyncio.to_thread(centre.process.end, signal.SIGTERM)
    storm = [said for said in fleet.said if began <= said.at <= over]
    after = [said for said in fleet.said if said.at > over]
    faults += _judge(fleet.said, after, began) + fleet.strange[:3]
    for edge_id, gateway in zip(edge_ids, gateways, strict=True):
        for lane, told in told_by(centre.path, edge_id).items():
            if told != list(range(1, gateway.lanes[lane].next_seq)):
                faults.append(f"{edge_id}: {lane.word} holds {len(told)} of {gateway.lanes[lane].next_seq - 1}")
    return {
        "requests": len(fleet.said),
        "failed": faults + expansion_faults(centre.path) + centre.verify(),
        "accepted": sum(each.accepted for each in gateways),
        "faults": {"outage_s": options.outage, "waiting_records": waiting},
        "answers": {
            str(status): count for status, count in sorted(Counter(each.status for each in fleet.said).items())
        },
        "storm_s": round(over - began, 1),
        "storm_p99_s": p99([each.took_s for each in storm]),
        "after_p99_s": p99([each.took_s for each in after]),
        "centre_rss_mib": rss,
    }


def _is_paid(gateways: list[Gateway], owed: list[dict[Lane, int]]) -> bool:
    return all(
        gateway.lanes[lane].acked_seq >= seq
        for gateway, lanes in zip(gateways, owed, strict=True)
        for lane, seq in lanes.items()
    )


def _judge(said: list[Said], after: list[Said], began: float) -> list[str]:
    found = []
    if strange := {each.status for each in said} - {200, 503}:
        found.append(f"the centre has answered {sorted(strange)}")
    if rude := sum(each.status == 503 and not each.has_retry_after for each in said):
        found.append(f"{rude} times 503 came without Retry-After")
    if late := sum(each.status != 200 and each.at > began + _DEEPEST_S for each in said):
        found.append(f"{late} were still turned away {_DEEPEST_S:.0f} s after the outage")
    slow = p99([each.took_s for each in after])
    if slow is None or slow > _QUICK_S:
        found.append(f"after the storm 99 of 100 answers take up to {slow} s, {_QUICK_S:g} s are allowed")
    return found


def campaign(options: argparse.Namespace, nursery: Nursery | None = None) -> dict[str, Any]:
    """Have them come back; give what came of it."""
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as name,
        nursery_of(nursery, "central_server.cli", "scripts.chaos.rig") as mother,
    ):
        found = asyncio.run(_campaign(Path(name), mother, options))
    return {**found, "gateways": options.gateways, "seconds": round(time.monotonic() - started, 1)}


def options_of(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gateways", type=int, default=500, help="how many (default: 500)")
    parser.add_argument("--every", type=float, default=15.0, help="seconds from reading to reading (default: 15)")
    parser.add_argument("--calm", type=float, default=20.0, help="seconds before the outage (default: 20)")
    parser.add_argument("--outage", type=float, default=60.0, help="seconds without a centre (default: 60)")
    parser.add_argument("--after", type=float, default=30.0, help="seconds after the storm (default: 30)")
    parser.add_argument("--seed", type=int, default=1, help="what is drawn at random (default: 1)")
    parser.add_argument("--json", action="store_true", help="print the last line only, which is JSON anyway")
    return parser.parse_args(words)


def main() -> None:
    conclude(campaign(options_of()))


if __name__ == "__main__":
    main()
