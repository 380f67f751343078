"""Poll 32 devices on one line, 8 of them dead, while commands come at random; RTU at 9,600 baud and TCP.

The gateway's own poller, store and buses; the devices are the simulator's, a paced pseudo-terminal
that gives bytes the time they need at 9,600 baud, and one TCP gateway with 32 units behind it.
Reported are the healthy devices' mean and worst period against the nominal one, the time a command
takes with its wait for the line, and the share of the time that the serial line was busy with answers
when it was asked without a pause, against what the bytes and turn-arounds need at the least.
"""

import argparse
import asyncio
import json
import multiprocessing
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from itertools import pairwise
from pathlib import Path

from drivers.bus.exchange import ModbusRead, Priority
from drivers.bus.owner import Bus
from drivers.bus.settings import BusSettings, SerialSettings, TcpSettings
from drivers.factory import create_bus, create_driver
from drivers.profile import load_profile
from drivers.sim.run import run_site
from drivers.sim.site import load_site
from edge_agent.agent import probe_cost_s
from edge_agent.config import Device
from edge_agent.live import new_live
from edge_agent.poller import Poller
from edge_agent.recorder import Recorder
from edge_agent.store import Store

DEVICES, DEAD = 32, 8
PROFILE = "electricity/eastron-sdm630"
POINTS = ("energyImportTotal", "powerTotal", "voltageL1")
BAUD = 9600
REPLY_MS = 10
TIMEOUT_S = 1.0  # as the settings have it where nobody changes them
GOALS_MS = {"rtu": 400, "tcp": 150}


def site(folder: Path, kind: str) -> Path:
    line = f'id = "line"\nkind = "serial"\npath = "line"\nbaudrate = {BAUD}\npaced = true\nreply_ms = {REPLY_MS}\n'
    if kind == "tcp":
        line = f'id = "line"\nkind = "modbus-tcp"\nport = 0\nreply_ms = {REPLY_MS}\n'
    text = f"[site]\nseed = 1\n[[line]]\n{line}"
    for number in range(DEVICES):
        text += f'[[device]]\nid = "d{number}"\nline = "line"\nprofile = "{PROFILE}"\naddress = "{number + 1}"\n'
        text += "dead = true\n" if number % (DEVICES // DEAD) == 1 else ""
    path = folder / "site.toml"
    path.write_text(text)
    return path


def serve(path: Path, ready: "multiprocessing.SimpleQueue[str]") -> None:
    def told(addresses: Mapping[str, str]) -> None:
        ready.put(addresses["line"])

    asyncio.run(run_site(load_site(path), ready=told))


def bus_settings(kind: str, address: str) -> BusSettings:
    if kind == "tcp":
        host, _, port = address.rpartition(":")
        return TcpSettings("line", host, int(port), TIMEOUT_S)
    return SerialSettings("line", address, BAUD, 8, "N", 1, TIMEOUT_S)


async def poll(kind: str, address: str, folder: Path, seconds: float, period_s: float) -> dict[str, float]:
    """Poll and command for so long; the first third is for learning who is dead, and is not counted."""
    settings = bus_settings(kind, address)
    profile = load_profile(PROFILE)
    devices = tuple(Device(f"d{n}", "", "line", profile, str(n + 1), period_s, POINTS) for n in range(DEVICES))
    live = new_live(devices)
    seen: dict[str, list[float]] = {device.id: [] for device in devices}
    commands: list[float] = []
    async with await Store.open(folder / "edge.db", "gw-1") as store:
        bus = create_bus(settings)
        drivers = {device.id: create_driver(profile, bus, device.address) for device in devices}

        def watch(name: str) -> Callable[[object], Awaitable[None]]:
            async def note(_: object) -> None:
                seen[name].append(time.monotonic())

            return note

        watches = {device.id: watch(device.id) for device in devices}
        poller = Poller(bus, drivers, live, Recorder(store, "gw-1"), probe_cost_s(settings), watches)
        tasks = [asyncio.create_task(bus.run()), asyncio.create_task(poller.run())]
        await asyncio.sleep(seconds / 3)
        began = time.monotonic()
        await command(bus, commands, seconds * 2 / 3)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    healthy = [[at for at in times if at >= began] for times in seen.values() if len(times) > 2]
    periods = [(times[-1] - times[0]) / (len(times) - 1) for times in healthy if len(times) > 1]
    gaps = [after - before for times in healthy for before, after in pairwise(times)]
    commands.sort()
    return {
        "healthy": len(periods),
        "mean_period_ratio": round(max(periods) / period_s, 3),
        "worst_gap_ratio": round(max(gaps) / period_s, 3),
        "commands": len(commands),
        "command_p50_ms": round(1000 * commands[len(commands) // 2]),
        "command_p99_ms": round(1000 * commands[len(commands) * 99 // 100]),
        "utilisation": round(bus.utilisation, 2),
    }


async def command(bus: Bus, took: list[float], seconds: float) -> None:
    """Ask healthy devices ahead of the polls, at moments that have nothing to do with them."""
    rng = random.Random(7)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        await asyncio.sleep(rng.uniform(0.05, 0.35))
        unit = rng.choice([n for n in range(DEVICES) if n % (DEVICES // DEAD) != 1]) + 1
        asked = time.monotonic()
        await bus.execute(ModbusRead(unit, 4, 0x48, 2), Priority.COMMAND)
        took.append(time.monotonic() - asked)


async def saturate(address: str, seconds: float, registers: int) -> float:
    """Ask one device without a pause and compare with what the bytes, the turn-around and the silence need."""
    async with create_bus(bus_settings("rtu", address)) as bus:
        await bus.execute(ModbusRead(1, 4, 0, registers))
        began, done = time.monotonic(), 0
        while time.monotonic() - began < seconds:
            await bus.execute(ModbusRead(1, 4, 0, registers))
            done += 1
        passed = time.monotonic() - began
    # The simulator gives each byte eleven bits; a frame ends with 3.5 characters of silence.
    byte_s = 11 / BAUD
    least = (8 + 5 + 2 * registers + 3.5) * byte_s + REPLY_MS / 1000
    return done * least / passed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="for each line (default: 60)")
    parser.add_argument("--period", type=float, default=10, help="nominal period of each device in s (default: 10)")
    parser.add_argument("--json", action="store_true", help="print the last line only")
    options = parser.parse_args()
    multiprocessing.set_start_method("spawn")
    told: dict[str, object] = {"devices": DEVICES, "dead": DEAD, "baud": BAUD, "period_s": options.period}
    for kind in ("rtu", "tcp"):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            ready: multiprocessing.SimpleQueue[str] = multiprocessing.SimpleQueue()
            simulator = multiprocessing.Process(target=serve, args=(site(folder, kind), ready), daemon=True)
            simulator.start()
            address = ready.get()
            try:
                found = asyncio.run(poll(kind, address, folder, options.seconds, options.period))
                if kind == "rtu":
                    # The block of the meter that its profile reads for voltages, currents and powers, and a part of it.
                    for name, registers in (("serial_utilisation", 18), ("serial_utilisation_short", 12)):
                        share = asyncio.run(saturate(address, options.seconds / 10, registers))
                        told[name] = round(share, 3)
            finally:
                simulator.terminate()
                simulator.join()
        told[kind] = {**found, "command_goal_ms": GOALS_MS[kind]}
        if not options.json:
            print(kind, told[kind], flush=True)
    print(json.dumps(told))


if __name__ == "__main__":
    main()
