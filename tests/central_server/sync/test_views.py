"""The gateways' door over real HTTP: acknowledged once, counted once, and what is refused."""

import asyncio
import gzip
import json
from contextlib import ExitStack
from decimal import Decimal
from typing import Any, TypeAlias

import pytest

from central_server.clock import now_ms
from central_server.devices.service import revoke
from central_server.sync.gate import AT_ONCE
from central_server.sync.views import GATE, SNAPSHOTS
from central_server.web import HUB
from protocols.quantity import Quality
from protocols.snapshot import LANE_HEADER, PATH_LIVE, encode_snapshot
from protocols.sync import MAX_BATCH_BYTES, MAX_BATCH_RECORDS, PATH_BATCHES, PATH_STATUS, Event, Lane, Reading, Series

Centre: TypeAlias = Any  # the fixtures' classes, in conftest
Gateway: TypeAlias = Any
ENERGY = Series("em-1", "energyImportTotal", "kWh")


def readings(first: int, count: int) -> list[Reading]:
    """Make readings that tell their number by value and time."""
    return [Reading(ENERGY, 1000 * number, Decimal(number), Quality.GOOD) for number in range(first, first + count)]


async def settled(centre: Centre) -> None:
    """Wait until the log is expanded."""
    async with asyncio.timeout(10):
        while any(row.expanded_at is None and row.error is None for row in await centre.rows("batch")):
            await asyncio.sleep(0.01)


async def counted(centre: Centre) -> list[int]:
    await settled(centre)
    return [row.seq for row in await centre.rows("reading")]


async def test_a_batch_is_acknowledged_stored_as_it_came_and_expanded(centre: Centre, gateway: Gateway) -> None:
    body = gateway.batch(Lane.BILLING, 1, *readings(1, 3))
    answer = await gateway.deliver(body)
    assert (answer.status, answer.json["acked"]) == (200, 3)
    (stored,) = await centre.rows("batch")
    assert (stored.body, stored.epoch, stored.lane) == (body, str(2**64 - 1), 2)
    assert await counted(centre) == [1, 2, 3]
    assert [(row.high_seq, row.lane) for row in await centre.rows("lane_mark")] == [(3, 2)]


async def test_a_replayed_batch_is_counted_once(centre: Centre, gateway: Gateway) -> None:
    body = gateway.batch(Lane.BILLING, 1, *readings(1, 5))
    answers = [await gateway.deliver(body) for _ in range(3)]
    assert [(answer.status, answer.json["acked"]) for answer in answers] == [(200, 5)] * 3
    assert len(await centre.rows("batch")) == 1
    assert await counted(centre) == [1, 2, 3, 4, 5]


async def test_a_batch_delivered_twice_at_the_same_moment_is_counted_once(centre: Centre, gateway: Gateway) -> None:
    body = gateway.batch(Lane.BILLING, 1, *readings(1, 5))
    answers = await asyncio.gather(*(gateway.deliver(body) for _ in range(8)))
    assert {(answer.status, answer.json["acked"]) for answer in answers} == {(200, 5)}
    assert await counted(centre) == [1, 2, 3, 4, 5]


async def test_of_an_overlapping_batch_only_the_new_counts(centre: Centre, gateway: Gateway) -> None:
    await gateway.deliver(gateway.batch(Lane.BILLING, 1, *readings(1, 3)))
    answer = await gateway.deliver(gateway.batch(Lane.BILLING, 2, *readings(2, 4)))
    assert answer.json["acked"] == 5
    assert await counted(centre) == [1, 2, 3, 4, 5]
    assert [(row.first_seq, row.from_seq, row.last_seq) for row in await centre.rows("batch")] == [(1, 1, 3), (2, 4, 5)]


async def test_a_gap_is_answered_with_what_is_expected(centre: Centre, gateway: Gateway) -> None:
    await gateway.deliver(gateway.batch(Lane.BILLING, 1, *readings(1, 3)))
    answer = await gateway.deliver(gateway.batch(Lane.BILLING, 5, *readings(5, 2)))
    assert (answer.status, answer.json["error"]["key"]) == (409, "sync_gap")
    assert answer.json["error"]["fields"]["expected"] == 4
    assert await counted(centre) == [1, 2, 3]


async def test_lanes_and_epochs_count_for_themselves(centre: Centre, gateway: Gateway) -> None:
    await gateway.deliver(gateway.batch(Lane.BILLING, 1, *readings(1, 2)))
    assert (await gateway.deliver(gateway.batch(Lane.TELEMETRY, 1, *readings(1, 1)))).json["acked"] == 1
    gateway.epoch = 1
    assert (await gateway.deliver(gateway.batch(Lane.BILLING, 1, *readings(1, 1)))).json["acked"] == 1
    assert len(await counted(centre)) == 4


async def test_two_gateways_count_for_themselves(centre: Centre, gateway: Gateway) -> None:
    other = await centre.gateway("gw-2")
    for each in (gateway, other):
        assert (await each.deliver(each.batch(Lane.BILLING, 1, *readings(1, 2)))).json["acked"] == 2
    assert len(await counted(centre)) == 4
    assert len(await centre.rows("device")) == 2, "the same name at two gateways is two devices"


@pytest.mark.parametrize("flip", [0, 10, 100, 124, -1])
async def test_a_broken_body_is_refused_and_leaves_nothing(centre: Centre, gateway: Gateway, flip: int) -> None:
    body = bytearray(gateway.batch(Lane.BILLING, 1, *readings(1, 3)))
    body[flip] ^= 1
    answer = await gateway.deliver(bytes(body))
    assert (answer.status, answer.json["error"]["key"]) == (400, "sync_broken_batch")
    assert await centre.rows("batch") == []
    assert await centre.rows("lane_mark") == []


@pytest.mark.parametrize("body", [b"", b"GHB1", b"{}", b"\x00" * 100])
async def test_bytes_that_are_no_batch_are_refused(gateway: Gateway, body: bytes) -> None:
    answer = await gateway.deliver(body)
    assert (answer.status, answer.json["error"]["key"]) == (400, "sync_broken_batch")


async def test_another_gateways_batch_is_refused(centre: Centre, gateway: Gateway) -> None:
    other = await centre.gateway("gw-2")
    answer = await gateway.deliver(other.batch(Lane.BILLING, 1, *readings(1, 3)))
    assert (answer.status, answer.json["error"]["key"]) == (403, "sync_wrong_gateway")
    assert await centre.rows("batch") == []


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Gateway",
        "Gateway gw-1",
        "Gateway gw-1:",
        "Gateway gw-1:wrong",
        "Gateway gw-2:{secret}",
        "Gateway :{secret}",
        "Bearer gw-1:{secret}",
        "gateway gw-1:{secret}",
        "Gateway gw-1:{secret}x",
        "Gateway GW-1:{secret}",
        "Gateway \xff:\xff",
        "Gateway ' OR 1=1 --:x",
    ],
)
@pytest.mark.parametrize("path", [PATH_BATCHES, PATH_STATUS])
async def test_a_wrong_secret_is_refused_in_the_same_words(
    centre: Centre, gateway: Gateway, authorization: str, path: str
) -> None:
    headers = {"Authorization": authorization.format(secret=gateway.secret)}
    answer = await centre.ask("POST", path, data=gateway.batch(Lane.BILLING, 1, *readings(1, 1)), headers=headers)
    assert (answer.status, answer.json["error"]["key"]) == (401, "sync_bad_secret")
    assert await centre.rows("batch") == []


async def test_a_renewed_secret_shuts_the_old_one_out(centre: Centre, gateway: Gateway) -> None:
    renewed = await centre.gateway("gw-1")
    assert (await gateway.report()).status == 401
    assert (await renewed.report()).status == 200


async def test_a_revoked_gateway_is_refused_at_once(centre: Centre, gateway: Gateway) -> None:
    assert (await gateway.report()).status == 200
    await revoke(centre.db, "gw-1")
    assert (await gateway.report()).status == 401
    assert (await gateway.deliver(gateway.batch(Lane.BILLING, 1, *readings(1, 1)))).status == 401


@pytest.mark.parametrize(
    "header", ["Forwarded", "forwarded", "X-Forwarded-For", "x-forwarded-for", "X-Real-IP", "x-real-ip", "via"]
)
async def test_a_gateway_behind_a_proxy_is_not_of_this_machine(gateway: Gateway, header: str) -> None:
    for path in (PATH_BATCHES, PATH_STATUS):
        answer = await gateway.post(path, b"{}", **{header: "127.0.0.1"})
        assert (answer.status, answer.json["error"]["key"]) == (403, "sync_not_local")


async def test_a_body_that_is_too_large_is_refused_before_it_is_read(gateway: Gateway) -> None:
    answer = await gateway.deliver(b"x" * (MAX_BATCH_BYTES + 1))
    assert (answer.status, answer.json["error"]["key"]) == (413, "sync_too_large")


async def test_a_small_body_that_unpacks_too_large_is_refused(gateway: Gateway) -> None:
    packed = gzip.compress(b"x" * (MAX_BATCH_BYTES + 1))
    answer = await gateway.post(PATH_BATCHES, packed, **{"Content-Encoding": "gzip"})
    assert (answer.status, answer.json["error"]["key"]) == (413, "sync_too_large")


async def test_a_body_that_does_not_unpack_is_refused(gateway: Gateway) -> None:
    answer = await gateway.post(PATH_BATCHES, b"not gzip", **{"Content-Encoding": "gzip"})
    assert answer.status == 400


async def test_too_many_at_once_are_told_to_come_again_and_an_alarm_is_let_in(centre: Centre, gateway: Gateway) -> None:
    body, alarm = gateway.batch(Lane.BILLING, 1, *readings(1, 1)), Event("alarm", "x", 1, {"state": "on"})
    with ExitStack() as full:
        for number in range(AT_ONCE - 8):
            full.enter_context(centre.app[GATE].place(number, Lane.TELEMETRY))
        answer = await gateway.post(PATH_BATCHES, body, **{LANE_HEADER: "2"})
        assert (answer.status, answer.json["error"]["key"]) == (503, "sync_busy")
        assert int(answer.headers["Retry-After"]) >= 2
        urgent = gateway.batch(Lane.SAFETY, 1, alarm)
        assert (await gateway.post(PATH_BATCHES, urgent, **{LANE_HEADER: "0"})).status == 200
    assert (await gateway.deliver(body)).status == 200


async def test_an_acknowledgement_says_how_much_more_is_taken(gateway: Gateway) -> None:
    answer = await gateway.deliver(gateway.batch(Lane.BILLING, 1, *readings(1, 1)))
    assert answer.json["window"] == MAX_BATCH_RECORDS
    assert "retry_after" not in answer.json


async def test_a_snapshot_is_shown_at_once_and_counted_never(centre: Centre, gateway: Gateway) -> None:
    await gateway.send(Lane.BILLING, *readings(1, 3))
    await settled(centre)
    now = now_ms()
    with_hub = centre.app[HUB].subscribe()
    async with with_hub as queue:
        shown = [Reading(ENERGY, now, Decimal("99.5")), Reading(Series("em-9", "new", "W"), now, Decimal(1))]
        assert (await gateway.post(PATH_LIVE, encode_snapshot(shown))).status == 200
        (item,) = json.loads(queue.get_nowait())["items"]
        assert (item["value"], item["at"]) == ("99.5", now)
        await gateway.post(PATH_LIVE, encode_snapshot([Reading(ENERGY, now - 5, Decimal(7))]))
        ahead = now + 3_600_000
        await gateway.post(PATH_LIVE, encode_snapshot([Reading(ENERGY, ahead, Decimal(8))]))
        assert queue.empty(), "nothing older is shown, and nothing of the future"
    await centre.app[SNAPSHOTS].write_down()
    (row,) = await centre.rows("latest")
    assert (row.taken_at, row.batch_id) == (now, None)
    assert await counted(centre) == [1, 2, 3]
    gateway.seqs[Lane.BILLING] = 3
    await gateway.send(Lane.BILLING, Reading(ENERGY, now, Decimal("99.5")))
    await settled(centre)
    (row,) = await centre.rows("latest")
    assert (row.taken_at, row.batch_id) == (now, 2), "the record takes its picture's place"


@pytest.mark.parametrize("body", [b"", b"[]", b'{"values": [[1]]}', b'{"values": [["a", "b", "W", 1, "NaN", 0]]}'])
async def test_a_snapshot_that_cannot_be_read_is_refused(gateway: Gateway, body: bytes) -> None:
    answer = await gateway.post(PATH_LIVE, body)
    assert (answer.status, answer.json["error"]["key"]) == (400, "sync_broken_snapshot")


async def test_a_database_that_cannot_store_is_no_acknowledgement(centre: Centre, gateway: Gateway) -> None:
    body = gateway.batch(Lane.BILLING, 1, *readings(1, 1))
    async with centre.db.write() as connection:
        await connection.exec_driver_sql("ALTER TABLE batch RENAME TO elsewhere")
    answer = await gateway.deliver(body)
    assert (answer.status, answer.json["error"]["key"]) == (503, "sync_cannot_store")
    assert "Retry-After" in answer.headers
    async with centre.db.write() as connection:
        await connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO batch")
    assert (await gateway.deliver(body)).json["acked"] == 1, "the mark did not move without the batch"


async def test_a_status_makes_its_devices_and_is_kept(centre: Centre, gateway: Gateway) -> None:
    device = {"id": "em-1", "name": "电表", "kind": "electricity", "bus": "b", "profile": "p", "address": "1"}
    answer = await gateway.report(devices=[device | {"state": "ok"}], buses=[{"id": "b", "state": "up"}], new_key=1)
    assert answer.status == 200
    assert abs(answer.json["server_time"] - (await centre.rows("gateway"))[0].last_seen_at) < 5000
    (row,) = await centre.rows("device")
    assert (row.code, row.name, row.kind, row.address) == ("em-1", "电表", "electricity", "1")
    await gateway.report(devices=[device | {"name": "1-101 电表"}])
    assert [(found.id, found.name) for found in await centre.rows("device")] == [(row.id, "1-101 电表")]


async def test_a_device_heard_by_reading_first_gets_its_name_with_the_status(centre: Centre, gateway: Gateway) -> None:
    await gateway.send(Lane.BILLING, *readings(1, 1))
    await settled(centre)
    assert [(row.code, row.name, row.kind) for row in await centre.rows("device")] == [("em-1", "em-1", "")]
    await gateway.report(devices=[{"id": "em-1", "name": "电表", "kind": "electricity"}])
    assert [(row.code, row.name, row.kind) for row in await centre.rows("device")] == [("em-1", "电表", "electricity")]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"edge_id": "gw-1", "devices": 5}',
        b'{"edge_id": "gw-1", "devices": [{"name": "x"}]}',
        b'{"edge_id": "gw-1", "devices": [{"id": ""}]}',
        b'{"edge_id": "gw-1", "x": NaN}',
        b'{"edge_id": "gw-1", "x": "\\ud800"}',
        b"[" * 100_000,
    ],
    ids=range(10),
)
async def test_a_status_of_another_shape_is_refused(centre: Centre, gateway: Gateway, body: bytes) -> None:
    answer = await gateway.post(PATH_STATUS, body)
    assert (answer.status, answer.json["error"]["key"]) == (400, "sync_broken_status")
    assert (await centre.rows("gateway"))[0].last_seen_at is None


async def test_a_status_for_another_gateway_is_refused(centre: Centre, gateway: Gateway) -> None:
    await centre.gateway("gw-2")
    answer = await gateway.report(edge_id="gw-2")
    assert (answer.status, answer.json["error"]["key"]) == (403, "sync_wrong_gateway")


async def test_events_come_in_by_the_same_door(centre: Centre, gateway: Gateway) -> None:
    await gateway.send(Lane.SAFETY, Event("door", "device:door-1", 5, {"state": "开"}))
    await settled(centre)
    assert [(row.kind, row.subject, row.at, row.body) for row in await centre.rows("event")] == [
        ("door", "device:door-1", 5, '{"state": "开"}')
    ]


async def test_what_is_refused_is_in_the_audit_once_a_minute_and_a_copied_gateway_raises_an_alarm(
    centre: Centre, gateway: Gateway
) -> None:
    await gateway.deliver(gateway.batch(Lane.BILLING, 1, *readings(1, 3)))
    for _ in range(5):
        assert (await gateway.deliver(gateway.batch(Lane.BILLING, 1, *readings(101, 3)))).status == 409
    assert (await gateway.post(PATH_BATCHES, b"x", secret="wrong")).status == 401
    assert (await gateway.deliver(gateway.batch(Lane.BILLING, 9, *readings(9, 1)))).json["error"]["key"] == "sync_gap"
    refused = [row for row in await centre.rows("audit") if row.action == "gateways.refused"]
    told = [(row.subject, row.outcome, json.loads(row.detail)["reason"]) for row in refused]
    assert told == [
        ("gateway:gw-1", "denied", "sync_fork"),
        ("gateway:unknown", "denied", "sync_bad_secret"),
        ("gateway:gw-1", "denied", "sync_gap"),
    ]
    (alarm,) = await centre.rows("alarm")
    assert (alarm.condition, alarm.subject, alarm.cleared_at) == ("gateway_copied", "gateway:gw-1", None)
    await settled(centre)
    assert [row.seq for row in await centre.rows("reading")] == await counted(centre) == [1, 2, 3]
