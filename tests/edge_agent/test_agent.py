"""The whole gateway on a simulated site: real sockets, a pty, real processes."""

import asyncio
import json
import signal
import time
from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from aiohttp import web

from drivers.bus.settings import SerialSettings, TcpSettings
from edge_agent.agent import probe_cost_s, run_agent
from edge_agent.config import load_settings
from edge_agent.live import iso_ms
from edge_agent.store import Store
from edge_agent.store_file import peek_records, read_lanes
from protocols.sync import PATH_BATCHES, PATH_STATUS, Event, Lane, Reading, Series
from tests.edge_agent.log_centre import KEY, LogCentre
from tests.edge_agent.site import Site, open_site

HEALTHY = ("em-1", "em-2", "em-3")


def journal(folder: Path) -> dict[str, list[tuple[float, Decimal]]]:
    """Give what each meter said of its register, and when."""
    said: dict[str, list[tuple[float, Decimal]]] = defaultdict(list)
    for line in (folder / "journal.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if entry["point"] == "energyImportTotal":
            at = datetime.fromisoformat(entry["served_at"]).timestamp() * 1000
            said[entry["meter"]].append((at, Decimal(entry["value"])))
    return said


def registers(folder: Path) -> list[tuple[int, Reading]]:
    found = peek_records(folder / "data/edge.db", Lane.BILLING, 10_000)
    return [
        (seq, record)
        for seq, record in found
        if isinstance(record, Reading) and record.series.point == "energyImportTotal"
    ]


async def is_offline(site: Site) -> bool:
    status = await site.ask()
    return {row["id"]: row["state"] for row in status["devices"]}.get("em-4") == "offline"


async def test_a_gateway_reads_stores_and_survives_sigkill_beside_a_dead_meter(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        gateway = await site.start("run")
        await site.until(lambda: is_offline(site))
        began = time.time() * 1000
        await asyncio.sleep(6)
        shown = await site.ask("values")
        gateway.send_signal(signal.SIGKILL)
        await gateway.wait()
        accepted = read_lanes(tmp_path / "data/edge.db")
        kept = {lane: peek_records(tmp_path / "data/edge.db", lane, 10_000) for lane in Lane}
        killed = time.time() * 1000

        gateway = await site.start("run")
        await site.until(lambda: any(record.taken_at > killed for _, record in registers(tmp_path)))
        later = read_lanes(tmp_path / "data/edge.db")
        assert all(later[lane].next_seq >= accepted[lane].next_seq for lane in Lane), "a number was given out twice"

        stopping = time.monotonic()
        gateway.send_signal(signal.SIGTERM)
        assert await gateway.wait() == 0
        assert time.monotonic() - stopping < 2

    stored = {
        (record.series.device, record.series.point, iso_ms(record.taken_at))
        for lane in (Lane.BILLING, Lane.TELEMETRY)
        for _, record in kept[lane]
        if isinstance(record, Reading)
    }
    for row in shown:
        for value in row["values"]:
            assert (row["id"], value["point"], value["taken_at"]) in stored, "what was shown had been stored"
    for lane in Lane:
        assert peek_records(tmp_path / "data/edge.db", lane, len(kept[lane]) or 1)[: len(kept[lane])] == kept[lane]
        seqs = [seq for seq, _ in peek_records(tmp_path / "data/edge.db", lane, 10_000)]
        assert seqs == list(range(1, len(seqs) + 1)), f"a hole in the {lane.word} lane"
    said = journal(tmp_path)
    rows = registers(tmp_path)
    assert {record.series.device for _, record in rows} == set(HEALTHY)
    for _, record in rows:
        before = [value for at, value in said[record.series.device] if at <= record.taken_at]
        assert record.value == before[-1], "a reading is what the meter had just said"

    for device in HEALTHY:
        times = [
            record.taken_at for _, record in rows if record.series.device == device and began < record.taken_at < killed
        ]
        mean_s = (times[-1] - times[0]) / (len(times) - 1) / 1000
        assert mean_s <= 1.25, f"{device} was read every {mean_s:.2f} s beside a dead meter, not every 1 s"

    events = [
        record for _, record in peek_records(tmp_path / "data/edge.db", Lane.SAFETY, 100) if isinstance(record, Event)
    ]
    assert [event.kind for event in events].count("started") == 2
    raised = next(event for event in events if event.kind == "alarm")
    assert (raised.subject, raised.body["condition"], raised.body["state"]) == (
        "device:em-4",
        "device_offline",
        "raised",
    )


async def test_a_meter_that_comes_back_and_a_line_that_is_cut_are_told(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        await site.start("run")
        await site.until(lambda: is_offline(site))
        (simulator, _) = site.running
        simulator.send_signal(signal.SIGTERM)
        await simulator.wait()

        async def is_down() -> bool:
            status = await site.ask()
            is_told = all(bus["state"] == "down" and bus["error"] for bus in status["buses"])
            return is_told and all(row["state"] == "offline" for row in status["devices"])

        await site.until(is_down)

        site_file = (tmp_path / "site.toml").read_text().replace("dead = true", 'initial = "5.00"\nmean = 4000')
        (tmp_path / "site.toml").write_text(site_file)
        await site.start("sim", "site.toml")

        async def is_well() -> bool:
            status = await site.ask()
            return all(row["state"] == "ok" for row in status["devices"])

        await site.until(is_well, 40)
    events = [
        record for _, record in peek_records(tmp_path / "data/edge.db", Lane.SAFETY, 100) if isinstance(record, Event)
    ]
    last = {(event.subject, event.body["condition"]): event.body["state"] for event in events if event.kind == "alarm"}
    assert last == {
        ("device:em-4", "device_offline"): "cleared",
        ("bus:tcp-1", "bus_down"): "cleared",
        ("bus:line-1", "bus_down"): "cleared",
    }


def test_a_silent_serial_device_costs_its_timeout_and_the_quiet_after_it() -> None:
    assert probe_cost_s(TcpSettings("a", "127.0.0.1", timeout_s=0.5)) == 0.5
    assert probe_cost_s(SerialSettings("b", "/dev/null", timeout_s=1.0)) > 2.0


def at_the_door(centre: LogCentre) -> web.Application:
    """Let a centre's decisions be asked over HTTP."""

    async def batches(request: web.Request) -> web.Response:
        reply = centre.deliver(await request.read())
        return web.Response(body=reply.body, status=reply.status, content_type="application/json")

    async def status(_: web.Request) -> web.Response:
        return web.json_response({"server_time": time.time_ns() // 1_000_000})

    app = web.Application(client_max_size=8 * 1024 * 1024)
    app.router.add_post(PATH_BATCHES, batches)
    app.router.add_post(PATH_STATUS, status)
    return app


async def test_a_gateway_that_finds_its_store_damaged_mends_it_and_goes_on(tmp_path: Path) -> None:
    centre = LogCentre()
    runner = web.AppRunner(at_the_door(centre), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    (tmp_path / "secret").write_text("s3cret")
    (tmp_path / "secret").chmod(0o600)
    (tmp_path / "edge.toml").write_text(
        f'[edge]\nid = "gw-1"\ndata = "data"\n\n[uplink]\nurl = "{site.name}"\nsecret_file = "secret"\n'
    )
    settings = load_settings(tmp_path / "edge.toml")
    (settings.data / "identity").mkdir(parents=True, mode=0o700)
    (settings.data / "identity" / "sign.key").write_text(KEY.private_bytes_raw().hex())
    series = Series("em-1", "energyImportTotal", "kWh")
    async with await Store.open(settings.store_path, "gw-1") as store:
        await store.append(Lane.BILLING, [Reading(series, at, Decimal(at)) for at in range(1, 401)])
        await store.append(Lane.SAFETY, [Event("access", "door:front", 1, {"text": "seven apples"})] * 3)
    content = settings.store_path.read_bytes()
    assert content.count(b"seven apples") == 3
    settings.store_path.write_bytes(content.replace(b"seven apples", b"seven apfles", 1))
    gateway = asyncio.create_task(run_agent(settings))
    async with asyncio.timeout(15):
        while not (
            (conditions := told_conditions(centre))
            and centre.records(Lane.CONTROL)
            and len(centre.records(Lane.BILLING)) == 400
        ):
            await asyncio.sleep(0.05)
    gateway.cancel()
    await asyncio.wait([gateway])
    await runner.cleanup()
    assert conditions == ["store_damaged"]
    assert [record.taken_at for record in centre.records(Lane.BILLING) if isinstance(record, Reading)] == [
        *range(1, 401)
    ]
    doors = [
        record.body for record in centre.records(Lane.SAFETY) if isinstance(record, Event) and record.kind == "access"
    ]
    assert doors == [{"text": "seven apples"}] * 2, "of what was changed nothing wrong was sent"
    (stone,) = [record.body for record in centre.records(Lane.CONTROL) if isinstance(record, Event)]
    assert (stone["lane"], stone["lost"]) == (0, 1)


def told_conditions(centre: LogCentre) -> list[str]:
    events = [record for record in centre.records(Lane.SAFETY) if isinstance(record, Event)]
    return [event.body["condition"] for event in events if event.kind == "alarm"]
