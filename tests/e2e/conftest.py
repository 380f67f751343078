"""A real centre on a loopback port with a small house in it, fed over HTTP as a gateway feeds it, and a real browser."""

import asyncio
import contextlib
import json
import math
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pytest
from aiohttp import web
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from central_server import auth
from central_server.app import build_app
from central_server.billing.period import parse_period
from central_server.billing.service import run_bills
from central_server.billing.tariff import load_tariffs
from central_server.config import Config
from central_server.db import Database
from central_server.devices.service import invite
from central_server.migrate import migrate
from central_server.rbac import Role, system
from central_server.records.model import read_records
from central_server.records.service import import_records
from protocols.quantity import Quality
from protocols.sync import CONTENT_TYPE, PATH_BATCHES, PATH_STATUS, Batch, Event, Lane, Reading, Series, encode_batch
from tests.central_server.vault import KEY_FILE, VAULT

ROOT = Path(__file__).resolve().parents[2]
SHOTS = ROOT / "var" / "screenshots"
CHROMIUM = Path("/usr/bin/chromium")
QUIET = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-gpu",
    "--disable-quic",
)
LOGIN, PASSWORD = "desk-1", "correct horse 7"
ZONE = ZoneInfo("Asia/Shanghai")

# (code, name, kind, bus, profile, address, unit, register, mean use an hour)
METERS = (
    ("em-101", "1-101 电表", "electricity", "tcp-1", "electricity/eastron-sdm630", "1", "1-101", "20417.35", "0.9"),
    ("em-102", "1-102 电表", "electricity", "tcp-1", "electricity/chint-dtsu666", "2", "1-102", "3120.08", "0.45"),
    (
        "em-201",
        "1-201 电表",
        "electricity",
        "line-1",
        "electricity/dlt645-2007",
        "202611000103",
        "1-201",
        "1234.56",
        "4.2",
    ),
    (
        "em-202",
        "1-202 电表",
        "electricity",
        "line-1",
        "electricity/dlt645-2007",
        "202611000104",
        "1-202",
        "4810.02",
        "0.5",
    ),
    ("wm-101", "1-101 水表", "water", "line-2", "water/cjt188", "20261100000201", "1-101", "312.44", "0.018"),
    ("wm-102", "1-102 水表", "water", "line-2", "water/cjt188", "20261100000202", "1-102", "98.07", "0.012"),
    ("wm-201", "1-201 水表", "water", "line-2", "water/cjt188", "20261100000203", "1-201", "1204.91", "0.025"),
)
OTHERS = (
    ("em-302", "1-302 电表(未安装)", "electricity", "line-1", "electricity/dlt645-2007", "202611000106"),
    ("lift-a", "1 号楼 A 梯", "lift", "lift-gw", "elevator/modbus-gateway", "1"),
    ("door-1", "1 号楼单元门", "door", "door-io", "access/modbus-door", "1"),
)
OWNERS = {"1-101": "张伟", "1-102": "王芳", "1-201": "李娜", "1-202": "刘洋"}


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def register_of(meter: tuple[str, ...]) -> Series:
    return (
        Series(meter[0], "energyImportTotal", "kWh")
        if meter[2] == "electricity"
        else Series(meter[0], "volumeTotal", "m3")
    )


def use_until(meter: tuple[str, ...], start: int, at: int) -> Decimal:
    """Give what a meter showed, as a pure function of time: a base load with mornings and evenings on top."""
    hours = (at - start) / 3_600_000
    wave = math.sin((hours + 8) / 24 * 2 * math.pi - 1.9) * 1.8 + math.sin((hours + 8) / 12 * 2 * math.pi + 0.4) * 0.8
    use = Decimal(meter[8]) * Decimal(repr(round(hours + wave, 4)))
    places = Decimal("0.01") if meter[2] == "electricity" else Decimal("0.001")
    return (Decimal(meter[7]) + use).quantize(places)


@dataclass
class Gateway:
    """Speaks the sync protocol to a centre, as edge gw-1."""

    url: str
    secret: str
    epoch: int = 7
    seqs: dict[Lane, int] = field(default_factory=dict)
    down: dict[str, str] = field(default_factory=dict)

    def post(self, path: str, body: bytes, kind: str) -> Any:
        request = urllib.request.Request(
            self.url + path,
            body,
            {"Authorization": f"Gateway gw-1:{self.secret}", "Content-Type": kind},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def send(self, lane: Lane, *records: Reading | Event) -> None:
        for start in range(0, len(records), 10_000):
            part = records[start : start + 10_000]
            first = self.seqs.get(lane, 0) + 1
            self.post(PATH_BATCHES, encode_batch(Batch("gw-1", self.epoch, lane, first, part)), CONTENT_TYPE)
            self.seqs[lane] = first + len(part) - 1

    def read(self, device: str, point: str, unit: str, value: str, at: int | None = None) -> None:
        lane = Lane.BILLING if point in ("energyImportTotal", "volumeTotal") else Lane.TELEMETRY
        self.send(lane, Reading(Series(device, point, unit), at or now_ms(), Decimal(value), Quality.GOOD))

    def alarm(self, device: str, state: str, raised_at: int, at: int, cause: str = "no answer for 3 s") -> None:
        subject, condition = f"device:{device}", "device_offline"
        body = {
            "alarm_id": f"gw-1/{subject}/{condition}/{raised_at}",
            "condition": condition,
            "state": state,
            "priority": 2,
            "detail": {"error": cause},
        }
        self.send(Lane.SAFETY, Event("alarm", subject, at, body))

    def status(self) -> None:
        self.post(PATH_STATUS, json.dumps(self.report()).encode(), "application/json")

    def report(self) -> dict[str, Any]:
        buses = ("tcp-1", "line-1", "line-2", "lift-gw", "door-io")
        load = (0.11, 0.62, 0.34, 0.05, 0.02)
        return {
            "edge_id": "gw-1",
            "epoch": self.epoch,
            "uptime_s": 3600,
            "version": "0.1.0",
            "clock": {"ok": True, "offset_ms": 3},
            "lanes": {
                lane.word: {"next_seq": 1, "acked_seq": 0, "pending": 0, "oldest_age_s": 0, "tombstones": 0}
                for lane in Lane
            },
            "uplink": {"state": "online", "last_ack_at": None, "retry_in_s": 0, "error": None},
            "buses": [
                {
                    "id": bus,
                    "kind": "serial" if bus.startswith("line") else "modbus-tcp",
                    "state": "up",
                    "utilisation": share,
                    "period_ms": 3000,
                    "nominal_ms": 3000,
                    "error": None,
                }
                for bus, share in zip(buses, load, strict=True)
            ],
            "devices": [self._device(each) for each in (*METERS, *OTHERS)],
        }

    def _device(self, each: tuple[str, ...]) -> dict[str, Any]:
        code, name, kind, bus, profile, address = each[:6]
        error = self.down.get(code)
        return {
            "id": code,
            "name": name,
            "kind": kind,
            "bus": bus,
            "profile": profile,
            "address": address,
            "state": "offline" if error else "ok",
            "last_ok_at": None,
            "error": error,
            "breaker": "open" if error else "closed",
            "retry_in_s": 42.0 if error else None,
            "period_s": 10,
        }


@dataclass
class House:
    """A running centre; ``call`` runs a coroutine beside its requests."""

    url: str
    db: Database
    gateway: Gateway
    call: Callable[[Any], Any]
    stop: Callable[[], None]
    number: str = ""

    def wait(self, what: str, check: Callable[[], bool], seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not check():
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            time.sleep(0.1)


class Server:
    """The centre in a thread of its own; it can be stopped and started again on the same port."""

    def __init__(self, folder: Path, language: str = "zh") -> None:
        self.folder, self.language = folder, language
        self.port = 0
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.runner: web.AppRunner | None = None
        self.db = Database(f"sqlite:///{folder / 'central.db'}", VAULT)

    def call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(120)

    async def _start(self) -> None:
        url = str(self.db.url)
        config = Config(
            self.folder / "central.toml", "127.0.0.1", self.port, url, self.language, "Asia/Shanghai", KEY_FILE
        )
        self.runner = web.AppRunner(build_app(config, self.db), shutdown_timeout=1)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", self.port).start()
        self.port = self.runner.addresses[0][1]

    def start(self) -> None:
        self.call(self._start())

    def stop(self) -> None:
        if self.runner is not None:
            runner, self.runner = self.runner, None
            self.call(runner.cleanup())

    def close(self) -> None:
        self.stop()
        self.call(self.db.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)


def records_toml(since: datetime) -> str:
    text = '[[site]]\ncode = "lake"\nname = "湖畔家园"\n[[building]]\nsite = "lake"\ncode = "1"\nname = "1 号楼"\n'
    for unit, owner in OWNERS.items():
        text += f'[[owner]]\ncode = "o-{unit}"\nname = "{owner}"\n'
        text += f'[[unit]]\nsite = "lake"\nbuilding = "1"\ncode = "{unit}"\nowner = "o-{unit}"\n'
    for code, _name, kind, _bus, _profile, _address, unit, *_ in METERS:
        point = "energyImportTotal" if kind == "electricity" else "volumeTotal"
        text += f'[[metering_point]]\ncode = "{unit}-{kind}"\nsite = "lake"\nbuilding = "1"\nunit = "{unit}"\n'
        text += f'kind = "{kind}"\ntariff = "beijing-{kind}-residential"\n'
        text += f'[[installation]]\nmetering_point = "{unit}-{kind}"\ngateway = "gw-1"\ndevice = "{code}"\n'
        text += f'point = "{point}"\nfrom = {since.isoformat()}\n'
    return text


def last_month() -> tuple[str, datetime]:
    """Name the month before this one in the site's zone, and give its first instant."""
    first = datetime.now(ZONE).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    start = (first - timedelta(days=1)).replace(day=1)
    return f"{start:%Y-%m}", start


def fill(gateway: Gateway, start: int, now: int) -> None:
    """Send an hourly history since ``start`` and what the house says just now."""
    marks = [*range(start, now - 3_600_000, 3_600_000), *range(now - 3_600_000, now, 120_000)]
    readings = [
        Reading(register_of(meter), at, use_until(meter, start, at), Quality.GOOD) for at in marks for meter in METERS
    ]
    gateway.send(Lane.BILLING, *readings)
    telemetry = []
    for at in range(now - 30 * 3_600_000, now, 300_000):
        for meter in METERS[:4]:
            per_hour = use_until(meter, start, at + 1_800_000) - use_until(meter, start, at - 1_800_000)
            telemetry.append(Reading(Series(meter[0], "powerTotal", "W"), at, abs(per_hour) * 1000, Quality.GOOD))
        floor = 1 + (at // 300_000 * 7) % 12
        telemetry.append(Reading(Series("lift-a", "currentFloor", ""), at, Decimal(floor), Quality.GOOD))
    states = {
        "lift-a": {"direction": "3", "doorState": "0", "carMode": "1", "passengerAlarm": "0", "inDoorZone": "1"},
        "door-1": {"doorState": "0", "lockState": "0", "tamper": "0"},
        **{meter[0]: {"valveState": "0", "batteryLow": "0"} for meter in METERS if meter[2] == "water"},
    }
    telemetry += [
        Reading(Series(device, point, ""), now, Decimal(code), Quality.GOOD)
        for device, points in states.items()
        for point, code in points.items()
    ]
    volts = {"voltageL1": ("V", "231.4"), "currentL1": ("A", "3.912"), "freq": ("Hz", "49.98")}
    telemetry += [
        Reading(Series(meter[0], point, unit), now, Decimal(value), Quality.GOOD)
        for meter in METERS[:4]
        for point, (unit, value) in volts.items()
    ]
    gateway.send(Lane.TELEMETRY, *telemetry)


def build(server: Server) -> House:
    """Put site, records, gateway, history, alarms and bills into a new centre."""
    period, since = last_month()
    server.call(migrate(server.db))
    server.call(import_records(server.db, read_records(records_toml(since), "records.toml"), load_tariffs()))
    server.call(
        auth.add_account(server.db, LOGIN, "值班台 1", "zh", PASSWORD, Role.ADMINISTRATOR, actor=system("test"))
    )
    secret = server.call(invite(server.db, "lake", "gw-1", "地下室网关"))
    server.start()
    gateway = Gateway(f"http://127.0.0.1:{server.port}", secret)
    house = House(gateway.url, server.db, gateway, server.call, server.stop)
    now = now_ms()
    gateway.down["em-302"] = "no answer for 3 s"
    gateway.status()
    fill(gateway, round(since.timestamp() * 1000), now)
    for hours in (30, 9):
        gateway.alarm("em-302", "raised", now - hours * 3_600_000, now - hours * 3_600_000)
        gateway.alarm("em-302", "cleared", now - hours * 3_600_000, now - hours * 3_600_000 + 420_000)
    gateway.alarm("em-302", "raised", now - 1_380_000, now - 1_380_000)
    house.wait("the batches to be expanded", lambda: server.call(_pending(server.db)) == 0)
    found = server.call(
        run_bills(server.db, parse_period(period), tariffs=load_tariffs(), now=datetime.now(UTC), actor=system("test"))
    )
    assert found.bills, found
    house.number = found.bills[0].number
    return house


async def _pending(db: Database) -> int:
    async with db.read() as conn:
        rows = await conn.exec_driver_sql("SELECT count(*) FROM batch WHERE expanded_at IS NULL")
        return int(rows.scalar_one())


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip("no /usr/bin/chromium; scripts/test installs it")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(CHROMIUM), args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("central"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def house(server: Server) -> Iterator[House]:
    """A house whose gateway reports every few seconds, as real ones do, also while the centre is away."""
    house = build(server)
    done = threading.Event()

    def report() -> None:
        while not done.wait(4):
            with contextlib.suppress(OSError):
                house.gateway.status()

    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    yield house
    done.set()
    thread.join(10)


@dataclass
class Visitor:
    """A browser window of one person, and everything its console complained of."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        self.page.goto(self.url + path)
        return self.page

    def sign_in(self, password: str = PASSWORD) -> None:
        self.open("/sign-in")
        self.page.fill("#login", LOGIN)
        self.page.fill("#password", password)
        self.page.click("button.primary")

    def photograph(self, name: str, *, full: bool = False) -> None:
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{name}.png", full_page=full)


@pytest.fixture
def visit(browser: Browser, house: House) -> Iterator[Callable[..., Visitor]]:
    """Open windows: ``visit(390)`` is a phone; all close when the test ends, and nothing may have complained."""
    windows: list[tuple[BrowserContext, Visitor]] = []

    def open_window(
        width: int = 1440,
        *,
        language: str = "zh-CN",
        scheme: Literal["light", "dark"] = "light",
        signed_in: bool = True,
        **more: Any,
    ) -> Visitor:
        context = browser.new_context(
            viewport={"width": width, "height": 844 if width < 600 else 900},
            locale=language,
            timezone_id="Asia/Shanghai",
            color_scheme=scheme,
            has_touch=width < 600,
            **more,
        )
        page = context.new_page()
        visitor = Visitor(page, house.url)
        page.on("console", lambda said: visitor.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
        windows.append((context, visitor))
        if signed_in:
            visitor.sign_in()
            page.wait_for_url(house.url + "/")
        return visitor

    yield open_window
    for context, _ in windows:
        context.close()
