"""Run the whole house on one machine: simulated site, gateway, centre.

Without options it runs until Ctrl-C, for a person to look at. With --check it is its own
judge: it cuts the link, kills the gateway, bills, and compares the bills with what the
simulated meters wrote down themselves. The last line printed is one JSON object.
"""

import argparse
import asyncio
import itertools
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import estate
import mission
import proof
from history import month_before
from link import Link

BIN = Path(sys.executable).parent
VAR = Path(__file__).resolve().parent.parent / "var"


class DemoError(Exception):
    """Something that should have happened did not."""


def say(text: str) -> None:
    print(f"demo: {text}", file=sys.stderr, flush=True)


class Demo:
    """The processes of the demonstration and the folder they live in."""

    def __init__(self, folder: Path, port: int, language: str, speed: int) -> None:
        self.folder = folder
        self.language = language
        self.speed = speed
        self.port = port or free_port()
        self.ports = {line: free_port() for line in estate.TCP_LINES}
        self.link = Link("127.0.0.1", self.port)
        self.running: dict[str, asyncio.subprocess.Process] = {}
        self.killed: set[int] = set()
        self.zone = "Asia/Shanghai"
        self.password = ""

    async def __aenter__(self) -> "Demo":
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "central").mkdir(exist_ok=True)
        await self.link.open()
        self.write("site.toml", estate.site_toml(self.ports, seed=7, speed=self.speed))
        self.write("edge.toml", estate.edge_toml(self.ports, self.link.port, self.language, speed=self.speed))
        self.write("central.toml", estate.central_toml(self.port, self.language))
        since = month_before(datetime.now(ZoneInfo(self.zone)).date(), 2)
        self.write("records.toml", estate.records_toml("gw-1", self.language, since))
        return self

    async def __aexit__(self, *exc: object) -> None:
        for name in ("edge", "sim", "central"):
            await self.stop(name)
        await self.link.cut()

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    async def start(self, name: str, *command: str, ready: str | None = None) -> None:
        """Start a process; ``ready`` is the text it prints when it can be used."""
        log = (self.folder / f"{name}.log").open("ab")
        # A session of its own: Ctrl-C reaches this program, which then stops the others in order.
        process = await asyncio.create_subprocess_exec(
            str(BIN / command[0]), *command[1:], cwd=self.folder, stdout=log, stderr=log, start_new_session=True
        )
        log.close()
        self.running[name] = process
        if ready is not None:
            await self.until(f"{name} to be ready", lambda: ready in self.log(name))

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    async def stop(self, name: str, number: int = signal.SIGTERM) -> None:
        process = self.running.pop(name, None)
        if process is None or process.returncode is not None:
            return
        process.send_signal(number)
        try:
            async with asyncio.timeout(15):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def command(self, *command: str, stdin: str | None = None) -> str:
        """Run a command to its end and give what it printed."""
        process = await asyncio.create_subprocess_exec(
            str(BIN / command[0]),
            *command[1:],
            cwd=self.folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(stdin.encode() if stdin is not None else b"")
        if process.returncode:
            raise DemoError(f"'{' '.join(command)}' ended with {process.returncode}: {(err or out).decode().strip()}")
        return out.decode()

    async def json(self, *command: str) -> Any:
        return json.loads(await self.command(*command, "--json"))

    async def until(self, what: str, condition: Any, seconds: float = 60) -> None:
        """Wait for a condition, and for no process to have died meanwhile."""
        deadline = time.monotonic() + seconds
        while True:
            result = condition()
            if asyncio.iscoroutine(result):
                result = await result
            if result:
                return
            for name, process in self.running.items():
                if process.returncode is not None:
                    raise DemoError(f"{name} ended with {process.returncode}: {self.log(name).strip()[-800:]}")
            if time.monotonic() > deadline:
                raise DemoError(f"waited {seconds:.0f} s for {what}; the logs are in {self.folder}")
            await asyncio.sleep(0.2)

    async def open_house(self) -> None:
        """Bring everything up: site, centre with its records, gateway."""
        say("starting the simulated site: 8 meters, a dead address, a lift and a door")
        await self.start("sim", "edge", "sim", "site.toml", "--control", "sim.sock", ready="ready")
        say("opening the centre and its accounts")
        await self.command("central", "migrate")
        await self.command("central", "records", "import", "records.toml")
        say("living three months: rounds, repairs, bills, payments, notices, visits")
        history = str(Path(__file__).with_name("history.py"))
        told = await self.command("python", history, "--lang", self.language)
        self.password = json.loads(told.splitlines()[-1])["password"]
        await self.command("central", "edge", "invite", "harbour", "--id", "gw-1", "--secret-file", "gw-1.secret")
        await self.start("central", "central", "run")
        await self.until("the centre to answer", lambda: answers(self.port))
        say("starting the gateway")
        await self.start_edge()

    async def start_edge(self) -> None:
        await self.start("edge", "edge", "-c", "edge.toml", "run")

    async def billing_reads(self, since_ms: int) -> bool:
        """Tell whether every billed meter has been read, and arrived, since an instant."""
        seen = proof.meters_read_since(self.folder / "central/central.db", since_ms)
        return {meter.id for meter in estate.METERS if meter.unit} <= seen


async def answers(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        line = await reader.readline()
        writer.close()
    except OSError:
        return False
    return b" 200 " in line


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def check(demo: Demo) -> dict[str, Any]:
    """Do the main job under faults, and compare."""
    await demo.open_house()
    await demo.until("the first reading of every meter", lambda: demo.billing_reads(0))
    say("polling; every meter has been read")
    await asyncio.sleep(6)

    say("giving cards to people, and holding them to the reader")
    numbers = await mission.set_up_doors(demo)
    await demo.until("the gateway to have the door's rules", lambda: mission.rules_arrived(demo), 30)
    expected = await mission.present_all(demo, numbers)

    say("cutting the link for 10 s; the door goes on deciding")
    await demo.link.cut()
    cut_ms = int(time.time() * 1000)
    witness = [await proof.lanes(demo)]
    expected += await mission.present_all(demo, numbers)
    restored_ms = int(time.time() * 1000)
    await asyncio.sleep(max(0.0, 10 - (restored_ms - cut_ms) / 1000))
    waiting = await proof.lanes(demo)
    witness.append(waiting)
    say(f"the gateway kept {proof.pending(waiting)} records meanwhile")
    if not proof.pending(waiting):
        raise DemoError("nothing waited at the gateway while the link was cut")
    await demo.link.open()

    say("killing the gateway with SIGKILL while it polls")
    await demo.stop("edge", signal.SIGKILL)
    witness.append(await proof.lanes(demo))
    await demo.start_edge()
    restarted_ms = int(time.time() * 1000)
    say("shutting somebody into the lift, and living a day of repairs, rounds and notices")
    lifts = await mission.lift_story(demo)
    await mission.walk_people(demo)
    await demo.until("every meter after the restart", lambda: demo.billing_reads(restarted_ms), 90)
    await asyncio.sleep(4)
    through_ms = int(time.time() * 1000)
    await demo.until("every meter's closing read", lambda: demo.billing_reads(through_ms), 90)

    accepted = await proof.lanes(demo)
    witness.append(accepted)
    await demo.until("the centre to have it all", lambda: proof.arrived(demo, accepted), 60)
    say("billing")
    through = datetime.fromtimestamp(through_ms / 1000).astimezone()
    period = proof.period(through, demo.zone)
    run = await demo.json("central", "bill", "run", "--period", period, "--through", through.isoformat())
    result = {**proof.delivery(demo.folder, witness), **await proof.bills(demo, run, period)}
    say("trying every door of the product as every role")
    walked = {
        **mission.figures(demo.folder / "central/central.db"),
        "doors": mission.judge_doors(demo, expected, (cut_ms, restored_ms)),
        "lifts": lifts,
        "roles": await mission.walk_roles(demo),
    }
    return {"ok": proof.is_ok(result) and mission.is_ok(walked), **result, "mission": walked}


async def show(demo: Demo) -> None:
    """Run for a person until Ctrl-C."""
    await demo.open_house()
    print(f"\n  Dashboard   http://127.0.0.1:{demo.port}/", flush=True)
    print(f"  Accounts    {', '.join(login for login, _ in mission.STAFF)}", flush=True)
    print(f"  Password    {demo.password}   (of all of them; made for this run, printed once)", flush=True)
    print("  Residents   sign in with a code: Records, a person, 'Hand over a sign-in code'\n", flush=True)
    print(f"  Data        {demo.folder}\n  Gateway     cd {demo.folder} && {BIN}/edge watch", flush=True)
    print("  Stop        Ctrl-C\n", flush=True)
    await demo.until(
        "the door to be heard of",
        lambda: proof.query(demo.folder / "central/central.db", "SELECT 1 FROM device WHERE kind = 'door'"),
    )
    numbers = await mission.set_up_doors(demo)
    for turn in itertools.count():
        await asyncio.sleep(10)
        # Somebody comes home, most of them by right.
        card = ("owner", "owner", "elsewhere", "owner", "stranger")[turn % 5]
        await demo.command("edge", "sim", "do", "sim.sock", "present", mission.DOOR, f"26:{numbers[card]}")
        lanes = await proof.lanes(demo)
        kept = sum(lane["next_seq"] - 1 for lane in lanes.values())
        say(f"{kept} records accepted, {proof.pending(lanes)} waiting for the centre")
        for name, process in demo.running.items():
            if process.returncode is not None:
                raise DemoError(f"{name} ended with {process.returncode}: {demo.log(name).strip()[-800:]}")


async def run(options: argparse.Namespace) -> int:
    started = time.monotonic()
    name = datetime.now().astimezone().strftime("demo-%Y%m%d-%H%M%S")
    folder = options.data or VAR / name
    async with AsyncExitStack() as stack:
        try:
            demo = await stack.enter_async_context(Demo(folder, options.port, options.lang, options.speed))
            if not options.check:
                await show(demo)
                return 0
            result = await check(demo)
        except DemoError as error:
            say(str(error))
            if options.check:
                print(json.dumps({"ok": False, "error": str(error), "seconds": round(time.monotonic() - started, 1)}))
            return 1
    result |= {"seconds": round(time.monotonic() - started, 1)}
    print(json.dumps(result, ensure_ascii=False))
    return 0 if result["ok"] else 1


def arguments(args: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument("--check", action="store_true", help="run by itself, compare, print one JSON object last")
    parser.add_argument("--port", type=int, default=0, help="the dashboard's port (default: any free one)")
    parser.add_argument("--data", type=Path, help="where to keep everything (default: a fresh folder under var/)")
    parser.add_argument(
        "--lang", choices=("zh", "en"), default="zh" if os.environ.get("LANG", "").startswith("zh") else "en"
    )
    parser.add_argument("--speed", type=int, default=240, help="how many seconds the meters live in one (default: 240)")
    return parser.parse_args(args)


async def main() -> int:
    task = asyncio.create_task(run(arguments(sys.argv[1:])))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        say("stopped")
        return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
