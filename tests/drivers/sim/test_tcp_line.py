"""The simulated Modbus TCP devices, asked by somebody else's client and by raw bytes."""

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from time import monotonic

import pytest
from pymodbus.client import AsyncModbusTcpClient

from drivers.sim.errors import SimError
from protocols.quantity import decimal_from_float32
from tests.drivers.sim.served import Running, running, site_from

_SITE = """
[site]
speed = 3600
journal = "journal.jsonl"
[[line]]
id = "tcp-1"
kind = "modbus-tcp"
port = 0
timeout_ms = 100
{faults}
[[device]]
id = "em-1"
line = "tcp-1"
profile = "electricity/eastron-sdm630"
address = "1"
initial = "20417.35"
mean = 9000
[[device]]
id = "em-2"
line = "tcp-1"
profile = "electricity/chint-dtsu666"
address = "2"
initial = "99000.07"
[[device]]
id = "em-9"
line = "tcp-1"
profile = "electricity/chint-dtsu666"
address = "9"
dead = true
[[device]]
id = "lift"
line = "tcp-1"
profile = "elevator/modbus-gateway"
address = "20"
[[device]]
id = "door"
line = "tcp-1"
profile = "access/modbus-door"
address = "21"
"""
_READ_TOTAL = bytes.fromhex("0001 0000 0006 01 04 0048 0002")


@asynccontextmanager
async def _served(folder: Path, faults: str = "") -> AsyncIterator[Running]:
    async with running(site_from(_SITE.format(faults=faults), folder)) as site:
        yield site


@asynccontextmanager
async def _client(site: Running) -> AsyncIterator[AsyncModbusTcpClient]:
    client = AsyncModbusTcpClient("127.0.0.1", port=site.port("tcp-1"), timeout=0.3, retries=0)
    assert await client.connect()
    try:
        yield client
    finally:
        client.close()


def _float(client: AsyncModbusTcpClient, words: list[int]) -> Decimal:
    value = client.convert_from_registers(words, client.DATATYPE.FLOAT32)
    assert isinstance(value, float)
    return decimal_from_float32(value)


async def test_a_foreign_client_reads_exactly_what_the_journal_says(tmp_path: Path) -> None:
    async with _served(tmp_path) as site, _client(site) as client:
        read = []
        for _ in range(50):
            first = await client.read_input_registers(72, count=2, device_id=1)
            second = await client.read_holding_registers(0x101E, count=2, device_id=2)
            read += [("em-1", _float(client, first.registers)), ("em-2", _float(client, second.registers))]
            assert [(it["meter"], Decimal(it["value"])) for it in site.journal] == read
            await asyncio.sleep(0.005)
    values = [value for meter, value in read if meter == "em-1"]
    assert values == sorted(values)
    assert values[0] >= Decimal("20417.35")
    assert values[-1] > values[0]
    assert {(it["point"], it["unit"]) for it in site.journal} == {("energyImportTotal", "kWh")}
    assert all(Decimal(it["value"]).as_tuple().exponent == -2 for it in site.journal)


async def test_scaled_floats_and_powers_are_where_the_profile_says(tmp_path: Path) -> None:
    async with _served(tmp_path) as site, _client(site) as client:
        volts = _float(client, (await client.read_holding_registers(0x2006, count=2, device_id=2)).registers)
        hertz = _float(client, (await client.read_holding_registers(0x2044, count=2, device_id=2)).registers)
        power = _float(client, (await client.read_input_registers(52, count=2, device_id=1)).registers)
    assert 2200 < volts < 2400
    assert 4990 < hertz < 5010
    assert 1000 < power < 60_000
    assert site.journal == []


async def test_states_come_as_the_codes_of_the_profile(tmp_path: Path) -> None:
    async with _served(tmp_path) as site, _client(site) as client:
        lift = (await client.read_input_registers(0, count=6, device_id=20)).registers
        door = (await client.read_discrete_inputs(0, count=3, device_id=21)).bits[:3]
    assert 1 <= lift[0] <= 6
    assert lift[1] in (2, 3, 4)
    assert lift[2] in (0, 1, 2)
    assert lift[3] == 1
    assert lift[4:] in ([0, 0], [0, 1])
    assert door[2] is False


async def test_what_the_device_does_not_have_is_refused_by_its_code(tmp_path: Path) -> None:
    async with _served(tmp_path) as site, _client(site) as client:
        assert (await client.read_input_registers(54, count=2, device_id=1)).exception_code == 2
        assert (await client.read_input_registers(72, count=5, device_id=1)).exception_code == 2
        assert (await client.read_holding_registers(72, count=2, device_id=1)).exception_code == 2
        assert (await client.write_register(72, 1, device_id=1)).exception_code == 1
        assert (await client.read_device_information(device_id=1)).exception_code == 1


async def _talk(site: Running, *pieces: bytes, within_s: float = 0.3) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port("tcp-1"))
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.02)
    data = b""
    try:
        async with asyncio.timeout(within_s):
            while piece := await reader.read(4096):
                data += piece
    except TimeoutError:
        pass
    writer.close()
    return data


async def test_the_wire_is_modbus_tcp_byte_for_byte(tmp_path: Path) -> None:
    async with _served(tmp_path) as site:
        data = await _talk(site, _READ_TOTAL[:5], _READ_TOTAL[5:] + b"\x77\x01" + _READ_TOTAL[2:])
    assert len(data) == 26
    assert data[:9] == bytes.fromhex("0001 0000 0007 01 04 04")
    assert data[13:22] == bytes.fromhex("7701 0000 0007 01 04 04")
    assert len(site.journal) == 2


async def test_an_impossible_count_gets_exception_3_and_no_modbus_a_closed_connection(tmp_path: Path) -> None:
    async with _served(tmp_path) as site:
        assert await _talk(site, bytes.fromhex("0001 0000 0006 01 04 0048 0000")) == bytes.fromhex(
            "0001 0000 0003 01 84 03"
        )
        assert await _talk(site, bytes.fromhex("0001 0000 0006 01 04 0048 007E")) == bytes.fromhex(
            "0001 0000 0003 01 84 03"
        )
        began = monotonic()
        assert await _talk(site, b"GET / HTTP/1.1\r\n\r\n", within_s=2) == b""
        assert monotonic() - began < 1


@pytest.mark.parametrize("unit", [9, 33], ids=["dead", "never there"])
async def test_a_dead_address_never_answers(tmp_path: Path, unit: int) -> None:
    async with _served(tmp_path) as site:
        request = _READ_TOTAL[:6] + bytes((unit,)) + bytes.fromhex("03 101E 0002")
        assert await _talk(site, request) == b""
        assert site.journal == []


async def test_a_dropped_answer_is_not_in_the_journal(tmp_path: Path) -> None:
    async with _served(tmp_path, "[line.faults]\ndrop = 1.0") as site:
        assert await _talk(site, _READ_TOTAL) == b""
        assert site.journal == []


async def test_a_late_answer_comes_after_the_timeout(tmp_path: Path) -> None:
    async with _served(tmp_path, "[line.faults]\nlate = 1.0\nlate_s = 0.1") as site:
        began = monotonic()
        assert len(await _talk(site, _READ_TOTAL, within_s=0.15)) == 0
        assert len(await _talk(site, _READ_TOTAL, within_s=0.4)) == 13
        assert monotonic() - began > 0.2


async def test_many_clients_are_served_and_the_journal_stays_in_order(tmp_path: Path) -> None:
    async with _served(tmp_path) as site:
        answers = await asyncio.gather(*(_talk(site, _READ_TOTAL * 20) for _ in range(10)))
        assert [len(answer) for answer in answers] == [260] * 10
        values = [Decimal(it["value"]) for it in site.journal]
    assert len(values) == 200
    assert values == sorted(values)


async def test_a_port_in_use_is_said_in_one_sentence(tmp_path: Path) -> None:
    async with _served(tmp_path) as site:
        text = (
            _SITE.format(faults="").replace("port = 0", f"port = {site.port('tcp-1')}").replace("journal", "# journal")
        )
        with pytest.raises(
            SimError, match=r"Line 'tcp-1' cannot listen on 127.0.0.1:\d+: another program uses that port"
        ):
            async with running(site_from(text, tmp_path)):
                pass


async def test_no_answer_goes_out_that_the_journal_cannot_take(tmp_path: Path) -> None:
    with pytest.raises(SimError, match="No answer goes out unrecorded"):
        await _fill_the_disk(tmp_path)
    assert len((tmp_path / "journal.jsonl").read_text().splitlines()) == 1


async def _fill_the_disk(folder: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with _served(folder) as site:
        assert len(await _talk(site, _READ_TOTAL)) == 13
        resource.setrlimit(resource.RLIMIT_FSIZE, ((folder / "journal.jsonl").stat().st_size, hard))
        try:
            assert await _talk(site, _READ_TOTAL) == b""
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
