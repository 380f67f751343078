"""Read floats from Modbus TCP meters, by our drivers and by bare pymodbus, each in a process of its own.

    exchanges   40 registers a request, as bytes (ours) and as a list of registers (pymodbus);
                ours one at a time, and with 16 under way (a bus with pipeline = 16)
    points      the same registers as values: exact decimals with unit and instant (ours), floats (pymodbus)
    paced       our drivers at 100,000 points a second from ten endpoints: share of a core, memory

Work is counted per second of the reader's own CPU, so that what the meters cost does not matter.
The meters are one process of ten listeners that answer at once with floats that change.
"""

import argparse
import asyncio
import json
import multiprocessing
import resource
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from multiprocessing.connection import Connection

from pymodbus.client import AsyncModbusTcpClient

from drivers.bus.exchange import ModbusRead
from drivers.bus.modbus import ModbusTcpBus
from drivers.bus.settings import TcpSettings
from drivers.factory import create_driver
from drivers.profile import Profile, parse_profile
from scripts.bench.peers import Meter

ENDPOINTS = 10
REGISTERS = 40
PACE = 100_000  # points a second
# Most of a request of 125 registers, as a reader of many floats asks for.
FLOATS = 60
CONNECTIONS = 50
PIPELINE = 16

Count = Callable[[list[int], float], Awaitable[dict[str, float]]]


def serve(pipe: Connection) -> None:
    """Be the meters."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        servers = [await loop.create_server(Meter, "127.0.0.1", 0) for _ in range(ENDPOINTS)]
        pipe.send([server.sockets[0].getsockname()[1] for server in servers])
        await asyncio.Event().wait()

    asyncio.run(run())


async def until(seconds: float, work: Callable[[int], Awaitable[int]], workers: int) -> dict[str, float]:
    """Have each worker repeat its work, and give the pieces per second of CPU and of time."""
    done = 0
    started, cpu = time.monotonic(), time.process_time()

    async def worker(number: int) -> None:
        nonlocal done
        while time.monotonic() - started < seconds:
            count = await work(number)  # first: others add while this one waits
            done += count

    await asyncio.gather(*(worker(number) for number in range(workers)))
    return {"per_cpu_s": done / (time.process_time() - cpu), "per_s": done / (time.monotonic() - started)}


def profile() -> Profile:
    points = "".join(f'[[point]]\nname = "p{n}"\naddress = {2 * n}\nunit = "V"\n' for n in range(FLOATS))
    head = (
        'title = "floats"\nkind = "electricity"\nprotocol = "modbus"\nsources = ["benchmark"]\n[modbus]\ntype = "f32"\n'
    )
    return parse_profile(head + points, "bench/floats", "bench")


async def buses(stack: AsyncExitStack, ports: list[int], pipeline: int = 1) -> list[ModbusTcpBus]:
    made = [ModbusTcpBus(TcpSettings(f"b{port}", "127.0.0.1", port, pipeline=pipeline)) for port in ports]
    return [await stack.enter_async_context(bus) for bus in made]


async def our_exchanges(ports: list[int], seconds: float) -> dict[str, float]:
    async with AsyncExitStack() as stack:
        lines = await buses(stack, ports)

        async def ask(number: int) -> int:
            return len((await lines[number].execute(ModbusRead(1, 3, 0, REGISTERS))).payload) // 2

        return await until(seconds, ask, len(lines))


async def our_pipeline(ports: list[int], seconds: float) -> dict[str, float]:
    async with AsyncExitStack() as stack:
        lines = await buses(stack, ports, PIPELINE)
        reads = [ModbusRead(1, 3, 0, REGISTERS)] * PIPELINE

        async def ask(number: int) -> int:
            answers = await lines[number].read_all(reads)
            return sum(len(answer.payload) // 2 for answer in answers if answer is not None)

        return await until(seconds, ask, len(lines))


async def our_points(ports: list[int], seconds: float) -> dict[str, float]:
    async with AsyncExitStack() as stack:
        drivers = [create_driver(profile(), bus, "1") for bus in await buses(stack, ports)]

        async def read(number: int) -> int:
            return len(await drivers[number].read())

        return await until(seconds, read, len(drivers))


async def our_pace(ports: list[int], seconds: float) -> dict[str, float]:
    """Read at a steady pace; every endpoint on its own grid."""
    async with AsyncExitStack() as stack:
        drivers = [create_driver(profile(), bus, "1") for bus in await buses(stack, ports)]
        period = FLOATS * len(drivers) / PACE
        done = 0
        started, cpu = time.monotonic(), time.process_time()

        async def poll(number: int) -> None:
            nonlocal done
            due = started + period * number / len(drivers)
            while due < started + seconds:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                values = await drivers[number].read()
                done += len(values)
                due += period

        await asyncio.gather(*(poll(number) for number in range(len(drivers))))
        passed = time.monotonic() - started
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"points_per_s": done / passed, "cpu_share": (time.process_time() - cpu) / passed, "rss_mb": rss}


async def pymodbus(ports: list[int], seconds: float, connections: int, *, is_converted: bool) -> dict[str, float]:
    clients = [AsyncModbusTcpClient("127.0.0.1", port=ports[n % len(ports)]) for n in range(connections)]
    for client in clients:
        assert await client.connect()

    async def ask(number: int) -> int:
        client = clients[number]
        registers = (await client.read_holding_registers(0, count=REGISTERS, device_id=1)).registers
        if not is_converted:
            return len(registers)
        floats = client.convert_from_registers(registers, client.DATATYPE.FLOAT32)
        return len(floats) if isinstance(floats, list) else 1

    try:
        return await until(seconds, ask, connections)
    finally:
        for client in clients:
            client.close()


async def pymodbus_sequential(ports: list[int], seconds: float) -> dict[str, float]:
    return await pymodbus(ports, seconds, 1, is_converted=False)


async def pymodbus_fifty(ports: list[int], seconds: float) -> dict[str, float]:
    return await pymodbus(ports, seconds, CONNECTIONS, is_converted=False)


async def pymodbus_points(ports: list[int], seconds: float) -> dict[str, float]:
    return await pymodbus(ports, seconds, CONNECTIONS, is_converted=True)


def _child(count: Count, ports: list[int], seconds: float, pipe: Connection) -> None:
    async def run() -> dict[str, float]:
        return await count(ports, seconds)

    pipe.send(asyncio.run(run()))


def measure(count: Count, ports: list[int], seconds: float) -> dict[str, float]:
    """Run one reader in a process of its own."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_child, args=(count, ports, seconds, theirs))
    process.start()
    process.join(seconds + 30)
    if process.exitcode != 0:
        process.kill()
        raise SystemExit(f"{count.__name__} did not finish")
    found: dict[str, float] = ours.recv()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each of the seven readers (default: 5)")
    parser.add_argument("--json", action="store_true", help="print the last line only")
    options = parser.parse_args()
    multiprocessing.set_start_method("spawn")
    ours, theirs = multiprocessing.Pipe()
    meters = multiprocessing.Process(target=serve, args=(theirs,), daemon=True)
    meters.start()
    ports = ours.recv()
    found = {}
    for count in (
        our_exchanges,
        our_pipeline,
        pymodbus_sequential,
        pymodbus_fifty,
        our_points,
        pymodbus_points,
        our_pace,
    ):
        found[count.__name__] = measure(count, ports, options.seconds)
        if not options.json:
            print(count.__name__, {key: round(value, 3) for key, value in found[count.__name__].items()}, flush=True)
    meters.terminate()
    bare = max(found["pymodbus_sequential"]["per_cpu_s"], found["pymodbus_fifty"]["per_cpu_s"])
    told = {
        "ratio_pymodbus_per_core": round(found["our_pipeline"]["per_cpu_s"] / bare, 2),
        "ratio_pymodbus_sequential_per_core": round(
            found["our_pipeline"]["per_cpu_s"] / found["pymodbus_sequential"]["per_cpu_s"], 2
        ),
        "ratio_one_at_a_time": round(found["our_exchanges"]["per_cpu_s"] / bare, 2),
        "ratio_pymodbus_points_per_core": round(
            found["our_points"]["per_cpu_s"] / found["pymodbus_points"]["per_cpu_s"], 2
        ),
        "our_us_per_request": round(1e6 * REGISTERS / found["our_pipeline"]["per_cpu_s"], 1),
        "pymodbus_us_per_request": round(1e6 * REGISTERS / bare, 1),
        "paced": {key: round(value, 3) for key, value in found["our_pace"].items()},
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
