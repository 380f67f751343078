"""A small simulated site on real sockets and ptys, and a gateway for it, as real processes."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_agent.control import ControlClient, NotRunning

SITE = """\
[site]
seed = 3
speed = 600
journal = "journal.jsonl"

[[line]]
id = "tcp-1"
kind = "modbus-tcp"
port = {port}

[[line]]
id = "line-1"
kind = "serial"
path = "line-1"
baudrate = 9600
reply_ms = 10

[[device]]
id = "em-1"
line = "tcp-1"
profile = "electricity/eastron-sdm630"
address = "1"
initial = "20417.35"
mean = 9000

[[device]]
id = "em-2"
line = "line-1"
profile = "electricity/dlt645-2007"
address = "202611000103"
initial = "1234.56"
mean = 4000

[[device]]
id = "em-3"
line = "line-1"
profile = "electricity/dlt645-2007"
address = "202611000104"
initial = "99.10"
mean = 4000

[[device]]
id = "em-4"
line = "line-1"
profile = "electricity/dlt645-2007"
address = "202611000105"
dead = true
"""

EDGE = """\
[edge]
id = "gw-1"
data = "data"

[[bus]]
id = "tcp-1"
kind = "modbus-tcp"
host = "127.0.0.1"
port = {port}
timeout_ms = 200

[[bus]]
id = "line-1"
kind = "serial"
port = "line-1"
baudrate = 9600
parity = "N"
timeout_ms = 200

[[device]]
id = "em-1"
bus = "tcp-1"
profile = "electricity/eastron-sdm630"
address = "1"
period_s = 1
max_per_hour = 600_000

[[device]]
id = "em-2"
bus = "line-1"
profile = "electricity/dlt645-2007"
address = "202611000103"
period_s = 1
max_per_hour = 600_000
points = ["energyImportTotal"]

[[device]]
id = "em-3"
bus = "line-1"
profile = "electricity/dlt645-2007"
address = "202611000104"
period_s = 1
max_per_hour = 600_000
points = ["energyImportTotal"]

[[device]]
id = "em-4"
bus = "line-1"
profile = "electricity/dlt645-2007"
address = "202611000105"
period_s = 1
max_per_hour = 600_000
points = ["energyImportTotal"]
"""


@dataclass
class Site:
    """The folder of a site and the processes that run in it."""

    folder: Path
    running: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def start(self, *command: str) -> asyncio.subprocess.Process:
        log = (self.folder / f"{command[0]}.log").open("ab")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "edge_agent", *command, cwd=self.folder, stdout=log, stderr=log
        )
        log.close()
        self.running.append(process)
        return process

    async def edge(self, *command: str) -> tuple[int, str, str]:
        """Run a command to its end in a terminal of 80 columns; give its code and what it printed."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "edge_agent", *command,
            cwd=self.folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "COLUMNS": "80"},
        )  # fmt: skip
        out, err = await process.communicate()
        return process.returncode or 0, out.decode(), err.decode()

    async def ask(self, op: str = "status", **fields: Any) -> Any:
        """Ask the running gateway, as its commands do, once it listens."""
        while True:
            try:
                return await ControlClient(self.folder / "data/edge.sock").ask(op, **fields)
            except NotRunning:
                await asyncio.sleep(0.05)

    async def until(self, condition: Callable[[], Any], seconds: float = 20) -> None:
        async with asyncio.timeout(seconds):
            while True:
                found = condition()
                if asyncio.iscoroutine(found):
                    found = await found
                if found:
                    return
                await asyncio.sleep(0.1)


@asynccontextmanager
async def open_site(folder: Path) -> AsyncIterator[Site]:
    """Serve the site; its gateway is the test's to start."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "site.toml").write_text(SITE.format(port=port))
    (folder / "edge.toml").write_text(EDGE.format(port=port))
    site = Site(folder)
    try:
        await site.start("sim", "site.toml")
        await site.until(lambda: "ready" in (folder / "sim.log").read_text())
        yield site
    finally:
        for process in site.running:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
                try:
                    async with asyncio.timeout(5):
                        await process.wait()
                except TimeoutError:
                    process.kill()
                    await process.wait()
