"""Gateways by certificate: a real centre's door by TLS, and the gateway's own code at the other end of it."""

import asyncio
import datetime as dt
import json
import socket
import ssl
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from central_server.app import build_door
from central_server.clock import now_ms
from central_server.db import Database
from central_server.devices.service import invite, revoke
from central_server.errors import UsageError
from central_server.sync.authority import Authority, load_authority, make_authority, server_context
from central_server.sync.enrolment import CODE_MS, new_code
from edge_agent.certificate import Certificate
from edge_agent.credential import UplinkError
from edge_agent.enrolment import enrol, renew
from edge_agent.http_link import HttpLink
from edge_agent.identity import keep_certificate, load_identity, load_signer, pending_request, trusting
from edge_agent.store import Store
from edge_agent.sync import Policy
from edge_agent.uplink import UplinkClient
from protocols.enrolment import PATH_AUTHORITY, PATH_ENROL
from protocols.quantity import Quality
from protocols.sync import PATH_STATUS, Lane, Reading, Series
from tests.central_server.conftest import Centre

ENERGY = Series("em-1", "energyImportTotal", "kWh")
QUICK = Policy(pace_s=0.01, touch_s=0.01, status_s=0.05, backoff_s=0.05, refused_s=0.05)


def utc(ms: int | None = None) -> dt.datetime:
    return dt.datetime.now(dt.UTC) if ms is None else dt.datetime.fromtimestamp(ms / 1000, dt.UTC)


@dataclass
class Door:
    """The gateways' door of a running centre."""

    url: str
    db: Database
    authority: Authority
    centre: Centre

    async def code(self, edge_id: str = "gw-1", now: int | None = None) -> str:
        await invite(self.db, "lake", edge_id)
        return await new_code(self.db, self.authority, edge_id, now or now_ms())


@pytest.fixture
async def door(centre: Centre, tmp_path: Path) -> AsyncIterator[Door]:
    authority = load_authority(tmp_path / "authority", utc())
    context = server_context(authority, ["127.0.0.1", "centre.example"], tmp_path / "authority", utc())
    runner = web.AppRunner(build_door(centre.app, authority), access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    yield Door(f"https://127.0.0.1:{runner.addresses[0][1]}", centre.db, authority, centre)
    await runner.cleanup()


@asynccontextmanager
async def shown(data: Path, door: Door) -> AsyncIterator[aiohttp.ClientSession]:
    """Give a connection that shows a gateway's certificate."""
    connector = aiohttp.TCPConnector(ssl=Certificate(data, "gw-1", utc).tls())
    async with aiohttp.ClientSession(door.url, connector=connector) as session:
        yield session


async def status_of(session: aiohttp.ClientSession) -> int:
    async with session.post(PATH_STATUS, json={"edge_id": "gw-1"}) as response:
        return response.status


async def audited(door: Door) -> list[tuple[str, str]]:
    return [(row.action, row.subject) for row in await door.centre.rows("audit")]


async def test_a_gateway_enrols_once_delivers_and_its_keys_stay_its_own(door: Door, tmp_path: Path) -> None:
    code = await door.code()
    await enrol(door.url, code.lower(), tmp_path, "gw-1")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "identity").iterdir()}
    assert modes == dict.fromkeys(("tls.pem", "authority.pem", "sign.key", "command.key"), 0o600)
    async with await Store.open(tmp_path / "edge.db", "gw-1") as store:
        client = UplinkClient(
            door.url,
            Certificate(tmp_path, "gw-1", utc),
            store,
            lambda: {"edge_id": "gw-1"},
            load_signer(tmp_path),
            policy=QUICK,
        )
        running = asyncio.create_task(client.run())
        await store.append(Lane.BILLING, [Reading(ENERGY, now_ms(), Decimal("1.5"), Quality.GOOD)])
        async with asyncio.timeout(10):
            while store.lanes()[Lane.BILLING].acked_seq != 1:
                await asyncio.sleep(0.01)
        running.cancel()
    (row,) = await door.centre.rows("gateway")
    assert len(row.sign_key) == 64
    assert ("gateways.enrol", "gateway:gw-1") in await audited(door)
    with pytest.raises(UplinkError, match="not good any more"):
        await enrol(door.url, code, tmp_path, "gw-1")


async def test_an_answer_that_was_lost_is_given_again_to_the_same_request_only(door: Door, tmp_path: Path) -> None:
    code = await door.code()
    request = pending_request(tmp_path, "gw-1")
    told = {"code": code, "request": request, "sign_key": "ab" * 32}
    context = trusting(door.authority.pem, is_any_time=False)
    async with aiohttp.ClientSession(door.url, connector=aiohttp.TCPConnector(ssl=context)) as session:
        statuses, certificates = [], []
        for again in (told, told, {**told, "sign_key": "cd" * 32}):
            async with session.post(PATH_ENROL, json=again) as response:
                statuses.append(response.status)
                certificates.append((await response.json()).get("certificate"))
    assert statuses == [200, 200, 403]
    keep_certificate(tmp_path, certificates[1], door.authority.pem)
    assert load_identity(tmp_path, "gw-1") is not None


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda code: code[:-3], "missing or too many"),
        (lambda code: ("B" if code[0] == "A" else "A") + code[1:], "a letter of the code is wrong"),
        (lambda code: code.replace(code[0], "1", 1), "letters A to Z"),
    ],
)
async def test_a_mistyped_code_is_known_before_anything_is_sent(
    door: Door, tmp_path: Path, spoil: Callable[[str], str], said: str
) -> None:
    with pytest.raises(UplinkError, match=said):
        await enrol(door.url, spoil(await door.code()), tmp_path, "gw-1")


async def test_an_old_code_another_centre_and_another_name_are_refused(door: Door, tmp_path: Path) -> None:
    with pytest.raises(UplinkError, match="not good any more"):
        await enrol(door.url, await door.code(now=now_ms() - CODE_MS), tmp_path, "gw-1")
    stranger = load_authority(tmp_path / "other", utc())
    await invite(door.db, "lake", "gw-1")
    with pytest.raises(UplinkError, match="is not the centre that made this code"):
        await enrol(door.url, await new_code(door.db, stranger, "gw-1", now_ms()), tmp_path, "gw-1")
    with pytest.raises(UplinkError, match=r"The code is for gateway 'gw-1', and .* is 'gw-2'"):
        await enrol(door.url, await door.code(), tmp_path / "two", "gw-2")


async def test_a_revoked_gateway_is_out_at_once_on_the_connection_it_has(door: Door, tmp_path: Path) -> None:
    await enrol(door.url, await door.code(), tmp_path, "gw-1")
    async with shown(tmp_path, door) as session:
        assert await status_of(session) == 200
        await revoke(door.db, "gw-1")
        assert await status_of(session) == 401
    # Invited anew, the old certificate stays void: only the new one is let in.
    code = await door.code()
    async with shown(tmp_path, door) as session:
        assert await status_of(session) == 401
    await enrol(door.url, code, tmp_path, "gw-1")
    async with shown(tmp_path, door) as session:
        assert await status_of(session) == 200


async def test_a_certificate_renews_itself_and_the_old_one_is_good_meanwhile(door: Door, tmp_path: Path) -> None:
    await enrol(door.url, await door.code(), tmp_path, "gw-1")
    first = load_identity(tmp_path, "gw-1")
    assert first is not None
    later = first.not_before + (first.not_after - first.not_before) * 0.67
    assert (first.is_due(utc()), first.is_due(later)) == (False, True)
    credential = Certificate(tmp_path, "gw-1", lambda: later)
    async with shown(tmp_path, door) as session:
        before = credential.generation()
        await credential.renew(HttpLink(session, door.url))
        assert credential.generation() != before
        assert await status_of(session) == 200
    second = load_identity(tmp_path, "gw-1")
    assert second is not None
    assert second.serial != first.serial
    async with shown(tmp_path, door) as session:
        assert await status_of(session) == 200
    assert len(await door.centre.rows("certificate")) == 2


async def test_nobody_comes_in_without_a_certificate_of_this_house(door: Door, tmp_path: Path) -> None:
    trusted = trusting(door.authority.pem, is_any_time=False)
    async with aiohttp.ClientSession(door.url, connector=aiohttp.TCPConnector(ssl=trusted)) as session:
        assert await status_of(session) == 401
        async with session.get("/sign-in") as response:
            assert response.status == 404  # no page of people's is here
        async with session.get(PATH_AUTHORITY) as response:
            assert await response.text() == door.authority.pem
    foreign = load_authority(tmp_path / "foreign", utc())
    folder = tmp_path / "thief"
    certificate = foreign.for_gateway(pending_request(folder, "gw-1"), "gw-1", utc()).pem
    keep_certificate(folder, certificate, door.authority.pem)
    async with shown(folder, door) as session:
        with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
            await status_of(session)


async def test_a_certificate_of_one_gateway_does_not_speak_for_another(door: Door, tmp_path: Path) -> None:
    await invite(door.db, "lake", "gw-2")
    await enrol(door.url, await door.code("gw-1"), tmp_path, "gw-1")
    async with shown(tmp_path, door) as session, session.post(PATH_STATUS, json={"edge_id": "gw-2"}) as response:
        assert response.status == 403


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
async def test_the_door_speaks_neither_clear_text_nor_old_tls(door: Door) -> None:
    port = int(door.url.rpartition(":")[2])

    def plain() -> bytes:
        with socket.create_connection(("127.0.0.1", port), 5) as raw:
            raw.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            try:
                return raw.recv(100)
            except ConnectionError:
                return b""

    def old() -> str:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        with socket.create_connection(("127.0.0.1", port), 5) as raw:
            try:
                context.wrap_socket(raw, server_hostname="127.0.0.1")
            except (ssl.SSLError, OSError):
                return "refused"
        return "spoken"

    assert b"HTTP" not in await asyncio.to_thread(plain)
    assert await asyncio.to_thread(old) == "refused"


async def test_an_ended_certificate_says_what_to_do_and_a_clock_of_1970_does_not_shut_out(
    door: Door, tmp_path: Path
) -> None:
    with pytest.raises(UplinkError, match=r"not enrolled: it polls.*edge enroll URL CODE"):
        Certificate(tmp_path, "gw-1", utc).tls()
    await enrol(door.url, await door.code(), tmp_path, "gw-1")
    with pytest.raises(UplinkError, match=r"ended on .*polls, stores and opens doors.*edge enroll URL CODE"):
        Certificate(tmp_path, "gw-1", lambda: utc() + dt.timedelta(days=91)).tls()
    context = Certificate(tmp_path, "gw-1", lambda: utc(0)).tls()
    async with aiohttp.ClientSession(door.url, connector=aiohttp.TCPConnector(ssl=context)) as session:
        assert await status_of(session) == 200


async def test_files_that_others_can_read_or_that_are_halves_are_refused(door: Door, tmp_path: Path) -> None:
    await enrol(door.url, await door.code(), tmp_path, "gw-1")
    (tmp_path / "identity" / "tls.pem").chmod(0o644)
    with pytest.raises(UplinkError, match="chmod 600"):
        load_identity(tmp_path, "gw-1")
    (tmp_path / "identity" / "tls.pem").chmod(0o600)
    with pytest.raises(UplinkError, match="not of 'gw-9'"):
        load_identity(tmp_path, "gw-9")
    key_pem, _ = make_authority(utc())
    (tmp_path / "authority" / "authority.key").write_text(key_pem)
    with pytest.raises(UsageError, match=r"is not the key of authority\.pem"):
        load_authority(tmp_path / "authority", utc())


async def test_a_request_that_is_none_gets_no_certificate(door: Door) -> None:
    context = trusting(door.authority.pem, is_any_time=False)
    async with aiohttp.ClientSession(door.url, connector=aiohttp.TCPConnector(ssl=context)) as session:
        for body in (b"", b"[]", b"{", json.dumps({"code": 5}).encode(), b"x" * 20_000):
            async with session.post(PATH_ENROL, data=body) as response:
                assert response.status in (400, 413)
        told = {"code": await door.code(), "request": "-----BEGIN X", "sign_key": "ab" * 32}
        async with session.post(PATH_ENROL, json=told) as response:
            assert (response.status, (await response.json())["error"]["key"]) == (400, "enrol_request")


async def test_renewal_with_a_spoilt_answer_leaves_the_certificate_in_force(door: Door, tmp_path: Path) -> None:
    await enrol(door.url, await door.code(), tmp_path, "gw-1")
    before = (tmp_path / "identity" / "tls.pem").read_bytes()
    pending_request(tmp_path, "gw-1")
    with pytest.raises(UplinkError, match="not one of this gateway's key"):
        keep_certificate(tmp_path, before[before.index(b"-----BEGIN CERTIFICATE") :].decode(), None)
    assert (tmp_path / "identity" / "tls.pem").read_bytes() == before
    async with shown(tmp_path, door) as session:
        await renew(HttpLink(session, door.url), tmp_path, "gw-1")
    assert (tmp_path / "identity" / "tls.pem").read_bytes() != before
