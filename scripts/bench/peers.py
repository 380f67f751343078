"""The peers of the benchmark: fast meters, and a plain gateway and centre as they are usually written.

The plain gateway asks its meters one after the other with pymodbus, commits each poll to SQLite,
sends each poll as JSON and deletes it when the answer comes; the plain centre inserts a row a
reading with INSERT OR IGNORE and commits before it answers. Both are correct, and not clever.
"""

import asyncio
import json
import sqlite3
import sys
import time
from pathlib import Path

import aiohttp
from aiohttp import web
from pymodbus.client import AsyncModbusTcpClient

from protocols import modbus

# As the profile of the Eastron SDM630 reads it: first register, count; a float each two registers.
BLOCKS = ((0, 12), (52, 2), (70, 6))


def answer(frame: bytes) -> bytes:
    """Answer a read with floats that change every second, as cheaply as possible."""
    count = frame[10] << 8 | frame[11]
    tick = int(time.time()) & 0x3FFF
    words = (0x4366, tick) * (count // 2)
    return modbus.encode_tcp(
        modbus.Frame(frame[6], modbus.encode_read_registers_response(frame[7], words), frame[0] << 8 | frame[1])
    )


class Meter(asyncio.Protocol):
    """One connection to a meter that answers at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.waiting = b""

    def data_received(self, data: bytes) -> None:
        self.waiting += data
        while len(self.waiting) >= 12:
            frame, self.waiting = self.waiting[:12], self.waiting[12:]
            self.transport.write(answer(frame))  # type: ignore[attr-defined]


async def meters(count: int) -> None:
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(Meter, "127.0.0.1", 0) for _ in range(count)]
    print(json.dumps([server.sockets[0].getsockname()[1] for server in servers]), flush=True)
    await asyncio.Event().wait()


async def plain_centre(folder: Path) -> None:
    db = sqlite3.connect(folder / "plain-centre.db")
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE reading (seq INTEGER, point TEXT, at REAL, value REAL, PRIMARY KEY (seq, point))")

    async def take(request: web.Request) -> web.Response:
        body = await request.json()
        rows = [(body["seq"], point, body["at"], value) for point, value in body["values"].items()]
        with db:
            db.executemany("INSERT OR IGNORE INTO reading VALUES (?, ?, ?, ?)", rows)
        return web.json_response({"acked": body["seq"]})

    app = web.Application()
    app.router.add_post("/readings", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(json.dumps(runner.addresses[0][1]), flush=True)
    await asyncio.Event().wait()


async def plain_gateway(folder: Path, ports: list[int], centre: int, seconds: float) -> None:
    db = sqlite3.connect(folder / "plain-gateway.db")
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT)")
    clients = [AsyncModbusTcpClient("127.0.0.1", port=port) for port in ports]
    for client in clients:
        await client.connect()
    readings = sent = 0
    began, cpu = time.monotonic(), time.process_time()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{centre}") as session:
        while time.monotonic() - began < seconds:
            for meter, client in enumerate(clients):
                values: dict[str, float] = {}
                for address, count in BLOCKS:
                    got = await client.read_input_registers(address, count=count, device_id=1)
                    numbers = client.convert_from_registers(got.registers, client.DATATYPE.FLOAT32)
                    numbers = numbers if isinstance(numbers, list) else [numbers]
                    values |= {f"m{meter}-{address + 2 * place}": value for place, value in enumerate(numbers)}
                with db:
                    row = db.execute("INSERT INTO outbox (body) VALUES (?)", (json.dumps(values),))
                body = json.dumps({"seq": row.lastrowid, "at": time.time(), "values": values}).encode()
                async with session.post("/readings", data=body, headers={"Content-Type": "application/json"}) as got:
                    await got.read()
                with db:
                    db.execute("DELETE FROM outbox WHERE seq = ?", (row.lastrowid,))
                readings += len(values)
                sent += len(body)
    took = time.monotonic() - began
    print(
        json.dumps({"readings": readings, "seconds": took, "cpu": time.process_time() - cpu, "sent": sent}), flush=True
    )


def main() -> None:
    role, *rest = sys.argv[1:]
    if role == "meters":
        work = meters(int(rest[0]))
    elif role == "centre":
        work = plain_centre(Path(rest[0]))
    else:
        work = plain_gateway(Path(rest[0]), json.loads(rest[1]), int(rest[2]), float(rest[3]))
    asyncio.run(work)


if __name__ == "__main__":
    main()
