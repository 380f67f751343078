"""Send through a network that fails in every way we know, and see that everything arrives once and nothing is believed.

Real uplinks with their stores speak TLS to a proxy that stands for the network, and it to the real centre. Of each
request it draws what becomes of it:

    half_open     it is swallowed, and the connection stays open without a word
    cut_up        the centre gets a part of it, then both ends are reset
    answer_lost   the centre has it, the gateway's connection is reset
    cut_down      the gateway gets a part of the answer
    slow_up       it trickles to the centre, longer than the gateway waits
    slow_down     the answer trickles
    doubled       the centre gets the same bytes twice, over two connections
    late          it is held back, comes to the centre later, and the gateway is told nothing
    replayed      an old request comes again before this one
    garbage       HTTP 200 with something else, or with a number that was never given out
    portal        a sign-in page, or the way to one

and of one connection in forty that another's certificate is shown.
"""

import argparse
import asyncio
import contextlib
import datetime as dt
import logging
import random
import signal
import socket
import ssl
import struct
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from central_server.sync.authority import load_authority, server_context
from edge_agent.credential import Secret
from edge_agent.identity import Signer, trusting
from edge_agent.store import Store
from edge_agent.sync import Link
from edge_agent.uplink import TIMEOUT_S, UplinkClient
from protocols.sync import Lane
from scripts.chaos.gateway import POLICY, Generator
from scripts.chaos.nursery import Nursery, nursery_of, when
from scripts.chaos.rig import Centre, Ledger, compare, conclude, expansion_faults, key_of, told_by

_MOST_PENDING = 500
_CALM_S = 120
_NOTICED = {"half_open", "slow_up", "slow_down"}  # of these the network sees when the gateway gives up
_WAIT_S = 1.0  # how long these gateways wait for an answer; the product's own time is tried once
_CHANCES = {
    "half_open": 0.01,
    "cut_up": 0.04,
    "answer_lost": 0.04,
    "cut_down": 0.03,
    "slow_up": 0.01,
    "slow_down": 0.01,
    "doubled": 0.06,
    "late": 0.03,
    "replayed": 0.04,
    "garbage": 0.03,
    "portal": 0.03,
}
_WRONG_CERTIFICATE = 0.025
_HTML = b"<!doctype html><title>Sign in</title><p>Welcome to the guests' network. Please sign in.</p>"
_MOST_HEAD = 64 * 1024


def _answer(status: str, body: bytes, more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


@dataclass(slots=True)
class Network:
    """The proxy; ``is_calm`` lets everything pass."""

    port: int
    chance: random.Random
    right: ssl.SSLContext
    wrong: ssl.SSLContext
    is_calm: bool = False
    requests: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    longest_s: float = 0.0
    _kept: list[bytes] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _server: asyncio.Server | None = None

    async def open(self) -> int:
        self.right.sni_callback = self._certificate
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.right, limit=_MOST_HEAD)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _certificate(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        if not self.is_calm and self.chance.random() < _WRONG_CERTIFICATE:
            self.faults["wrong_certificate"] += 1
            connection.context = self.wrong

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
                while await self._one(reader, writer):
                    pass
        except asyncio.CancelledError:  # the end of the campaign: the server's own task has nobody to tell
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Take one request through the network; tell whether the connection goes on."""
        head = await reader.readuntil(b"\r\n\r\n")
        size = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
        request = head + await reader.readexactly(size)
        self.requests += 1
        fault = self._draw()
        began = time.monotonic()
        try:
            return await getattr(self, f"_{fault}")(request, reader, writer)
        finally:
            if fault in _NOTICED:
                self.longest_s = max(self.longest_s, time.monotonic() - began)

    def _draw(self) -> str:
        if self.is_calm:
            return "passed"
        draw = self.chance.random()
        for name, part in _CHANCES.items():
            draw -= part
            if draw < 0:
                self.faults[name] += 1
                return name
        return "passed"

    async def _ask(self, request: bytes) -> bytes:
        """Bring a request to the centre over a connection of its own and give its whole answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            size = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
            return head + await reader.readexactly(size)
        finally:
            writer.close()

    async def _passed(self, request: bytes, _reader: Any, writer: asyncio.StreamWriter) -> bool:
        answer = await self._ask(request)
        if self.chance.random() < 0.05:
            self._kept.append(request)
        writer.write(answer)
        await writer.drain()
        return True

    async def _half_open(self, _request: bytes, reader: asyncio.StreamReader, _writer: Any) -> bool:
        await reader.read(1)  # until the gateway has had enough
        return False

    async def _cut_up(self, request: bytes, _reader: Any, writer: asyncio.StreamWriter) -> bool:
        _, up = await asyncio.open_connection("127.0.0.1", self.port)
        up.write(request[: self.chance.randrange(1, len(request))])
        await up.drain()
        await asyncio.sleep(0.005)
        _reset(up)
        _reset(writer)
        return False

    async def _answer_lost(self, request: bytes, _reader: Any, writer: asyncio.StreamWriter) -> bool:
        await self._ask(request)
        _reset(writer)
        return False

    async def _cut_down(self, request: bytes, _reader: Any, writer: asyncio.StreamWriter) -> bool:
        answer = await self._ask(request)
        writer.write(answer[: self.chance.randrange(1, len(answer))])
        await writer.drain()
        return False

    async def _slow_up(self, request: bytes, reader: asyncio.StreamReader, _writer: Any) -> bool:
        _, up = await asyncio.open_connection("127.0.0.1", self.port)
        gone = asyncio.create_task(reader.read(1))
        for at in range(0, len(request), max(1, len(request) // 60)):
            up.write(request[at : at + max(1, len(request) // 60)])
            await asyncio.wait([gone], timeout=0.05)
            if gone.done():
                break
        gone.cancel()
        up.close()
        return False

    async def _slow_down(self, request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        gone = asyncio.create_task(reader.read(1))
        for byte in await self._ask(request):
            writer.write(bytes([byte]))
            await asyncio.wait([gone], timeout=0.03)
            if gone.done():
                break
        gone.cancel()
        return False

    async def _doubled(self, request: bytes, _reader: Any, writer: asyncio.StreamWriter) -> bool:
        first, second = await asyncio.gather(self._ask(request), self._ask(request))
        writer.write(self.chance.choice([first, second]))
        await writer.drain()
        return True

    async def _late(self, request: bytes, _reader: Any, writer: asyncio.StreamWriter) -> bool:
        task = asyncio.create_task(self._ask_later(request, self.chance.random()))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        _reset(writer)
        return False

    async def _ask_later(self, request: bytes, seconds: float) -> None:
        await asyncio.sleep(seconds)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await self._ask(request)

    async def _replayed(self, request: bytes, reader: Any, writer: asyncio.StreamWriter) -> bool:
        if self._kept:
            await self._ask(self._kept.pop(self.chance.randrange(len(self._kept))))
        return await self._passed(request, reader, writer)

    async def _garbage(self, _request: bytes, _reader: Any, writer: asyncio.StreamWriter) -> bool:
        body = self.chance.choice(
            [
                b"",
                b"OK",
                b"{}",
                b"[1]",
                self.chance.randbytes(200),
                b'{"acked": true}',
                b'{"acked": -5}',
                b'{"acked": "9"}',
                b'{"acked": 1e9}',
                b'{"acked": 1000000000000}',
                b'{"server_time": "now"}',
                b'{"acked": null, "server_time": null}',
                b"x" * 200_000,
            ]
        )
        writer.write(_answer("200 OK", body, "Content-Type: application/json\r\n"))
        await writer.drain()
        return True

    async def _portal(self, _request: bytes, _reader: Any, writer: asyncio.StreamWriter) -> bool:
        where = "Location: http://login.example/\r\n"
        status, more = self.chance.choice([("200 OK", ""), ("302 Found", where), ("511 Network Authentication", "")])
        writer.write(_answer(status, _HTML, f"Content-Type: text/html\r\n{more}"))
        await writer.drain()
        return True


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST."""
    found = writer.get_extra_info("socket")
    if found is not None:
        with contextlib.suppress(OSError):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Known(Secret):
    """A secret shown to one centre only: the one whose certificate we have."""

    def __init__(self, edge_id: str, secret: str, authority_pem: str) -> None:
        super().__init__(edge_id, secret)
        self._authority = authority_pem

    def tls(self) -> ssl.SSLContext | None:
        return trusting(self._authority, is_any_time=False)


def _client(url: str, known: Known, store: Store, edge_id: str, timeout_s: float) -> UplinkClient:
    key = key_of(edge_id)
    signer = Signer(key.public_key().public_bytes_raw().hex(), key.sign)
    return UplinkClient(url, known, store, lambda: {"edge_id": edge_id}, signer, policy=POLICY, timeout_s=timeout_s)


async def _gateway(
    folder: Path, url: str, known: Known, edge_id: str, network: Network, requests: int
) -> tuple[Ledger, str | None]:
    """Store and send until the network has seen enough, then send what is left over a calm one."""
    ledger = folder / f"{edge_id}.ledger"
    async with await Store.open(folder / edge_id / "edge.db", edge_id, reserve_bytes=4096, window_s=0.01) as store:
        generator = Generator(store, ledger, int(edge_id.removeprefix("gw-")), 0.06, _MOST_PENDING)
        storing = [asyncio.create_task(generator.keep_on(lane)) for lane in Lane]
        client = _client(url, known, store, edge_id, _WAIT_S)
        sending = asyncio.create_task(client.run())
        await when(lambda: network.requests >= requests)
        for task in storing:
            task.cancel()
        await asyncio.gather(*storing, return_exceptions=True)
        network.is_calm = True
        fault = None
        try:
            async with asyncio.timeout(_CALM_S):
                await when(lambda: not any(state.pending for state in store.lanes().values()))
        except TimeoutError:
            fault = f"{edge_id}: a calm network does not empty it: {client.state()}"
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    found = Ledger()
    found.read(ledger)
    return found, fault


async def _patience(folder: Path, known: Known, right: ssl.SSLContext) -> float:
    """Measure how long the product's own uplink waits for an answer that never comes."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            pass
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0, ssl=right)
    port = server.sockets[0].getsockname()[1]
    async with await Store.open(folder / "patient" / "edge.db", "gw-99", reserve_bytes=4096) as store:
        client = _client(f"https://127.0.0.1:{port}", known, store, "gw-99", TIMEOUT_S)
        began = time.monotonic()
        sending = asyncio.create_task(client.run())
        await when(lambda: client.state().state == Link.OFFLINE.value or time.monotonic() - began > 2 * TIMEOUT_S)
        took = time.monotonic() - began
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    server.close()
    return took


async def _campaign(folder: Path, nursery: Nursery, requests: int, gateways: int, seed: int) -> dict[str, Any]:
    edge_ids = [f"gw-{number}" for number in range(1, gateways + 1)]
    centre = Centre(folder / "centre", nursery)
    secrets = await centre.make(edge_ids)
    centre.start()
    await asyncio.to_thread(centre.wait_ready)
    now = dt.datetime.now(dt.UTC)
    contexts = []
    for name in ("right", "wrong"):
        (folder / name).mkdir()
        authority = load_authority(folder / name, now)
        contexts.append((authority, server_context(authority, ["127.0.0.1"], folder / name, now)))
    (authority, right), (_, wrong) = contexts
    network = Network(centre.port, random.Random(seed), right, wrong)
    url = f"https://127.0.0.1:{await network.open()}"
    known = {edge_id: Known(edge_id, secrets[edge_id], authority.pem) for edge_id in edge_ids}
    work = [_gateway(folder, url, known[edge_id], edge_id, network, requests) for edge_id in edge_ids]
    # The product's own patience is half a minute: only a campaign has the time to see it.
    patient = _patience(folder, known["gw-1"], right) if requests >= 1000 else None
    waiting = None if patient is None else asyncio.create_task(patient)
    done = await asyncio.gather(*work)
    waited = None if waiting is None else await waiting
    await network.close()
    await asyncio.to_thread(centre.wait_expanded)
    assert centre.process is not None
    await asyncio.to_thread(centre.process.end, signal.SIGTERM)
    failed, accepted = [], 0
    for edge_id, (ledger, fault) in zip(edge_ids, done, strict=True):
        accepted += ledger.accepted
        failed += [fault] if fault is not None else []
        failed += [f"{edge_id}: {text}" for text in compare(ledger, told_by(centre.path, edge_id))]
    failed += expansion_faults(centre.path) + centre.verify()
    if waited is not None and not TIMEOUT_S - 1 <= waited <= TIMEOUT_S + 2:
        failed.append(f"an uplink waits {waited:.1f} s for an answer, {TIMEOUT_S:.0f} s are right")
    if network.longest_s > 5 * _WAIT_S:
        failed.append(f"a request took {network.longest_s:.1f} s, though its gateway waits {_WAIT_S:g} s")
    return {
        "requests": network.requests,
        "failed": failed,
        "accepted": accepted,
        "faults": dict(network.faults),
        "longest_s": round(network.longest_s, 2),
        "patience_s": None if waited is None else round(waited, 1),
    }


def campaign(requests: int, gateways: int, seed: int, nursery: Nursery | None = None) -> dict[str, Any]:
    """Send so many requests through it; give what came of it."""
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as name,
        nursery_of(nursery, "central_server.cli", "scripts.chaos.rig") as mother,
    ):
        found = asyncio.run(_campaign(Path(name), mother, requests, gateways, seed))
    return {**found, "seconds": round(time.monotonic() - started, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000, help="through the network (default: 10000)")
    parser.add_argument("--gateways", type=int, default=8, help="that send them (default: 8)")
    parser.add_argument("--seed", type=int, default=1, help="what is drawn at random (default: 1)")
    parser.add_argument("--json", action="store_true", help="print the last line only, which is JSON anyway")
    options = parser.parse_args()
    logging.disable(logging.WARNING)  # a link that comes and goes is what it is about
    conclude(campaign(options.requests, options.gateways, options.seed))


if __name__ == "__main__":
    main()
