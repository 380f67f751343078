"""The simulated serial meters, asked in raw bytes on the pty; the codecs are not trusted here."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from time import monotonic

import pytest
import serial
from pymodbus.client import AsyncModbusSerialClient as AsyncClient

from drivers.sim.errors import SimError
from drivers.sim.site import Site
from protocols.framing import scan
from protocols.quantity import decimal_from_float32
from tests.drivers.sim.served import Port, Running, opened, running, site_from

_SITE = """
[site]
speed = 3600
journal = "journal.jsonl"
[[line]]
id = "line-1"
kind = "serial"
path = "{path}"
timeout_ms = 100
{more}
"""
_METER = """
[[device]]
id = "{id}"
line = "line-1"
profile = "{profile}"
address = "{address}"
initial = "1234.56"
dead = {dead}
"""
_POWER_METERS = [("em-3", "202611000103", "false"), ("em-4", "202611000104", "false"), ("em-6", "202611000106", "true")]
_WATER_METERS = [("wm-1", "20261100000201", "false"), ("wm-2", "20261100000202", "false")]
_TOTAL = bytes.fromhex("33 33 34 33")  # 00010000, low byte first, each byte plus 33H


@asynccontextmanager
async def _line(
    folder: Path, meters: list[tuple[str, str, str]], more: str = ""
) -> AsyncIterator[tuple[Running, Port]]:
    profile = "water/cjt188" if meters[0][0].startswith("wm") else "electricity/dlt645-2007"
    text = _SITE.format(path="line", more=more)
    text += "".join(_METER.format(id=id_, address=address, dead=dead, profile=profile) for id_, address, dead in meters)
    async with running(site_from(text, folder)) as site:
        with opened(site.addresses["line-1"]) as port:
            yield site, port


def _whole(body: bytes) -> bytes:
    return body + bytes((sum(body) & 0xFF, 0x16))


def _ask(address: str, control: int = 0x11, data: bytes = _TOTAL) -> bytes:
    wire = bytes.fromhex(address)[::-1]
    return _whole(b"\x68" + wire + b"\x68" + bytes((control, len(data))) + data)


def _kwh(answer: bytes, address: str) -> Decimal:
    """Read forward total energy by hand: masks off, low byte first, two places."""
    head = b"\x68" + bytes.fromhex(address)[::-1] + b"\x68\x91\x08" + _TOTAL
    at = answer.index(head)
    frame = answer[at : at + 20]
    assert frame == _whole(frame[:-2])
    digits = bytes((byte - 0x33) & 0xFF for byte in frame[14:18])[::-1].hex()
    return Decimal(int(digits)) / 100


async def test_a_power_meter_answers_by_the_book_and_the_journal_agrees(tmp_path: Path) -> None:
    async with _line(tmp_path, _POWER_METERS) as (site, port):
        port.send(b"\xfe" * 4 + _ask("202611000103"))
        answer = await port.all()
        assert answer[:5] == b"\xfe\xfe\xfe\xfe\x68"
        assert len(answer) == 24
        entry = site.journal[-1]
    assert entry["meter"] == "em-3"
    assert entry["point"] == "energyImportTotal"
    assert Decimal(entry["value"]) == _kwh(answer, "202611000103") >= Decimal("1234.56")


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (_ask("202611000106"), b""),
        (_ask("202611000199"), b""),
        (_ask("999999999999", 0x08, b"\x33" * 6), b""),
        (_ask("202611000103")[:-2] + b"\x00\x16", b""),
        (b"\x00\xff\x68\x12", b""),
        (_ask("202611000103", 0x11, b"\x34\x35\x36\x37"), _ask("202611000103", 0xD1, b"\x35")),
        (_ask("202611000103", 0x1C, b"\x35" * 16), _ask("202611000103", 0xDC, b"\x37")),
    ],
    ids=["dead", "unknown", "broadcast", "bad check", "noise", "no such data", "control refused"],
)
async def test_what_is_not_a_read_of_a_live_meter(tmp_path: Path, request_: bytes, answer: bytes) -> None:
    async with _line(tmp_path, _POWER_METERS) as (site, port):
        port.send(request_)
        assert (await port.all(0.3)).lstrip(b"\xfe") == answer
        assert site.journal == []


async def test_two_meters_that_answer_a_wildcard_at_once_leave_nothing_readable(tmp_path: Path) -> None:
    async with _line(tmp_path, _POWER_METERS) as (site, port):
        port.send(_ask("AAAAAAAAAAAA"))
        heard = await port.all(0.3)
        assert heard
        assert not [piece for piece in scan("dlt645", heard) if piece.frame is not None]
        assert site.journal == []


async def test_a_lone_meter_tells_its_address_to_a_wildcard(tmp_path: Path) -> None:
    async with _line(tmp_path, _POWER_METERS[:1]) as (_, port):
        port.send(bytes.fromhex("68 AA AA AA AA AA AA 68 13 00 DF 16"))
        masked = bytes((byte + 0x33) & 0xFF for byte in bytes.fromhex("202611000103")[::-1])
        assert (await port.all()).lstrip(b"\xfe") == _ask("202611000103", 0x93, masked)


async def test_powers_volts_and_blocks_are_in_the_items_own_units(tmp_path: Path) -> None:
    async with _line(tmp_path, _POWER_METERS) as (_, port):
        port.send(_ask("202611000103", 0x11, b"\x33\x32\x34\x35"))  # 0201FF00
        volts = (await port.all()).lstrip(b"\xfe")
        port.send(_ask("202611000103", 0x11, b"\x33\x33\x36\x35"))  # 02030000
        power = (await port.all()).lstrip(b"\xfe")
    assert volts[9] == 4 + 6
    assert all(2200 < int(bytes((volts[at + 1] - 0x33, volts[at] - 0x33)).hex()) < 2400 for at in (14, 16, 18))
    assert power[9] == 4 + 3
    assert int(bytes((byte - 0x33) & 0xFF for byte in power[16:13:-1]).hex()) < 100_000  # 10 kW


async def test_requests_come_in_pieces_glued_and_behind_noise(tmp_path: Path) -> None:
    async with _line(tmp_path, _POWER_METERS) as (site, port):
        one, two = _ask("202611000103"), _ask("202611000104")
        for byte in one:
            port.send(bytes((byte,)))
        assert _kwh(await port.all(), "202611000103")
        port.send(b"\x00\x68\x16" + one + two)
        both = await port.all()
        assert _kwh(both, "202611000103")
        assert _kwh(both, "202611000104")
        port.send(one[:9] + b"\xc8")  # says that 200 bytes follow, and they do not
        assert await port.all(0.7) == b""
        port.send(two)
        assert _kwh(await port.all(), "202611000104")
        assert len(site.journal) == 4


async def test_an_echo_comes_before_the_answer(tmp_path: Path) -> None:
    async with _line(tmp_path, _POWER_METERS, "[line.faults]\necho = true\npreamble = 1") as (_, port):
        request = b"\xfe\xfe" + _ask("202611000103")
        port.send(request)
        heard = await port.all()
    assert heard.startswith(request + b"\xfe\x68")
    assert _kwh(heard, "202611000103")


@pytest.mark.parametrize("count", [0, 13])
async def test_the_wake_up_bytes_are_as_many_as_wanted(tmp_path: Path, count: int) -> None:
    async with _line(tmp_path, _POWER_METERS, f"[line.faults]\npreamble = {count}") as (_, port):
        port.send(_ask("202611000103"))
        assert (await port.all()).startswith(b"\xfe" * count + b"\x68")


async def test_noise_surrounds_a_whole_answer(tmp_path: Path) -> None:
    async with _line(tmp_path, _POWER_METERS, "[line.faults]\nnoise = 1.0\npreamble = 0") as (site, port):
        heard = []
        for _ in range(10):
            port.send(_ask("202611000103"))
            heard.append(await port.all())
            assert _kwh(heard[-1], "202611000103") == Decimal(site.journal[-1]["value"])
    assert all(len(it) >= 22 for it in heard)
    assert len({it[:1] for it in heard}) > 3


async def test_a_corrupt_answer_fails_its_check(tmp_path: Path) -> None:
    async with _line(tmp_path, _POWER_METERS, "[line.faults]\ncorrupt = 1.0\npreamble = 0") as (_, port):
        for _ in range(10):
            port.send(_ask("202611000103"))
            answer = await port.all()
            assert len(answer) == 20
            assert answer != _whole(answer[:-2]) or answer[0] != 0x68


async def test_a_dropped_answer_is_neither_sent_nor_in_the_journal(tmp_path: Path) -> None:
    async with _line(tmp_path, _POWER_METERS, "[line.faults]\ndrop = 1.0") as (site, port):
        port.send(_ask("202611000103"))
        assert await port.all(0.3) == b""
        assert site.journal == []


async def test_a_late_answer_falls_into_the_next_exchange_and_registers_stay_in_order(tmp_path: Path) -> None:
    async with _line(tmp_path, _POWER_METERS, "[line.faults]\nlate = 0.5\nlate_s = 0.05") as (site, port):
        began = monotonic()
        lateness = []
        for _ in range(12):
            port.send(_ask("202611000103"))
            sent = monotonic()
            assert _kwh(await port.all(), "202611000103")
            lateness.append(monotonic() - sent > 0.29)  # the silence after the answer is part of it
        assert {True, False} == set(lateness), monotonic() - began
        values = [Decimal(it["value"]) for it in site.journal]
    assert len(values) == 12
    assert values == sorted(values)


async def test_a_paced_line_takes_its_time_and_the_journal_is_ahead_of_the_answer(tmp_path: Path) -> None:
    async with _line(tmp_path, _POWER_METERS, "paced = true\nbaudrate = 2400\nreply_ms = 20") as (site, port):
        began = monotonic()
        port.send(_ask("202611000103"))
        answer = await port.first()
        assert len(answer) < 8
        assert [it["meter"] for it in site.journal] == ["em-3"]
        while len(answer) < 24:
            answer += await port.first()
        took = monotonic() - began
    assert _kwh(answer, "202611000103")
    # 16 bytes there and 24 back of 11 bits each, and 20 ms to think.
    assert 0.2 < took < 0.5


def _ask_water(address: str, data: bytes, control: int = 0x01) -> bytes:
    return _whole(b"\x68\x10" + bytes.fromhex(address)[::-1] + bytes((control, len(data))) + data)


@pytest.mark.parametrize("di", [b"\x1f\x90", b"\x90\x1f"], ids=["1F90", "901F"])
async def test_a_water_meter_answers_in_the_order_it_was_asked(tmp_path: Path, di: bytes) -> None:
    async with _line(tmp_path, _WATER_METERS) as (site, port):
        port.send(b"\xfe\xfe\xfe" + _ask_water("20261100000201", di + b"\x5a"))
        answer = (await port.all()).lstrip(b"\xfe")
        entry = site.journal[-1]
    assert answer == _whole(answer[:-2])
    assert answer[:14] == b"\x68\x10" + bytes.fromhex("20261100000201")[::-1] + b"\x81\x16" + di + b"\x5a"
    assert Decimal(int(answer[17:13:-1].hex())) / 100 == Decimal(entry["value"])
    assert Decimal("1234.56") <= Decimal(entry["value"]) < Decimal(1235)
    assert answer[18] == 0x2C
    assert answer[30:31] == b"\x20"  # the century of the meter's clock
    assert (entry["meter"], entry["point"], entry["unit"]) == ("wm-1", "volumeTotal", "m3")


async def test_a_water_meter_refuses_its_valve_and_other_types_stay_silent(tmp_path: Path) -> None:
    async with _line(tmp_path, _WATER_METERS) as (site, port):
        port.send(_ask_water("20261100000201", b"\xa0\x17\x01\x55", 0x04))
        assert (await port.all()).lstrip(b"\xfe")[9] == 0xC4
        other = bytearray(_ask_water("20261100000201", b"\x1f\x90\x01"))
        other[1], other[-2] = 0x20, (other[-2] + 0x10) & 0xFF
        port.send(bytes(other))
        assert await port.all(0.3) == b""
        assert site.journal == []


def _rtu_site(folder: Path) -> Site:
    meter = _METER.format(id="em-1", profile="electricity/eastron-sdm630", address="1", dead="false")
    return site_from(_SITE.format(path="line", more="") + meter, folder)


async def test_half_a_request_is_forgotten_after_a_silence(tmp_path: Path) -> None:
    async with running(_rtu_site(tmp_path)) as site:
        with opened(site.addresses["line-1"]) as port:
            port.send(bytes.fromhex("01 10 0000 0010 20"))  # 32 bytes would follow
            assert await port.all(0.7) == b""
            port.send(bytes.fromhex("01 04 0048 0002 F1DD"))
            assert (await port.all())[:3] == b"\x01\x04\x04"


async def test_a_modbus_meter_answers_on_the_line_by_its_crc(tmp_path: Path) -> None:
    async with running(_rtu_site(tmp_path)) as site, AsyncClient(site.addresses["line-1"], timeout=0.5) as client:
        answer = await client.read_input_registers(72, count=2, device_id=1)
        value = client.convert_from_registers(answer.registers, client.DATATYPE.FLOAT32)
        assert decimal_from_float32(value) == Decimal(site.journal[-1]["value"])  # type: ignore[arg-type]
        assert (await client.read_input_registers(54, count=2, device_id=1)).exception_code == 2


async def test_somebody_elses_serial_library_can_use_the_path_again_and_again(tmp_path: Path) -> None:
    def exchange(path: str) -> bytes:
        with serial.Serial(path, 2400, parity="N", timeout=1, exclusive=True) as line:
            line.write(_ask("202611000103"))
            answer: bytes = line.read(24)
            return answer

    async with _line(tmp_path, _POWER_METERS) as (site, _):
        for _ in range(3):
            assert _kwh(await asyncio.to_thread(exchange, site.addresses["line-1"]), "202611000103")


async def test_the_path_is_there_while_the_line_is(tmp_path: Path) -> None:
    async with _line(tmp_path, _POWER_METERS):
        assert (tmp_path / "line").is_symlink()
    assert not (tmp_path / "line").is_symlink()
    (tmp_path / "line").symlink_to("/dev/pts/gone")
    async with _line(tmp_path, _POWER_METERS) as (_, port):
        port.send(_ask("202611000103"))
        assert await port.all()


async def test_a_file_in_the_way_of_the_path_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "line").write_text("mine")
    with pytest.raises(SimError, match="exists and is not a link of a simulator"):
        async with _line(tmp_path, _POWER_METERS):
            pass
    assert (tmp_path / "line").read_text() == "mine"
