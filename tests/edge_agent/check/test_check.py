"""Each check, on a machine where all is well and on one where its fault is."""

import contextlib
import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from string import Formatter
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from edge_agent.check import CHECKS
from edge_agent.check.disk_space import judge
from edge_agent.check.fact.scene import Account, Centre, Reach, Scene
from edge_agent.check.finding import Finding, Level, Sentence
from edge_agent.check.round import run_checks
from edge_agent.config import find_config
from edge_agent.identity import keep_certificate, pending_request
from edge_agent.incident import DAMAGED, add_incident
from edge_agent.store_file import connect
from protocols.access import Credential, Rules, encode_rules
from protocols.enrolment import NAME
from protocols.toml import Fault, SettingsError
from tests.edge_agent.check.world import UPLINK, World, meter, serial, table, tcp

BY_NAME = {check.name: check for check in CHECKS}
CHINESE = re.compile("[\u4e00-\u9fff]")
# A half-width mark right after a Chinese character.
HALF_WIDTH = re.compile("[\u4e00-\u9fff][,;:?!]")

RULES = Rules("gw-1", 5, 1_700_000_000_000, "Asia/Shanghai", credentials=(Credential("a", 26, "1"),))


def put_rules(world: World, confirmed_at: float) -> None:
    data = world.put("data/access-rules.json")
    data.write_bytes(encode_rules(RULES))
    world.put("data/access-rules.heard", json.dumps({"version": 5, "confirmed_at": round(confirmed_at * 1000)}))


def put_certificate(world: World) -> None:
    """Have a centre certify this gateway for 90 days from an hour ago."""
    request = x509.load_pem_x509_csr(pending_request(world.root / "data", "gw-1").encode())
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "centre")])
    since = datetime.now(UTC) - timedelta(hours=1)
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"{NAME}gw-1")])
    signed = (
        x509.CertificateBuilder(issuer, request.subject, request.public_key(), 7, since, since + timedelta(days=90))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = signed.public_bytes(serialization.Encoding.PEM).decode()
    keep_certificate(world.root / "data", pem, pem)


Arrange = Callable[[World, bool], Scene]


class Case(NamedTuple):
    check: str
    level: Level
    words: str
    arrange: Arrange


SPEAKERS = ("check.round", "commands.doctor", "commands.bundle", "bundle.content")
CASES: list[Case] = []


def case(check: str, level: Level, words: str) -> Callable[[Arrange], Arrange]:
    """Tell of a scene that is well, or else (the second argument) has the fault, and what is then said."""

    def note(arrange: Arrange) -> Arrange:
        CASES.append(Case(check, level, words, arrange))
        return arrange

    return note


@case("settings", Level.FAILURE, "edge.toml:3 edge.id: the key 'id' is missing.")
def settings(world: World, is_bad: bool) -> Scene:
    fault = Fault("edge.toml", 3, "edge.id", "the key 'id' is missing", "Add it.")
    return world.scene(settings=None, faults=(fault,)) if is_bad else world.scene()


@case("gateway", Level.FAILURE, "The gateway runs, but cannot be asked")
def gateway(world: World, is_bad: bool) -> Scene:
    if is_bad:
        return world.scene(silence="the gateway has not answered for 3 s. Look into its log.")
    return world.scene(status=world.gateway())


@case("gateway", Level.WARNING, "The running gateway is version 0, this command is version 1.")
def gateway_old(world: World, is_bad: bool) -> Scene:
    return world.scene(status={**world.gateway(), "version": "0" if is_bad else "1"})


@case("account", Level.WARNING, "runs as root")
def account(world: World, is_bad: bool) -> Scene:
    uid = 0 if is_bad else 998
    return world.scene(status=world.gateway(status=f"Name:\tedge\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n"))


@case("versions", Level.FAILURE, "Python 3.9 is too old; 3.11 is the oldest that will do.")
def versions(world: World, is_bad: bool) -> Scene:
    return world.scene(python=(3, 9) if is_bad else (3, 12))


@case("port-exists", Level.FAILURE, "there is no serial port")
def port_exists(world: World, is_bad: bool) -> Scene:
    port = world.port()
    return world.scene(serial(port.with_name("ttyUSB7") if is_bad else port))


@case("port-exists", Level.FAILURE, "is not a serial port")
def port_is_a_file(world: World, is_bad: bool) -> Scene:
    return world.scene(serial(world.put("dev/notes", "mine") if is_bad else world.port()))


@case("port-permission", Level.FAILURE, "nobody-here may not open the serial port")
def port_permission(world: World, is_bad: bool) -> Scene:
    port = world.port()
    owner = port.stat().st_uid
    return world.scene(serial(port), account=Account("nobody-here", 4_000_000 if is_bad else owner))


@case("port-name", Level.WARNING, "which may be another adapter's after a restart")
def port_name(world: World, is_bad: bool) -> Scene:
    port = world.port()
    better = world.link("dev/serial/by-id/usb-FTDI-if00-port0", port)
    return world.scene(serial(port if is_bad else better))


@case("port-holder", Level.FAILURE, "is open in process 77 (minicom)")
def port_holder(world: World, is_bad: bool) -> Scene:
    port = world.port()
    world.process(77, "minicom", opened=port if is_bad else None)
    world.process(4711, "edge", opened=port)
    return world.scene(serial(port), status=world.gateway())


@case("port-grabber", Level.WARNING, "ModemManager (process 88) runs")
def port_grabber(world: World, is_bad: bool) -> Scene:
    world.process(88, "ModemManager" if is_bad else "sshd")
    return world.scene(serial(world.port()))


@case("serial-console", Level.FAILURE, "a login prompt (agetty, process 99)")
def serial_console(world: World, is_bad: bool) -> Scene:
    port = world.port("ttyS0")
    tty = Path(os.path.realpath(port)).name
    world.process(99, "agetty", "--keep-baud", tty if is_bad else "tty1")
    return world.scene(serial(port))


@case("serial-console", Level.FAILURE, "a login prompt (agetty, process 99)")
def serial_console_of_a_newer_systemd(world: World, is_bad: bool) -> Scene:
    port = world.port("ttyS0")
    world.process(99, "agetty", "--keep-baud", "-", "vt220", opened=port if is_bad else None)
    return world.scene(serial(port))


@case("serial-console", Level.FAILURE, "the kernel writes its messages to")
def kernel_console(world: World, is_bad: bool) -> Scene:
    port = world.port("ttyS0")
    tty = Path(os.path.realpath(port)).name
    world.put("proc/consoles", f"{tty if is_bad else 'tty0'}  -WU (EC p  )    4:1\n")
    return world.scene(serial(port))


@case("adapter-twin", Level.WARNING, "have one model and one serial number (0001)")
def adapter_twin(world: World, is_bad: bool) -> Scene:
    ports = [world.port(f"ttyUSB{number}") for number in range(2)]
    for number, port in enumerate(ports):
        world.usb(port, f"1-{number + 1}", serial="0001" if is_bad else f"000{number}")
    return world.scene(serial(ports[0]))


@case("adapter-shared", Level.NOTE, "Buses line-1, line-2 are ports of one USB adapter")
def adapter_shared(world: World, is_bad: bool) -> Scene:
    first, second = world.port("ttyUSB0"), world.port("ttyUSB1")
    world.usb(first, "1-1")
    world.usb(second, "1-1" if is_bad else "1-2")
    return world.scene(serial(first) + serial(second, "line-2"))


@case("adapter-latency", Level.WARNING, "keeps bytes back for up to 16 ms")
def adapter_latency(world: World, is_bad: bool) -> Scene:
    port = world.port()
    tty = Path(os.path.realpath(port)).name
    world.put(f"sys/bus/usb-serial/devices/{tty}/latency_timer", "16\n" if is_bad else "1\n")
    return world.scene(serial(port))


@case("adapter-sleep", Level.WARNING, "may be put to sleep after 2 s without use")
def adapter_sleep(world: World, is_bad: bool) -> Scene:
    port = world.port()
    world.usb(port)
    world.put("sys/devices/usb1/1-1/power/control", "auto" if is_bad else "on")
    world.put("sys/devices/usb1/1-1/power/autosuspend_delay_ms", "2000")
    return world.scene(serial(port))


BLE = table("bus", id="air", kind="ble", adapter="hci1")


@case("bluetooth", Level.FAILURE, "there is no Bluetooth adapter hci1")
def bluetooth(world: World, is_bad: bool) -> Scene:
    world.process(55, "bluetoothd")
    world.put(f"sys/class/bluetooth/{'hci0' if is_bad else 'hci1'}/type", "primary")
    return world.scene(BLE)


@case("bluetooth", Level.FAILURE, "the Bluetooth adapter hci1 is switched off")
def bluetooth_off(world: World, is_bad: bool) -> Scene:
    world.process(55, "bluetoothd")
    world.put("sys/class/bluetooth/hci1/rfkill0/soft", "1" if is_bad else "0")
    return world.scene(BLE)


@case("bluetooth", Level.FAILURE, "The Bluetooth service of this machine does not run")
def bluetooth_service(world: World, is_bad: bool) -> Scene:
    world.process(55, "cron" if is_bad else "bluetoothd")
    world.put("sys/class/bluetooth/hci1/type", "primary")
    return world.scene(BLE)


@pytest.mark.parametrize(
    ("error", "words"),
    [("name", "has no address"), ("refused", "refuses"), ("silent", "nothing answers"), ("no buffer", "(no buffer)")],
)
def test_why_a_bus_is_not_reached_is_told_apart(tmp_path: Path, error: str, words: str) -> None:
    scene = World(tmp_path).scene(tcp(), places={("meter.test", 502): Reach(error)})
    (finding,) = found("bus-reach", scene)
    assert finding.level is Level.FAILURE
    assert words in finding.text.en


@case("bus-reach", Level.FAILURE, "meter.test:502 refuses the connection")
def bus_reach(world: World, is_bad: bool) -> Scene:
    return world.scene(tcp(), places={("meter.test", 502): Reach("refused" if is_bad else None, "10.0.0.7")})


@case("bus-twin", Level.WARNING, "Buses 'tcp-1' and 'tcp-2' lead to one address, 10.0.0.7:502")
def bus_twin(world: World, is_bad: bool) -> Scene:
    other = "10.0.0.7" if is_bad else "10.0.0.8"
    places = {("meter.test", 502): Reach(None, "10.0.0.7"), ("twin.test", 502): Reach(None, other)}
    return world.scene(tcp() + tcp("twin.test", "tcp-2"), places=places)


def running(table_name: str, **row: Any) -> dict[str, Any]:
    """Give a status with one row of a table."""
    bus = {"id": "line-1", "state": "up", "error": None}
    device = {"id": "em-1", "bus": "line-1", "address": "7", "profile": "x/y", "state": "ok", "error": None}
    rows: dict[str, Any] = {"buses": [bus], "devices": [{**device, "last_ok_at": None}]}
    rows[table_name] = [{**rows[table_name][0], **row}]
    return rows


@case("bus-state", Level.FAILURE, "The gateway cannot use bus 'line-1': the line is lost")
def bus_state(world: World, is_bad: bool) -> Scene:
    row = {"state": "down", "error": "the line is lost"} if is_bad else {"state": "up"}
    return world.scene(status=running("buses", **row))


@case("line-setting", Level.NOTE, "2400 baud 8N1 is rare for DL/T 645")
def line_setting(world: World, is_bad: bool) -> Scene:
    return world.scene(serial("/dev/none", parity="N" if is_bad else "E") + meter())


@case("line-setting", Level.NOTE, "carries DL/T 645, Modbus RTU")
def line_mixed(world: World, is_bad: bool) -> Scene:
    other = table("device", id="m", bus="line-1", profile="electricity/eastron-sdm630", address="1")
    return world.scene(serial("/dev/none", baudrate=9600) + meter() + (other if is_bad else ""))


@case("line-budget", Level.FAILURE, "as often as set would take about")
def line_budget(world: World, is_bad: bool) -> Scene:
    meters = "".join(meter(f"em-{number}", address=f"{number:012d}", period_s=1) for number in range(1, 4))
    return world.scene(serial("/dev/none") + (meters if is_bad else meter(period_s=300)))


@case("line-pace", Level.WARNING, "every 14.0 s and not every 10.0 s")
def line_pace(world: World, is_bad: bool) -> Scene:
    return world.scene(status=running("buses", period_ms=14_000 if is_bad else 10_100, nominal_ms=10_000))


@case("device-offline", Level.FAILURE, "has never answered since the start: no answer within 1 s")
def device_offline(world: World, is_bad: bool) -> Scene:
    row = {"state": "offline", "error": "no answer within 1 s"} if is_bad else {}
    return world.scene(status=running("devices", **row))


@case("device-offline", Level.FAILURE, "has not answered since 2026-11-01T08:00:00Z")
def device_lost(world: World, is_bad: bool) -> Scene:
    row = {"state": "offline", "last_ok_at": "2026-11-01T08:00:00Z"} if is_bad else {}
    return world.scene(status=running("devices", **row))


@case("device-offline", Level.WARNING, "answers, but not well")
def device_degraded(world: World, is_bad: bool) -> Scene:
    row = {"state": "degraded", "error": "unit 7 refuses (exception 2: illegal data address)"} if is_bad else {}
    return world.scene(status=running("devices", **row))


@case("answer-failed", Level.FAILURE, "30% of 1000 questions got no good answer")
def answer_failed(world: World, is_bad: bool) -> Scene:
    counts = {"answers": 700, "failures": 300} if is_bad else {"answers": 999, "failures": 1}
    return world.scene(status=running("buses", **counts))


@case("answer-stale", Level.WARNING, "40 answers came late")
def answer_stale(world: World, is_bad: bool) -> Scene:
    row = {"answers": 1000, "stale": 40 if is_bad else 0}
    return world.scene(serial("/dev/none"), status=running("buses", **row))


@case("guard-doubt", Level.WARNING, "'energyImportTotal' of 'em-1' went from 100 to 0 kWh")
def guard_doubt(world: World, is_bad: bool) -> Scene:
    row = {"device": "em-1", "point": "energyImportTotal", "believed": "100", "value": "0", "unit": "kWh"}
    return world.scene(doubts=[row] if is_bad else [])


def door(**keys: Any) -> str:
    bus = table("bus", id="doors", kind="osdp", port="/dev/none")
    row = {"id": "door-1", "bus": "doors", "profile": "access/generic-osdp", "address": "1", "key_file": "door.key"}
    return bus + table("device", **row, **keys)


@case("device-key", Level.FAILURE, "this is the default key, which everybody knows")
def device_key(world: World, is_bad: bool) -> Scene:
    key = bytes(range(0x30, 0x40)).hex() if is_bad else "5e" * 16
    world.put("door.key", key + "\n").chmod(0o600)
    return world.scene(door())


@case("device-key", Level.FAILURE, "others can read the key (mode 0644)")
def device_key_open(world: World, is_bad: bool) -> Scene:
    world.put("door.key", "5e" * 16).chmod(0o644 if is_bad else 0o600)
    return world.scene(door())


@case("install-mode", Level.WARNING, "'door-1' is in install mode")
def install_mode(world: World, is_bad: bool) -> Scene:
    return world.scene(door(install_mode=is_bad))


@case("door-rules", Level.FAILURE, "There are no access rules yet")
def door_rules(world: World, is_bad: bool) -> Scene:
    if not is_bad:
        put_rules(world, time.time())
    return world.scene(door())


@case("door-rules", Level.WARNING, "the centre confirmed 48 h ago")
def door_rules_old(world: World, is_bad: bool) -> Scene:
    put_rules(world, time.time() - (172_800 if is_bad else 0))
    return world.scene(door())


@case("door-rules", Level.FAILURE, "The access rules on disk cannot be used")
def door_rules_broken(world: World, is_bad: bool) -> Scene:
    put_rules(world, time.time())
    if is_bad:
        world.put("data/access-rules.json", "{")
    return world.scene(door())


@case("clock-sync", Level.WARNING, "No time service keeps the clock")
def clock_sync(world: World, is_bad: bool) -> Scene:
    return world.scene(is_synchronised=not is_bad)


@case("clock-past", Level.FAILURE, "The clock shows 1970-01-01 00:01Z, but this program was installed on")
def clock_past(world: World, is_bad: bool) -> Scene:
    return world.scene(built_at=1.79e9, now=60.0 if is_bad else 1.8e9)


@case("clock-past", Level.FAILURE, "far in the future")
def clock_future(world: World, is_bad: bool) -> Scene:
    return world.scene(built_at=1.79e9, now=3e9 if is_bad else 1.8e9)


@case("clock-rtc", Level.NOTE, "The machine has no hardware clock")
def clock_rtc(world: World, is_bad: bool) -> Scene:
    if not is_bad:
        world.put("sys/class/rtc/rtc0/name", "ds3231")
    return world.scene()


@case("time-zone", Level.NOTE, "the machine itself is set to America/New_York")
def time_zone(world: World, is_bad: bool) -> Scene:
    zone = world.put(f"usr/share/zoneinfo/{'America/New_York' if is_bad else 'Asia/Shanghai'}", "TZif2")
    world.link("etc/localtime", zone)
    return world.scene()


@case("centre-clock", Level.FAILURE, "This clock is 4000 s away from the centre's (-4000 s)")
def centre_clock(world: World, is_bad: bool) -> Scene:
    centre = Centre(None, 200, "application/json", is_ours=True, offset_s=-4000.0 if is_bad else 0.4)
    return world.scene(UPLINK, centre=centre)


@case("data-folder", Level.WARNING, "may look into the data folder")
def data_folder(world: World, is_bad: bool) -> Scene:
    (world.root / "data").mkdir(mode=0o700)
    (world.root / "data").chmod(0o755 if is_bad else 0o700)
    return world.scene()


@case("data-folder", Level.FAILURE, "is not a folder")
def data_file(world: World, is_bad: bool) -> Scene:
    if is_bad:
        world.put("data", "I am a file")
    else:
        (world.root / "data").mkdir(mode=0o700)
    return world.scene()


def put_store(world: World, edge_id: str = "gw-1") -> Path:
    path = world.root / "data/edge.db"
    path.parent.mkdir(mode=0o700)
    connect(path, edge_id).close()
    return path


@case("store-file", Level.FAILURE, "is damaged")
def store_damaged(world: World, is_bad: bool) -> Scene:
    path = put_store(world)
    if is_bad:
        data = bytearray(path.read_bytes())
        size = int.from_bytes(data[16:18], "big")
        data[-size:] = b"\xff" * size
        path.write_bytes(data)
    return world.scene()


@case("store-file", Level.WARNING, "the store was damaged and mended itself: 12 records were saved, 3 are lost")
def store_salvaged(world: World, is_bad: bool) -> Scene:
    path = put_store(world)
    if is_bad:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            detail = {"kind": DAMAGED, "saved": 12, "lost": 3, "kept_as": "edge.db.damaged-20261123T180000Z"}
            add_incident(connection, time.time_ns() // 1_000_000, detail)
            connection.commit()
    return world.scene()


@case("store-file", Level.FAILURE, "is gateway 'gw-9', not 'gw-1'")
def store_foreign(world: World, is_bad: bool) -> Scene:
    put_store(world, "gw-9" if is_bad else "gw-1")
    return world.scene()


@case("store-file", Level.FAILURE, "The store cannot be used")
def store_text(world: World, is_bad: bool) -> Scene:
    path = put_store(world)
    if is_bad:
        path.write_text("this is a letter to my aunt and no database at all" * 20)
    return world.scene()


@case("store-place", Level.FAILURE, "on a network file system (nfs4")
def store_far(world: World, is_bad: bool) -> Scene:
    world.mounted("nfs4" if is_bad else "ext4", "nas:/data" if is_bad else "/dev/sda1")
    return world.scene()


@case("store-place", Level.FAILURE, "The data folder is in memory")
def store_volatile(world: World, is_bad: bool) -> Scene:
    world.mounted("tmpfs" if is_bad else "ext4")
    return world.scene()


@case("store-place", Level.WARNING, "on an overlay")
def store_overlay(world: World, is_bad: bool) -> Scene:
    world.mounted("overlay" if is_bad else "ext4")
    return world.scene()


@case("store-wal", Level.WARNING, "has grown to 70.0 MB")
def store_wal(world: World, is_bad: bool) -> Scene:
    path = put_store(world)
    with path.with_name("edge.db-wal").open("wb") as file:
        file.truncate(70_000_000 if is_bad else 4_000)
    return world.scene()


@case("store-error", Level.FAILURE, "The gateway cannot store what it reads: ")
def store_error(world: World, is_bad: bool) -> Scene:
    return world.scene(status={"store": {"ok": not is_bad, "error": "the disk is full" if is_bad else None}})


def lane(**keys: Any) -> dict[str, Any]:
    return {"lanes": {"billing": {"pending": 0, "oldest_age_s": None, "tombstones": 0, **keys}}}


@case("backlog", Level.FAILURE, "900 records of the billing lane wait for the centre, the oldest for 50 h")
def backlog(world: World, is_bad: bool) -> Scene:
    return world.scene(UPLINK, status=lane(pending=900, oldest_age_s=180_000) if is_bad else lane())


@case("backlog", Level.FAILURE, "12 records of the billing lane were given up")
def tombstones(world: World, is_bad: bool) -> Scene:
    return world.scene(UPLINK, status=lane(tombstones=12 if is_bad else 0))


@case("uplink-identity", Level.FAILURE, "the secret cannot be read")
def uplink_secret(world: World, is_bad: bool) -> Scene:
    if not is_bad:
        world.put("gw-1.secret", "s3cret-s3cret\n").chmod(0o600)
    return world.scene(UPLINK)


@case("uplink-identity", Level.FAILURE, "is not enrolled")
def uplink_new(world: World, is_bad: bool) -> Scene:
    if not is_bad:
        put_certificate(world)
    return world.scene('[uplink]\nurl = "https://centre.test:8471"\n')


@case("uplink-identity", Level.FAILURE, "certificate ended on")
def uplink_over(world: World, is_bad: bool) -> Scene:
    put_certificate(world)
    later = time.time() + (91 * 86_400 if is_bad else 86_400)
    return world.scene('[uplink]\nurl = "https://centre.test:8471"\n', now=later)


@case("uplink-identity", Level.WARNING, "has not been renewed")
def uplink_late(world: World, is_bad: bool) -> Scene:
    put_certificate(world)
    later = time.time() + (88 * 86_400 if is_bad else 86_400)
    return world.scene('[uplink]\nurl = "https://centre.test:8471"\n', now=later)


OURS = Centre(None, 200, "application/json", is_ours=True)


@case("uplink-reach", Level.FAILURE, "Something else than the centre answers at http://127.0.0.1:8470: HTTP 302")
def uplink_portal(world: World, is_bad: bool) -> Scene:
    portal = Centre(None, 302, "text/html", location="http://login.hotel.test/")
    return world.scene(UPLINK, centre=portal if is_bad else OURS)


@case("uplink-reach", Level.FAILURE, "fails: HTTP 503")
def uplink_fails(world: World, is_bad: bool) -> Scene:
    return world.scene(UPLINK, centre=Centre(None, 503, "application/json") if is_bad else OURS)


@case("uplink-reach", Level.FAILURE, "The centre's certificate is not accepted: CERTIFICATE_VERIFY_FAILED")
def uplink_tls(world: World, is_bad: bool) -> Scene:
    return world.scene(UPLINK, centre=Centre("tls", location="CERTIFICATE_VERIFY_FAILED") if is_bad else OURS)


@case("uplink-state", Level.FAILURE, "The centre refuses this gateway")
def uplink_state(world: World, is_bad: bool) -> Scene:
    link = {"state": "refused", "error": "the secret is not known"} if is_bad else {"state": "online", "error": None}
    return world.scene(status={"uplink": link})


@case("disk-write", Level.FAILURE, "is mounted read-only")
def disk_write(world: World, is_bad: bool) -> Scene:
    world.mounted(mode="ro" if is_bad else "rw")
    return world.scene()


@case("disk-wear", Level.WARNING, "mmcblk0 has used up to 90 % of its life")
def disk_wear(world: World, is_bad: bool) -> Scene:
    world.mounted()
    world.put("sys/devices/mmc/mmcblk0/device/type", "MMC")
    world.put("sys/devices/mmc/mmcblk0/device/life_time", "0x02 0x09\n" if is_bad else "0x01 0x01\n")
    world.put("sys/devices/mmc/mmcblk0/mmcblk0p2/partition", "2")
    world.link("sys/dev/block/8:1", world.root / "sys/devices/mmc/mmcblk0/mmcblk0p2")
    return world.scene()


@case("memory", Level.FAILURE, "Only 41.0 MB of 1.0 GB memory are free")
def memory(world: World, is_bad: bool) -> Scene:
    free = 40_000 if is_bad else 800_000
    world.put("proc/meminfo", f"MemTotal:  1000000 kB\nMemAvailable:  {free} kB\n")
    return world.scene()


@case("open-files", Level.WARNING, "may have only 128 files open")
def open_files(world: World, is_bad: bool) -> Scene:
    limits = f"Limit   Soft Limit  Hard Limit  Units\nMax open files  {128 if is_bad else 4096}  4096  files\n"
    return world.scene(status=world.gateway(limits=limits))


@case("power", Level.FAILURE, "The supply voltage is too low")
def power(world: World, is_bad: bool) -> Scene:
    world.put("sys/class/hwmon/hwmon1/name", "rpi_volt")
    world.put("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1" if is_bad else "0")
    return world.scene()


@case("power", Level.WARNING, "was too low since the start")
def power_before(world: World, is_bad: bool) -> Scene:
    world.put("sys/devices/platform/soc/soc:firmware/get_throttled", "50000\n" if is_bad else "0\n")
    return world.scene()


@case("temperature", Level.WARNING, "The processor has 85 degrees")
def temperature(world: World, is_bad: bool) -> Scene:
    world.put("sys/class/thermal/thermal_zone0/temp", "85123" if is_bad else "45000")
    return world.scene()


@case("watchdog", Level.NOTE, "a watchdog (watchdog0) that nobody uses")
def watchdog(world: World, is_bad: bool) -> Scene:
    world.put("sys/class/watchdog/watchdog0/state", "inactive" if is_bad else "active")
    return world.scene()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def found(name: str, scene: Scene) -> tuple[Finding, ...]:
    (outcome,) = run_checks([BY_NAME[name]], scene)
    return outcome.findings


def named(one: Case) -> str:
    return f"{one.check}: {one.arrange.__name__}"


@pytest.mark.parametrize("one", CASES, ids=named)
def test_a_machine_that_is_well_is_called_well(world: World, one: Case) -> None:
    findings = found(one.check, one.arrange(world, False))
    assert {finding.level for finding in findings} == {Level.OK}, findings
    assert all(finding.text.en and CHINESE.search(finding.text.zh) for finding in findings)


@pytest.mark.parametrize("one", CASES, ids=named)
def test_a_fault_is_told_in_both_languages_with_its_remedy(world: World, one: Case) -> None:
    findings = [it for it in found(one.check, one.arrange(world, True)) if one.words in it.text.en]
    assert [it.level for it in findings] == [one.level], found(one.check, one.arrange(world, True))
    (finding,) = findings
    assert finding.remedy is not None
    for sentence in (finding.text, finding.remedy):
        assert sentence.en.strip()
        assert CHINESE.search(sentence.zh), sentence
        assert not HALF_WIDTH.search(sentence.zh), sentence
        assert not re.search(r"(?<!ATTR)\{\w+\}", sentence.en + sentence.zh), "a gap was not filled"


def test_every_check_has_a_scene_where_it_is_well_and_one_where_it_is_not() -> None:
    # Of these the scene is the program itself, or the disk of whoever runs the test: see below.
    assert {check.name for check in CHECKS} - {one.check for one in CASES} == {"profiles", "disk-space"}
    assert len(CHECKS) == len(BY_NAME) >= 25


def test_every_check_is_a_module_of_its_own_and_each_is_asked() -> None:
    folder = Path(sys.modules["edge_agent.check"].__file__ or "").parent
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "finding", "round"}
    assert {check.name.replace("-", "_") for check in CHECKS} == modules


def sentences() -> list[tuple[str, Sentence]]:
    modules = [import_module(f"edge_agent.check.{check.name.replace('-', '_')}") for check in CHECKS]
    modules += [import_module(f"edge_agent.{name}") for name in SPEAKERS]
    pairs = [(module.__name__, value) for module in modules for value in vars(module).values()]
    flat = [(name, value) for name, value in pairs if isinstance(value, Sentence)]
    tables = [(name, inner) for name, value in pairs if isinstance(value, dict) for inner in value.values()]
    return [
        *flat,
        *((name, it) for name, it in tables if isinstance(it, Sentence)),
        *((it.name, it.title) for it in CHECKS),
    ]


def test_every_sentence_is_there_in_both_languages_with_the_same_gaps() -> None:
    for name, sentence in sentences():
        gaps = [{gap for _, gap, _, _ in Formatter().parse(text) if gap} for text in sentence]
        assert gaps[0] == gaps[1], (name, sentence)
        assert CHINESE.search(sentence.zh), (name, sentence)
        assert not CHINESE.search(sentence.en), (name, sentence)
        assert not HALF_WIDTH.search(sentence.zh), (name, sentence)
        assert not re.search("[\u4e00-\u9fff] ?'", sentence.zh), (name, "a quotation has Chinese marks")


def test_no_title_stands_twice() -> None:
    titles = [check.title for check in CHECKS]
    assert len({it.en for it in titles}) == len({it.zh for it in titles}) == len(titles)


def test_profiles_are_looked_through(world: World) -> None:
    assert {finding.level for finding in found("profiles", world.scene())} == {Level.OK}


@pytest.mark.parametrize(
    ("free", "level"), [(10_000_000_000, Level.OK), (900_000_000, Level.WARNING), (90_000_000, Level.FAILURE)]
)
def test_free_space_is_judged_by_what_a_month_offline_needs(free: int, level: Level) -> None:
    assert judge(free, "/data").level is level


def test_a_device_behind_a_lost_line_is_not_told_of_a_second_time(world: World) -> None:
    status = running("buses", state="down", error="the line is lost")
    status["devices"] = running("devices", state="offline", error="the line is lost")["devices"]
    assert found("device-offline", world.scene(status=status)) == ()


def test_a_port_of_a_group_is_for_those_in_it_and_the_remedy_is_to_join(world: World) -> None:
    port = world.port()
    port.chmod(0o660)
    group = port.stat().st_gid
    for groups, level in ((frozenset({group}), Level.OK), (frozenset({4_000_001}), Level.FAILURE)):
        (finding,) = found("port-permission", world.scene(serial(port), account=Account("stranger", 4_000_000, groups)))
        assert finding.level is level
    assert finding.remedy is not None
    assert "usermod -aG" in finding.remedy.en or group == 0


def test_a_port_locked_by_another_account_is_found_by_the_lock(world: World) -> None:
    port = world.port()
    number = port.stat()
    place = f"{os.major(number.st_dev):02x}:{os.minor(number.st_dev):02x}:{number.st_ino}"
    world.put("proc/locks", f"1: FLOCK  ADVISORY  WRITE 321 {place} 0 EOF\n")
    (finding,) = found("port-holder", world.scene(serial(port)))
    assert "process 321 (?)" in finding.text.en


def test_who_holds_a_real_port_is_found_on_this_machine(world: World) -> None:
    port = world.port()
    script = f"import sys; f = open({str(port)!r}, 'rb', buffering=0); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        findings = found("port-holder", world.scene(serial(port), proc=Path("/proc")))
        assert any(f"process {holder.pid} (python" in finding.text.en for finding in findings), findings
        holder.communicate()


def test_a_missing_settings_file_is_a_finding_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(world.root)
    monkeypatch.delenv("GATEHOUSE_EDGE_CONFIG", raising=False)
    monkeypatch.setattr("edge_agent.config.PLACES", ())
    with pytest.raises(SettingsError) as caught:
        find_config(None)
    (finding,) = found("settings", world.scene(settings=None, faults=tuple(caught.value.faults)))
    assert (finding.level, finding.remedy is not None) == (Level.FAILURE, True)


def test_a_store_that_is_in_use_is_only_looked_at(world: World) -> None:
    path = put_store(world)
    writer = sqlite3.connect(path)
    writer.execute("INSERT INTO series (device, point, unit) VALUES ('a', 'b', 'kWh')")
    before = sorted(item.name for item in path.parent.iterdir())
    assert {finding.level for finding in found("store-file", world.scene())} == {Level.OK}
    writer.commit()
    writer.close()
    assert sorted(item.name for item in path.parent.iterdir()) <= before


def test_what_a_gateway_that_cannot_be_asked_may_hold_is_not_judged(world: World) -> None:
    port = world.port()
    world.process(77, "edge", opened=port)
    stranger = Account("stranger", 4_000_000)
    scene = world.scene(serial(port) + tcp(), silence="only its owner may ask", account=stranger)
    assert [found(name, scene) for name in ("port-holder", "port-permission", "bus-reach")] == [(), (), ()]
