"""Gateways that come through a real broker with TLS and their own certificates: mosquitto, killed and started again."""

import asyncio
import datetime as dt
import json
import os
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from aiohttp import web
from paho.mqtt.properties import Properties

from central_server.app import build_door, new_ingester
from central_server.clock import now_ms
from central_server.devices.service import invite, revoke
from central_server.sync import enrolment
from central_server.sync.authority import Authority, load_authority
from central_server.sync.broker import CONF, set_up_broker
from central_server.sync.down import DOWN
from central_server.sync.mqtt import Ingester
from central_server.sync.proof import prove
from central_server.sync.views import EXPANDER
from edge_agent.certificate import Certificate
from edge_agent.command_key import keep_command_key, load_command_key
from edge_agent.identity import Signer, keep_certificate, load_identity, load_signer, pending_request, trusting
from edge_agent.mqtt_link import MqttLink, MqttTransport
from edge_agent.rules import RuleKeeper
from edge_agent.store import Store
from edge_agent.sync import Policy
from edge_agent.transport import Link, Reply, Silence
from edge_agent.uplink import UplinkClient
from protocols.mqtt import Message
from protocols.record import Lane, Reading, Series
from protocols.sync import PATH_BATCHES, PATH_STATUS, Batch, encode_batch
from tests.central_server.conftest import Centre
from tests.central_server.hostile import Honest, fingerprint, hostile, refusals

if shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin") is None:
    pytest.skip("mosquitto is not installed: its tests are left out", allow_module_level=True)

QUICK = Policy(limit=60, pace_s=0.01, touch_s=0.01, status_s=0.2, backoff_s=0.05, backoff_most_s=0.2, refused_s=0.1)
POWER, ENERGY = Series("em-1", "powerTotal", "W"), Series("em-1", "energyImportTotal", "kWh")
TIMEOUT_S = 1.0


def utc() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


async def until(condition: Callable[[], bool], seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


class Broker:
    """A mosquitto with the files that 'central mqtt broker' writes."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        self.url = f"mqtts://127.0.0.1:{self.port}"
        self._conf = folder / CONF
        set_up_broker(folder, authority, ["127.0.0.1"], self.port, utc())
        text = self._conf.read_text().replace("/var/lib/mosquitto/", f"{folder}/")
        self._conf.write_text(text + ("user root\n" if os.geteuid() == 0 else ""))
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        where = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        with self._conf.with_name("log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                str(where), "-c", str(self._conf), stdout=log, stderr=log
            )
        async with asyncio.timeout(5):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    await asyncio.sleep(0.01)
                    continue
                writer.close()
                return

    async def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None


class Counting(Ingester):
    """Counts what it has answered."""

    answered = 0

    async def answer(self, edge_id: str, kind: str, request: Message, signature: str) -> tuple[int, bytes, int | None]:
        self.answered += 1
        return await super().answer(edge_id, kind, request, signature)


class Doubling:
    """A link on which every delivery comes twice."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def post(self, path: str, body: bytes, *, lane: Lane | None = None) -> Reply:
        await self._link.post(path, body, lane=lane)
        return await self._link.post(path, body, lane=lane)

    async def rules(self, have: str | None) -> Reply:
        return await self._link.rules(have)


class DoublingTransport(MqttTransport):
    @asynccontextmanager
    async def _doubled(self) -> AsyncIterator[Link]:
        async with super().open() as link:
            yield Doubling(link)

    def open(self):  # type: ignore[no-untyped-def]
        return self._doubled()


@dataclass
class House:
    """A centre with a broker before it."""

    centre: Centre
    door: web.Application
    authority: Authority
    broker: Broker
    folder: Path
    ingesters: list[Ingester] = field(default_factory=list)

    async def enrolled(self, edge_id: str) -> Path:
        """Let a gateway in and give its data folder."""
        data = self.folder / edge_id
        await invite(self.centre.db, "lake", edge_id)
        told = {
            "code": await enrolment.new_code(self.centre.db, self.authority, edge_id, now_ms()),
            "request": pending_request(data, edge_id),
            "sign_key": load_signer(data).public,
        }
        found = await enrolment.enrol(self.centre.db, self.authority, told, now_ms(), "")
        keep_certificate(data, found.certificate, self.authority.pem)
        keep_command_key(data, self.door[DOWN].command_key)
        return data

    def transport(self, data: Path, kind: type[MqttTransport] = MqttTransport) -> MqttTransport:
        credential = Certificate(data, data.name, utc)
        key = partial(load_command_key, data)
        return kind(self.broker.url, data.name, credential, load_signer(data), key, TIMEOUT_S)

    @asynccontextmanager
    async def listening(self, count: int) -> AsyncIterator[list[Counting]]:
        """Run ingesters."""
        ingesters = []
        for _ in range(count):
            ingester = new_ingester(self.door, self.broker.url)
            ingester.__class__ = Counting
            ingesters.append(ingester)
        tasks = [asyncio.create_task(ingester.run()) for ingester in ingesters]
        await until(lambda: all(ingester.is_listening for ingester in ingesters))
        yield ingesters  # type: ignore[misc]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def refused(self) -> list[tuple[str, str]]:
        rows = await self.centre.rows("audit")
        return [(row.subject, json.loads(row.detail)["reason"]) for row in rows if row.action == "gateways.refused"]


@pytest.fixture
async def house(centre: Centre, tmp_path: Path) -> AsyncIterator[House]:
    authority = load_authority(tmp_path / "authority", utc())
    broker = Broker(tmp_path / "broker", authority)
    await broker.start()
    yield House(centre, build_door(centre.app, authority), authority, broker, tmp_path)
    await broker.kill()


async def test_two_ingesters_a_killed_broker_and_doubles_leave_each_record_once(house: House) -> None:
    data = await house.enrolled("gw-1")
    accepted = 0
    async with house.listening(2) as ingesters, await Store.open(data / "edge.db", "gw-1", window_s=0.005) as store:
        rules = RuleKeeper(data, "gw-1")
        client = UplinkClient(
            house.broker.url,
            Certificate(data, "gw-1", utc),
            store,
            lambda: {"edge_id": "gw-1", "devices": []},
            load_signer(data),
            policy=QUICK,
            rules=rules,
            transport=house.transport(data, DoublingTransport),
        )
        running = asyncio.create_task(client.run())
        for step in range(12):
            at = now_ms()
            await store.append(Lane.TELEMETRY, [Reading(POWER, at + n, Decimal(n)) for n in range(100)])
            await store.append(Lane.BILLING, [Reading(ENERGY, at + n, Decimal(step)) for n in range(10)])
            accepted += 110
            if step == 5:
                await until(lambda: store.lanes()[Lane.BILLING].acked_seq > 0)
                await house.broker.kill()
            if step == 8:
                await until(lambda: client.state().error is not None)
                assert "the broker at mqtts://" in str(client.state().error)
                await house.broker.start()
            await asyncio.sleep(0.02)
        await until(lambda: not any(lane.pending for lane in store.lanes().values()))
        assert client.state().state == "online"
        assert client.clock_offset_ms is not None
        running.cancel()
    assert all(ingester.answered > 0 for ingester in ingesters)
    proof = await prove(house.centre.db)
    assert (proof.records, proof.faults) == (accepted, [])
    assert proof.signed == proof.batches


async def test_a_gateway_speaks_for_itself_only_and_not_at_all_once_it_is_shut_out(house: House) -> None:
    one, two = await house.enrolled("gw-1"), await house.enrolled("gw-2")
    batch = Batch("gw-1", 7, Lane.BILLING, 1, (Reading(ENERGY, now_ms(), Decimal(5)),))
    forged = encode_batch(batch, load_signer(two).sign)
    tls = Certificate(two, "gw-2", utc).tls()
    async with house.listening(1) as (ingester,):
        # The broker knows whose certificate it is.
        link = house_link(house, "gw-1", tls, load_signer(two), one)
        with pytest.raises(Silence, match="does not let this gateway write to gatehouse/gw-1/batches"):
            await link.post(PATH_BATCHES, forged)
        await link.close()
        assert ingester.answered == 0
        # Were the broker itself to forge it, the signatures would not fit.
        link = house_link(house, "gw-2", tls, load_signer(one), two)
        assert (await link.post(PATH_STATUS, b"{}")).status == 403
        await link.close()
        async with house.transport(two).open() as link:
            assert (await link.post(PATH_BATCHES, forged)).status == 403
            assert (await link.post(PATH_STATUS, b"{")).status == 400
        async with house.transport(one).open() as link:
            assert (await link.post(PATH_STATUS, b'{"edge_id":"gw-1"}')).status == 200
            assert (await link.rules(None)).status == 204
            await house.transport(one).renew(link)
            await revoke(house.centre.db, "gw-1")
            assert (await link.post(PATH_BATCHES, encode_batch(batch, load_signer(one).sign))).status == 401
    assert await house.centre.rows("batch") == []
    refused = await house.refused()
    assert ("gateway:unknown", "sync_bad_signature") in refused, "a topic is no proof of a name"
    assert ("gateway:gw-2", "sync_wrong_gateway") in refused
    assert ("gateway:gw-1", "sync_revoked") in refused


async def test_through_a_broker_nothing_hostile_has_an_effect_and_each_kind_stands_in_the_audit(house: House) -> None:
    one, two = await house.enrolled("gw-1"), await house.enrolled("gw-2")
    honest, db = Honest(load_signer(one).sign, load_signer(two).sign), house.centre.db
    tls = Certificate(one, "gw-1", utc).tls()
    async with house.listening(1):
        link = Recording(house.broker.url, "gw-1", tls, load_signer(one), str(load_command_key(one)), 10.0)
        for body in honest.batches:
            assert (await link.post(PATH_BATCHES, body)).status == 200
        assert (await link.post(PATH_STATUS, b'{"edge_id":"gw-1"}')).status == 200
        house.centre.app[EXPANDER].wake()
        await until_expanded(house.centre)
        before = await fingerprint(db)
        # Whoever holds the broker says again what the gateway has said and signed, word for word.
        for message, signature in [each for each in link.sent if each[0].topic.endswith("/status")]:
            assert link._client is not None
            await link._client.publish(
                message.topic, message.body, qos=1, properties=link._properties(message, signature)
            )
        async with asyncio.timeout(5):
            while ("gw-1", "sync_replayed", 1) not in await refusals(db):
                await asyncio.sleep(0.01)
        assert await fingerprint(db) == before
        for each in hostile(honest):
            reply = await link.post(PATH_BATCHES, each.body)
            key = json.loads(reply.body).get("error", {}).get("key")
            assert (reply.status, key) == (each.status, each.key), each.name
        assert await fingerprint(db) == before
        revoking = asyncio.create_task(revoke(db, "gw-1"))
        async with asyncio.timeout(1):
            while (await link.post(PATH_STATUS, b'{"edge_id":"gw-1"}')).status != 401:
                pass
        await revoking
        await link.close()
    told = [(who, reason) for who, reason, times in await refusals(db) if times == 1]
    assert len(told) == len(set(told)), "each kind once"
    assert {reason for who, reason in told if who == "gw-1"} >= {
        *(each.key or "sync_repeated" for each in hostile(honest)),
        "sync_revoked",
    }


class Recording(MqttLink):
    """Keeps every message that it has sent, with its signature, as a broker could."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.sent: list[tuple[Message, bytes]] = []

    def _properties(self, message: Message, signature: bytes) -> Properties:
        self.sent.append((message, signature))
        return super()._properties(message, signature)


async def until_expanded(centre: Centre) -> None:
    async with asyncio.timeout(10):
        while any(row.expanded_at is None for row in await centre.rows("batch")):
            await asyncio.sleep(0.01)


def house_link(house: House, edge_id: str, tls: ssl.SSLContext, signer: Signer, data: Path) -> MqttLink:
    return MqttLink(house.broker.url, edge_id, tls, signer, str(load_command_key(data)), TIMEOUT_S)


async def test_a_certificate_renews_itself_through_the_broker(house: House) -> None:
    data = await house.enrolled("gw-1")
    first = load_identity(data, "gw-1")
    assert first is not None
    later = first.not_before + (first.not_after - first.not_before) * 0.67
    async with house.listening(1), house.transport(data).open() as link:
        await Certificate(data, "gw-1", lambda: later).renew(link)
    second = load_identity(data, "gw-1")
    assert second is not None
    assert second.serial != first.serial


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
async def test_strangers_a_silent_broker_and_forged_answers_are_no_centre(house: House) -> None:
    data = await house.enrolled("gw-1")
    async with house.transport(data).open() as link:
        with pytest.raises(Silence, match="no centre listens at the broker"):
            await link.post(PATH_STATUS, b"{}")
    tls = trusting(house.authority.pem, is_any_time=False)
    with pytest.raises(aiomqtt.MqttError):
        await aiomqtt.Client("127.0.0.1", house.broker.port, tls_context=tls, timeout=0.5).__aenter__()
    old = Certificate(data, "gw-1", utc).tls()
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(aiomqtt.MqttError):
        await aiomqtt.Client("127.0.0.1", house.broker.port, tls_context=old, timeout=0.5).__aenter__()
    with pytest.raises(aiomqtt.MqttError):
        await aiomqtt.Client("127.0.0.1", house.broker.port, timeout=0.5).__aenter__()
    # A broker that answers in the centre's place cannot sign, so nothing is acknowledged.
    liar = new_ingester(house.door, house.broker.url)
    liar._sign = lambda _: b"\0" * 64
    task = asyncio.create_task(liar.run())
    await until(lambda: liar.is_listening)
    short = MqttTransport(
        house.broker.url,
        "gw-1",
        Certificate(data, "gw-1", utc),
        load_signer(data),
        partial(load_command_key, data),
        timeout_s=0.3,
    )
    async with short.open() as link:
        with pytest.raises(Silence, match="did not answer in time"):
            await link.post(PATH_STATUS, b"{}")
    task.cancel()
