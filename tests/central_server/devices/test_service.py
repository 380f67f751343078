"""Gateways and devices: let in, shown with their state, missed when silent."""

import json
from typing import Any

import pytest
from sqlalchemy import event

from central_server.alarms import service as alarms
from central_server.clock import now_ms
from central_server.db import Database
from central_server.devices.service import (
    SILENT_MS,
    GatewayWatch,
    get_device,
    invite,
    list_devices,
    list_gateways,
    note_status,
    read_status,
    revoke,
)
from central_server.errors import BadRequest, Conflict, NotFound
from central_server.live import Hub
from central_server.rbac import system
from central_server.sync.service import secret_hash
from central_server.telemetry.manual import Meter, series_of

START = 1_000_000_000_000
ME = system("test")


class Clock:
    now = START

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("central_server.devices.service.now_ms", made)
    return made


def status(*devices: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"edge_id": "gw-1", "devices": list(devices), **more}


async def heard(db: Database, *devices: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    return await noted(db, 1, "gw-1", status(*devices, **more))


async def noted(db: Database, gateway_id: int, edge_id: str, told: dict[str, Any]) -> list[dict[str, Any]]:
    read = read_status(edge_id, told)
    return await db.keep(lambda connection: note_status(connection, gateway_id, read, told))


async def test_an_invited_gateway_has_a_secret_that_is_kept_as_a_hash(db: Database) -> None:
    secret = await invite(db, "lake", "gw-1", "一期")
    (row,) = await list_gateways(db, ME)
    assert (row.edge_id, row.name, row.site_code, row.last_seen_at, row.status) == ("gw-1", "一期", "lake", None, {})
    assert len(secret) >= 43, "256 bits"
    assert db.path is not None
    data = b"".join(path.read_bytes() for path in db.path.parent.glob("central.db*"))
    assert secret_hash(secret).encode() in data
    assert secret.encode() not in data


async def test_an_invitation_names_what_is_wrong_with_it(db: Database) -> None:
    with pytest.raises(NotFound, match=r"no site 'park'.*records import"):
        await invite(db, "park", "gw-1")
    for edge_id in ("GW-1", "", "-a", "a" * 33, "a/b"):
        with pytest.raises(BadRequest, match="small letters"):
            await invite(db, "lake", edge_id)
    assert await list_gateways(db, ME) == []


async def test_a_gateway_stays_with_its_site(db: Database) -> None:
    async with db.write() as connection:
        await connection.exec_driver_sql("INSERT INTO site (code, name, zone) VALUES ('park', '', 'UTC')")
    await invite(db, "lake", "gw-1")
    with pytest.raises(Conflict, match="belongs to site 'lake'"):
        await invite(db, "park", "gw-1")


async def test_a_gateway_is_revoked_once_and_an_invitation_lets_it_in_again(db: Database) -> None:
    await invite(db, "lake", "gw-1")
    await revoke(db, "gw-1")
    assert (await list_gateways(db, ME))[0].revoked_at is not None
    for edge_id in ("gw-1", "gw-9"):
        with pytest.raises(NotFound, match=edge_id):
            await revoke(db, edge_id)
    await invite(db, "lake", "gw-1")
    assert (await list_gateways(db, ME))[0].revoked_at is None


async def test_a_device_is_shown_with_what_its_gateway_says_of_it(db: Database, clock: Clock) -> None:
    await invite(db, "lake", "gw-1")
    told = {"id": "em-1", "bus": "line-1", "state": "offline", "breaker": "open", "error": "no answer"}
    view = await heard(db, told, buses=[{"id": "line-1", "state": "up", "utilisation": 0.5}])
    (shown,) = await list_devices(db, ME)
    assert view == [{"device": shown.device.id, "state": "offline", "breaker": "open", "error": "no answer"}]
    assert shown == await get_device(db, ME, shown.device.id)
    assert (shown.state["error"], shown.bus_state["utilisation"], shown.is_silent) == ("no answer", 0.5, False)
    clock.now += SILENT_MS + 1
    assert (await list_devices(db, ME))[0].is_silent
    with pytest.raises(NotFound):
        await get_device(db, ME, 99)


async def test_a_device_its_gateway_no_longer_has_stays_without_a_state(db: Database) -> None:
    await invite(db, "lake", "gw-1")
    await heard(db, {"id": "em-1"}, {"id": "em-2"})
    await heard(db, {"id": "em-2", "state": "ok"})
    assert [(view.device.code, dict(view.state).get("state")) for view in await list_devices(db, ME)] == [
        ("em-1", None),
        ("em-2", "ok"),
    ]


async def test_a_device_told_twice_in_one_status_is_one_device(db: Database) -> None:
    await invite(db, "lake", "gw-1")
    await heard(db, {"id": "em-1", "name": "a"}, {"id": "em-1", "name": "b"})
    assert [view.device.name for view in await list_devices(db, ME)] == ["b"]


async def test_a_silent_gateway_is_an_alarm_once_and_cleared_when_it_is_heard(db: Database, clock: Clock) -> None:
    await invite(db, "lake", "gw-1")
    hub = Hub()
    async with hub.subscribe() as queue:
        watch = GatewayWatch(db, hub, clock)
        await heard(db)
        clock.now += 30_000
        await watch.look()
        await watch.look()
        (row,) = (await alarms.list_alarms(db)).alarms
        assert (row.subject, row.condition, row.priority, row.raised_at, row.cleared_at) == (
            "gateway:gw-1", "gateway_silent", 1, START + 30_000, None,
        )  # fmt: skip
        assert row.detail == {"last_seen_at": START}
        await heard(db)
        clock.now += 1000
        await watch.look()
        assert (await alarms.get_alarm(db, row.id)).cleared_at == START + 31_000
        assert [json.loads(queue.get_nowait() or "") for _ in range(2)] == [{"type": "alarms"}] * 2
        assert queue.empty()
    clock.now += 30_000
    await watch.look()
    assert (await alarms.list_alarms(db, is_active=False)).total == 2, "silent again is a new alarm"


async def test_looking_for_silence_asks_as_little_for_many_gateways_as_for_one(db: Database, clock: Clock) -> None:
    asked: list[str] = []

    @event.listens_for(db.engine.sync_engine, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        asked.append(statement)

    counts = []
    for number in range(1, 4):
        await invite(db, "lake", f"gw-{number}")
        await noted(db, number, f"gw-{number}", {"edge_id": f"gw-{number}", "devices": []})
        asked.clear()
        await GatewayWatch(db, Hub(), clock).look()
        counts.append(len(asked))
    assert counts[0] == counts[2] > 0, "every two seconds it keeps the gateways' own door waiting"


async def test_fifteen_seconds_are_not_yet_silence(db: Database, clock: Clock) -> None:
    await invite(db, "lake", "gw-1")
    watch = GatewayWatch(db, Hub(), clock)
    clock.now += 60_000
    await heard(db)
    clock.now += SILENT_MS
    await watch.look()
    assert (await alarms.list_alarms(db)).total == 0
    clock.now += 1
    await watch.look()
    assert (await alarms.list_alarms(db)).total == 1


async def test_a_restarted_centre_gives_time_and_keeps_the_alarm_that_lasts(db: Database, clock: Clock) -> None:
    await invite(db, "lake", "gw-1")
    await heard(db)
    clock.now += 60_000
    fresh = GatewayWatch(db, Hub(), clock)
    await fresh.look()
    assert (await alarms.list_alarms(db)).total == 0, "the centre was away, not the gateway"
    clock.now += SILENT_MS + 1
    await fresh.look()
    (row,) = (await alarms.list_alarms(db)).alarms
    await GatewayWatch(db, Hub(), clock).look()
    (after,) = (await alarms.list_alarms(db, is_active=False)).alarms
    assert (after.id, after.cleared_at) == (row.id, None)


async def test_neither_a_revoked_gateway_nor_one_never_heard_is_missed(db: Database, clock: Clock) -> None:
    await invite(db, "lake", "gw-1")
    await invite(db, "lake", "gw-2")
    watch = GatewayWatch(db, Hub(), clock)
    await heard(db)
    clock.now += 60_000
    await watch.look()
    await revoke(db, "gw-1")
    await watch.look()
    (row,) = (await alarms.list_alarms(db, is_active=False)).alarms
    assert (row.edge_id, row.cleared_at) == ("gw-1", clock.now)


def test_the_clock_gives_milliseconds_of_this_century() -> None:
    assert 1_700_000_000_000 < now_ms() < 4_100_000_000_000


async def test_what_people_read_is_no_gateway_that_could_be_missed(db: Database) -> None:
    meter = Meter("manual-1", "wm-9", "volumeTotal", "m3")
    async with db.write() as connection:
        assert await series_of(connection, 1, meter, START) is not None
    assert await list_gateways(db, ME) == []
    assert await list_devices(db, ME) == []
