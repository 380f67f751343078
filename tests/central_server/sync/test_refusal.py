"""What means harm: it changes nothing, gets an honest answer and stands in the audit, and a flood of it stays small."""

import asyncio
import datetime as dt
import json
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import WSMsgType

from central_server.clock import now_ms
from central_server.devices.service import revoke
from central_server.errors import BadRequest, Forbidden
from central_server.sync import enrolment
from central_server.sync.enrolment import RENEWALS_A_DAY
from central_server.sync.refusal import Refusals, Refused, Tallies
from central_server.sync.usb import import_file
from central_server.sync.views import EXPANDER
from edge_agent.certificate import Certificate
from edge_agent.enrolment import enrol
from edge_agent.identity import keep_certificate, load_signer, pending_request
from protocols.down import PATH_DOWN
from protocols.enrolment import PATH_ENROL, PATH_RENEW
from protocols.export import write_export
from protocols.sync import PATH_BATCHES, PATH_STATUS
from tests.central_server.hostile import Honest, fingerprint, hostile, refusals
from tests.central_server.sync import test_identity
from tests.central_server.sync.test_identity import Door, shown, utc

door = test_identity.door  # the fixture

TABLE = ("sync_repeated", "sync_bad_signature", "sync_broken_batch", "sync_wrong_gateway", "sync_gap", "sync_fork")


async def known(door: Door, folder: Path) -> Honest:
    """Enrol two gateways; what they have to say first is at the centre."""
    for edge_id in ("gw-1", "gw-2"):
        await enrol(door.url, await door.code(edge_id), folder / edge_id, edge_id)
    return Honest(*(load_signer(folder / edge_id).sign for edge_id in ("gw-1", "gw-2")))


async def settled(door: Door) -> None:
    door.centre.app[EXPANDER].wake()
    async with asyncio.timeout(5):
        while any(row.expanded_at is None for row in await door.centre.rows("batch")):
            await asyncio.sleep(0.01)


@pytest.fixture
async def session(door: Door, tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    await known(door, tmp_path)
    async with shown(tmp_path / "gw-1", door) as opened:
        yield opened


async def deliver(session: aiohttp.ClientSession, body: bytes) -> tuple[int, str | None]:
    async with session.post(PATH_BATCHES, data=body) as response:
        told = await response.json()
        return response.status, told.get("error", {}).get("key")


async def test_by_https_nothing_hostile_has_an_effect_and_each_kind_stands_in_the_audit_once(
    door: Door,
    session: aiohttp.ClientSession,
    tmp_path: Path,
) -> None:
    honest = Honest(*(load_signer(tmp_path / edge_id).sign for edge_id in ("gw-1", "gw-2")))
    for body in honest.batches:
        assert await deliver(session, body) == (200, None)
    await settled(door)
    before, size = await fingerprint(door.db), len(await door.centre.rows("audit"))
    for each in hostile(honest):
        assert await deliver(session, each.body) == (each.status, each.key), each.name
        assert await fingerprint(door.db) == before, each.name
    told = await refusals(door.db)
    assert {(who, times) for who, _, times in told} == {("gw-1", 1)}
    assert [reason for _, reason, _ in told] == [*TABLE, "sync_fenced", "sync_too_large"]
    assert len(await door.centre.rows("audit")) == size + len(told)
    (alarm,) = await door.centre.rows("alarm")
    assert (alarm.condition, alarm.subject) == ("gateway_copied", "gateway:gw-1")
    for _ in range(10):
        await deliver(session, b"garbage")
    assert len(await refusals(door.db)) == len(told), "a flood is counted, and told later"


async def test_carried_by_hand_nothing_hostile_has_an_effect_and_the_file_stands_in_the_audit(
    door: Door,
    tmp_path: Path,
) -> None:
    honest = await known(door, tmp_path)
    good, bad, file = tmp_path / "good", tmp_path / "bad", tmp_path / "cut"
    good.write_bytes(b"".join(write_export(honest.batches)))
    assert (await import_file(door.db, good)).new == 2
    await settled(door)
    before = await fingerprint(door.db)
    # A batch of gw-2 is its own when it is carried, and garbage ends no file.
    table = [each for each in hostile(honest) if each.body and each.key not in ("sync_too_large", "sync_wrong_gateway")]
    bad.write_bytes(b"".join(write_export([each.body for each in table])))
    found = await import_file(door.db, bad)
    refused = [each.key for each in table if each.key]
    assert (found.new, len(found.refused), found.reasons.total()) == (0, len(refused), len(refused))
    whole = bad.read_bytes()
    for spoilt, why in (
        (whole[:-40], "the file ends early"),
        (whole[:-1] + b"x", "does not fit"),
        (b"GHX1" + b"\xff\xff\xff\xff", "at most"),
        (b"PK\3\4" + whole, "no export"),
        (b"", "no export"),
    ):
        file.write_bytes(spoilt)
        with pytest.raises(BadRequest, match=why):
            await import_file(door.db, file)
    flood = tmp_path / "flood"
    flood.write_bytes(b"".join(write_export([b"x"] * 300)))
    found = await import_file(door.db, flood)
    assert (found.reasons["sync_broken_batch"], len(found.refused)) == (300, 100)
    assert await fingerprint(door.db) == before
    rows = [row for row in await door.centre.rows("audit") if row.action == "sync.import"]
    told = [(row.subject, row.outcome, json.loads(row.detail)["refused"]) for row in rows]
    assert told[0] == ("file:good", "done", {})
    assert told[1][:2] == ("file:bad", "denied")
    assert (told[1][2]["sync_fork"], told[1][2]["sync_fenced"], told[1][2]["sync_gap"]) == (1, 1, 1)
    assert all(entry[1] == "denied" and entry[2]["sync_file"] == 1 for entry in told[2:7])
    assert told[7] == ("file:flood", "denied", {"sync_broken_batch": 300})


async def test_whoever_is_shut_out_is_out_in_the_middle_of_what_they_say(
    door: Door,
    session: aiohttp.ClientSession,
    tmp_path: Path,
) -> None:
    code = await door.code("gw-2")  # invited anew, and the code not used yet

    async def slowly(body: bytes) -> AsyncIterator[bytes]:
        yield body[:100]
        await asyncio.sleep(0.2)
        await revoke(door.db, "gw-1")
        await asyncio.sleep(0.2)
        yield body[100:]

    async with session.ws_connect(PATH_DOWN) as down:
        assert (await down.receive()).type is WSMsgType.TEXT
        said = b'{"edge_id":"gw-1"}' + b" " * 200
        async with session.post(PATH_STATUS, data=slowly(said)) as response:
            assert response.status == 401, "let in when it began, and not when it ended"
            assert response.headers["Connection"] == "close"
        began = time.monotonic()
        while (await down.receive(timeout=5)).type is WSMsgType.TEXT:
            pass
        assert time.monotonic() - began < 1
    assert [row.last_seen_at for row in await door.centre.rows("gateway")] == [None, None]
    assert ("gw-1", "sync_revoked", 1) in await refusals(door.db)
    await revoke(door.db, "gw-2")
    with pytest.raises(Exception, match="not good any more"):
        await enrol(door.url, code, tmp_path / "gw-2", "gw-2")
    actions = [(row.action, row.subject) for row in await door.centre.rows("audit")]
    assert ("gateways.revoke", "gateway:gw-1") in actions


async def test_a_certificate_that_ends_ends_the_connections_it_opened(door: Door, tmp_path: Path) -> None:
    await known(door, tmp_path)
    async with shown(tmp_path / "gw-1", door) as session, session.ws_connect(PATH_DOWN) as down:
        await down.receive()
        async with door.db.write() as connection:
            await connection.execute(enrolment.certificate.update().values(expires_at=now_ms() - 1))
        async with session.post(PATH_STATUS, json={"edge_id": "gw-1"}) as response:
            assert (response.status, (await response.json())["error"]["key"]) == (401, "sync_ended")
        while (await down.receive(timeout=5)).type is WSMsgType.TEXT:
            pass
    assert ("gw-1", "sync_ended", 1) in await refusals(door.db)
    ended = door.authority.for_gateway(pending_request(tmp_path / "old", "gw-1"), "gw-1", utc() - dt.timedelta(91))
    keep_certificate(tmp_path / "old", ended.pem, door.authority.pem)
    context = Certificate(tmp_path / "old", "gw-1", lambda: utc() - dt.timedelta(50)).tls()
    async with aiohttp.ClientSession(door.url, connector=aiohttp.TCPConnector(ssl=context)) as session:
        with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
            await session.post(PATH_STATUS, json={"edge_id": "gw-1"})


async def test_rubbish_on_the_way_up_of_the_websocket_is_told(
    door: Door,
    session: aiohttp.ClientSession,
) -> None:
    for rubbish, reason in (("no json", "down_broken"), ("x" * 70_000, "down_too_large")):
        async with session.ws_connect(PATH_DOWN) as down:
            await down.receive()
            await down.send_str(rubbish)
            async with asyncio.timeout(5):
                while ("gw-1", reason, 1) not in await refusals(door.db):
                    await asyncio.sleep(0.01)


async def test_a_gateway_cannot_fill_the_disk_with_certificates_nor_a_stranger_with_guesses(
    door: Door,
    session: aiohttp.ClientSession,
    tmp_path: Path,
) -> None:
    told = {"request": pending_request(tmp_path / "gw-1", "gw-1")}
    statuses = []
    for _ in range(RENEWALS_A_DAY + 3):
        async with session.post(PATH_RENEW, json=told) as response:
            statuses.append(response.status)
    assert statuses == [200] * (RENEWALS_A_DAY - 1) + [429] * 4  # the first came with the enrolment
    assert ("gw-1", "enrol_often", 1) in await refusals(door.db)
    guess = {**told, "code": await door.code("gw-9"), "sign_key": "ab" * 32}
    await revoke(door.db, "gw-9")
    before = await fingerprint(door.db)
    for _ in range(20):
        async with session.post(PATH_ENROL, json=guess) as response:
            assert response.status == 403
    assert await fingerprint(door.db) == before
    assert [each for each in await refusals(door.db) if each[0] == "unknown"] == [("unknown", "enrol_code", 1)]


def test_a_day_of_a_flood_from_everywhere_takes_a_page_of_the_audit() -> None:
    tallies, written, seen = Tallies(), 0, 0
    for second in range(0, 86_400, 2):
        for address in range(5):
            written += tallies.add(Refused("", f"2001:db8::{seen}", "POST /x", "sync_bad_secret"), second)
            written += tallies.add(Refused("gw-1", f"10.0.0.{address}", "POST /x", "sync_broken_batch"), second)
            seen += 1
        if second % 30 == 0:
            due = tallies.due(second)
            written += len(due)
            assert all(times > 0 for _, times in due)
    assert seen > 200_000
    assert written < 400
    assert len(tallies._known) < 50, "nor does it take memory"


async def test_how_often_it_came_is_told_when_it_is_over(door: Door) -> None:
    now = [0.0]
    noted = Refusals(door.db, lambda: now[0])
    for _ in range(99):
        await noted.note(Forbidden("sync_bad_signature", "x"), None, "10.0.0.9", "POST /api/v1/sync/batches")
    now[0] = 61
    await noted.tell()
    await noted.tell()
    assert await refusals(door.db) == [("unknown", "sync_bad_signature", 1), ("unknown", "sync_bad_signature", 98)]
