"""The uplink against a real server on loopback that answers well, badly or not at all."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.credential import Secret, UplinkError
from edge_agent.identity import Signer
from edge_agent.store import Store
from edge_agent.sync import Policy
from edge_agent.uplink import UplinkClient
from protocols.sync import PATH_BATCHES, PATH_STATUS, Event, Lane, Reading, Record, Series, decode_batch

POWER = Series("em-1", "powerTotal", "W")
QUICK = Policy(limit=500, status_s=0.1, touch_s=0.01, pace_s=0.02, backoff_s=0.02, backoff_most_s=0.1, refused_s=0.2)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
SIGNER = Signer(KEY.public_key().public_bytes_raw().hex(), KEY.sign)


def readings(first: int, count: int) -> list[Record]:
    return [Reading(POWER, at, Decimal(at) / 4) for at in range(first, first + count)]


def error(status: int, key: str, headers: dict[str, str] | None = None, **fields: Any) -> web.Response:
    return web.json_response(
        {"error": {"key": key, "message": "in words", "fields": fields}}, status=status, headers=headers
    )


class Centre:
    """A centre in memory on a real port; ``instead`` answers batches in its place."""

    def __init__(self) -> None:
        self.kept: dict[Lane, list[Record]] = {lane: [] for lane in Lane}
        self.statuses: list[dict[str, Any]] = []
        self.authorization: set[str | None] = set()
        self.sizes: list[int] = []
        self.instead: Handler | None = None
        self.extra: list[tuple[str, Handler]] = []
        self.tries = 0
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.router.add_post(PATH_BATCHES, self._batch)
        app.router.add_post(PATH_STATUS, self._status)
        for path, handler in self.extra:
            app.router.add_post(path, handler)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _batch(self, request: web.Request) -> web.StreamResponse:
        self.tries += 1
        self.authorization.add(request.headers.get("Authorization"))
        if self.instead is not None:
            return await self.instead(request)
        return self.take(await request.read())

    def take(self, body: bytes) -> web.Response:
        batch = decode_batch(body)
        kept = self.kept[batch.lane]
        if batch.first_seq > len(kept) + 1:
            return error(409, "sync_gap", expected=len(kept) + 1)
        self.sizes.append(len(batch.records))
        kept += batch.records[len(kept) + 1 - batch.first_seq :]
        return web.json_response({"acked": len(kept)})

    async def _status(self, request: web.Request) -> web.StreamResponse:
        self.statuses.append(await request.json())
        return web.json_response({"server_time": time.time_ns() // 1_000_000 + 60_000})


@pytest.fixture
async def centre() -> AsyncIterator[Centre]:
    centre = Centre()
    await centre.start()
    yield centre
    await centre.stop()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with await Store.open(tmp_path / "edge.db", "gw-1", window_s=0.005) as store:
        yield store


@contextlib.asynccontextmanager
async def running(
    centre: Centre, store: Store, policy: Policy = QUICK, timeout_s: float = 5
) -> AsyncIterator[UplinkClient]:
    status = {"edge_id": "gw-1"}
    credential = Secret("gw-1", "s3cret")
    client = UplinkClient(centre.url, credential, store, lambda: status, SIGNER, policy=policy, timeout_s=timeout_s)
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(client.run())
        yield client
        task.cancel()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


def pending(store: Store) -> int:
    return sum(state.pending for state in store.lanes().values())


async def test_what_is_stored_arrives_and_leaves_the_store(centre: Centre, store: Store) -> None:
    await store.append(Lane.BILLING, readings(1, 1200))
    alarm = Event("alarm", "device:em-1", 1, {"state": "raised"})
    await store.append(Lane.SAFETY, [alarm])
    async with running(centre, store) as client:
        await until(lambda: not pending(store))
        assert centre.kept[Lane.BILLING] == readings(1, 1200)
        assert centre.kept[Lane.SAFETY] == [alarm]
        assert centre.sizes == [1, 500, 500, 200], "alarms first, and no batch over the limit"
        assert centre.authorization == {"Gateway gw-1:s3cret"}
        state = client.state()
        assert (state.state, state.retry_in_s, state.error) == ("online", None, None)
        assert state.as_json()["last_ack_at"].endswith("Z")


async def test_a_new_record_is_sent_at_once(centre: Centre, store: Store) -> None:
    async with running(centre, store, Policy()):
        await until(lambda: centre.statuses)
        started = time.monotonic()
        await store.append(Lane.SAFETY, [Event("alarm", "device:em-1", 1, {})])
        await until(lambda: centre.kept[Lane.SAFETY])
        assert time.monotonic() - started < 1


async def test_the_status_is_posted_again_and_again_and_on_change(centre: Centre, store: Store) -> None:
    async with running(centre, store, Policy(touch_s=0.0)) as client:
        await until(lambda: len(centre.statuses) == 1)
        client.touch()
        await until(lambda: len(centre.statuses) == 2)
        assert centre.statuses[0] == {"edge_id": "gw-1"}
        assert 59_000 < (client.clock_offset_ms or 0) < 61_000
    async with running(centre, store):
        await until(lambda: len(centre.statuses) > 5)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (
            lambda: web.Response(text="<html>Sign in to Lobby-WiFi</html>", content_type="text/html"),
            "other than a centre",
        ),
        (lambda: web.json_response({"status": "ok"}), "other than a centre"),
        (lambda: web.Response(body=b"\x00\xff" * 500_000), "at great length"),
        (lambda: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/login"}), "HTTP 302"),
        (lambda: web.Response(status=500, text="oops"), "HTTP 500"),
        (lambda: web.json_response({"acked": 0}), "less than it had"),
    ],
    ids=["captive-portal", "other-json", "endless", "redirect", "crash", "no-progress"],
)
async def test_an_answer_that_is_not_the_centres_deletes_nothing(
    centre: Centre, store: Store, reply: Callable[[], web.Response], words: str
) -> None:
    async def instead(_: web.Request) -> web.Response:
        return reply()

    centre.instead = instead
    await store.append(Lane.BILLING, readings(1, 10))
    async with running(centre, store, Policy(status_s=60, pace_s=0.02, backoff_s=0.02, backoff_most_s=0.1)) as client:
        await until(lambda: centre.tries >= 3)
        assert pending(store) == 10
        state = client.state()
        assert state.state == "offline"
        assert words in str(state.error)
        centre.instead = None
        await until(lambda: not pending(store))
    assert centre.kept[Lane.BILLING] == readings(1, 10)


async def test_a_wrong_secret_is_told_and_asked_again_slowly(centre: Centre, store: Store) -> None:
    async def instead(_: web.Request) -> web.Response:
        return error(401, "sync_bad_secret")

    centre.instead = instead
    await store.append(Lane.BILLING, readings(1, 10))
    async with running(centre, store, Policy(status_s=60, refused_s=60)) as client:
        await until(lambda: client.state().state == "refused")
        assert client.state().error == "in words (sync_bad_secret)"
        assert 25 < (client.state().retry_in_s or 0) <= 60
        await asyncio.sleep(0.2)
        assert centre.tries == 1
    assert pending(store) == 10


async def test_a_centre_that_misses_something_gets_it_again(centre: Centre, store: Store) -> None:
    await store.append(Lane.BILLING, readings(1, 10))

    async def lose_and_ack(request: web.Request) -> web.Response:
        centre.instead = None  # acknowledged once, and then the centre is put back to an old backup
        await request.read()
        return web.json_response({"acked": 10})

    centre.instead = lose_and_ack
    async with running(centre, store) as client:
        await until(lambda: not pending(store))
        await store.append(Lane.BILLING, readings(11, 5))
        await until(lambda: client.state().state == "refused")
        assert "misses record 1 of the billing lane" in str(client.state().error)
        assert pending(store) == 5
        await store.append(Lane.TELEMETRY, readings(1, 3))
        await until(lambda: centre.kept[Lane.TELEMETRY])


async def test_a_busy_centre_is_not_asked_again_before_its_time(centre: Centre, store: Store) -> None:
    asked_at: list[float] = []

    async def instead(_: web.Request) -> web.Response:
        asked_at.append(time.monotonic())
        centre.instead = None
        return error(503, "busy", headers={"Retry-After": "1"})

    centre.instead = instead
    await store.append(Lane.BILLING, readings(1, 10))
    async with running(centre, store, Policy(status_s=60)) as client:
        await until(lambda: asked_at)
        await until(lambda: client.state().state == "offline")
        await until(lambda: not pending(store))
        assert time.monotonic() - asked_at[0] >= 1


async def test_a_centre_that_never_answers_is_given_up_on(centre: Centre, store: Store) -> None:
    async def instead(_: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.json_response({"acked": 10})

    centre.instead = instead
    await store.append(Lane.BILLING, readings(1, 10))
    async with running(centre, store, timeout_s=0.2) as client:
        await until(lambda: client.state().state == "offline")
        assert "did not answer in time" in str(client.state().error)
        centre.instead = None
        await until(lambda: not pending(store))


async def test_a_lost_answer_counts_the_batch_once(centre: Centre, store: Store) -> None:
    async def instead(request: web.Request) -> web.Response:
        centre.instead = None
        centre.take(await request.read())
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    centre.instead = instead
    await store.append(Lane.BILLING, readings(1, 10))
    async with running(centre, store):
        await until(lambda: not pending(store))
    assert centre.kept[Lane.BILLING] == readings(1, 10)


async def test_what_gathers_in_an_outage_arrives_after_it(centre: Centre, store: Store) -> None:
    async with running(centre, store) as client:
        await store.append(Lane.BILLING, readings(1, 10))
        await until(lambda: not pending(store))
        await centre.stop()
        await store.append(Lane.BILLING, readings(11, 990))
        await until(lambda: client.state().state == "offline")
        assert "cannot be reached" in str(client.state().error)
        await centre.start()
        await until(lambda: not pending(store))
        assert client.state().state == "online"
    assert centre.kept[Lane.BILLING] == readings(1, 1000)


async def test_a_batch_too_big_for_the_centre_goes_in_parts(centre: Centre, store: Store) -> None:
    async def instead(request: web.Request) -> web.Response:
        body = await request.read()
        return web.Response(status=413) if len(decode_batch(body).records) > 40 else centre.take(body)

    centre.instead = instead
    await store.append(Lane.CONTROL, readings(1, 300))
    async with running(centre, store):
        await until(lambda: not pending(store))
    assert centre.kept[Lane.CONTROL] == readings(1, 300)


async def test_big_events_fit_into_batches(centre: Centre, store: Store) -> None:
    events: list[Record] = [Event("note", "x", at, {"text": "é" * 30_000}) for at in range(60)]
    await store.append(Lane.CONTROL, events)
    async with running(centre, store):
        await until(lambda: not pending(store))
    assert centre.kept[Lane.CONTROL] == events


async def test_another_machine_is_refused(store: Store) -> None:
    with pytest.raises(UplinkError, match="another machine"):
        UplinkClient("http://10.0.0.1:8470", Secret("gw-1", "s3cret"), store, dict, SIGNER)
