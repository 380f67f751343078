"""A gateway let in, cut off and shut out, all by what an operator and an engineer type: real processes, real TLS."""

import asyncio
import json
import re
import socket
import stat
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

EDGE = '[edge]\nid = "gw-1"\ndata = "data"\n'
SITE = '[[site]]\ncode = "lake"\nname = "湖畔"\n'


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class House:
    """A folder with a centre and a gateway, and the commands that are typed there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.door = free_port()
        listen = f'listen = "127.0.0.1:{free_port()}"'
        gateways = f'[gateways]\nlisten = "127.0.0.1:{self.door}"\nnames = ["127.0.0.1"]\n'
        (folder / "central.toml").write_text(f"[central]\n{listen}\n{gateways}")
        (folder / "site.toml").write_text(SITE, encoding="utf-8")
        (folder / "edge.toml").write_text(EDGE)

    async def type(self, module: str, *words: str) -> tuple[int, str]:
        command = (sys.executable, "-m", module, "-c", f"{module.partition('_')[0]}.toml", *words)
        process = await asyncio.create_subprocess_exec(*command, cwd=self.folder, stdout=-1, stderr=-1, umask=0)
        stdout, stderr = await asyncio.wait_for(process.communicate(), 30)
        return process.returncode or 0, stdout.decode() + stderr.decode()

    @asynccontextmanager
    async def running(self, module: str) -> AsyncIterator[None]:
        command = (sys.executable, "-m", module, "-c", f"{module.partition('_')[0]}.toml", "run")
        with (self.folder / f"{module}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(*command, cwd=self.folder, stdout=log, stderr=log, umask=0)
        try:
            yield
        finally:
            process.terminate()
            await asyncio.wait_for(process.wait(), 20)

    async def status(self) -> dict[str, Any]:
        code, text = await self.type("edge_agent", "status", "--json")
        return json.loads(text) if code == 0 else {"uplink": {"state": "none", "error": text}}

    async def downlink(self, state: str) -> bool:
        return bool((await self.status()).get("downlink", {}).get("state") == state)

    async def uplink(self, state: str) -> dict[str, Any]:
        """Wait until the gateway's link is in a state."""
        found: dict[str, Any] = {}

        async def is_it() -> bool:
            nonlocal found
            found = (await self.status())["uplink"]
            return bool(found["state"] == state)

        await within(20, is_it)
        return found


async def within(seconds: float, condition: Callable[[], Awaitable[bool]]) -> float:
    started = time.monotonic()
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.1)
    return time.monotonic() - started


@pytest.fixture
async def house(tmp_path: Path) -> House:
    house = House(tmp_path)
    for words in (("migrate",), ("records", "import", "site.toml")):
        code, text = await house.type("central_server", *words)
        assert code == 0, text
    return house


async def test_a_gateway_is_let_in_by_a_code_and_shut_out_by_a_word(house: House) -> None:
    url = f"https://127.0.0.1:{house.door}"
    with (house.folder / "edge.toml").open("a") as settings:
        settings.write(f'\n[uplink]\nurl = "{url}"\n')
    async with house.running("central_server"), house.running("edge_agent"):
        refused = await house.uplink("refused")
        assert "not enrolled: it polls, stores and opens doors" in refused["error"]
        code, text = await house.type("central_server", "edge", "invite", "lake", "--id", "gw-1")
        assert code == 0, text
        found = re.search(r"edge enroll (\S+) (\S+)", text)
        assert found is not None
        assert found[1] == url
        code, text = await house.type("edge_agent", "enroll", found[1], found[2])
        assert (code, "is enrolled" in text) == (0, True), text
        await house.uplink("online")  # without a restart
        await within(10, lambda: house.downlink("connected"))
        assert len((house.folder / "data/identity/command.key").read_text().strip()) == 64
        code, text = await house.type("edge_agent", "sync", "now", "--json")
        assert (code, json.loads(text)["ok"]) == (0, True), text
        code, text = await house.type("central_server", "sync", "verify", "--json")
        proof = json.loads(text)
        assert (proof["ok"], proof["signed"], proof["batches"] > 0) == (True, proof["batches"], True)
        code, text = await house.type("central_server", "edge", "list")
        assert re.search(r"^gw-1 .*, certificate until 20\d\d-\d\d-\d\d$", text, re.MULTILINE), text
        code, text = await house.type("central_server", "edge", "revoke", "gw-1")
        assert code == 0, text
        refused = await house.uplink("refused")
        assert "not good any more" in refused["error"]
        code, text = await house.type("edge_agent", "sync", "now", "--wait", "4")
        assert (code, "not good any more" in text) == (1, True), text
        assert await house.downlink("waiting")
    with (house.folder / "central.toml").open("a") as settings:
        settings.write('\n[mqtt]\nurl = "mqtts://127.0.0.1:8883"\n')
    for words in (
        ("central_server", "mqtt", "broker", "data/broker"),
        ("edge_agent", "buffer", "export", "data/gw-1.ghx"),
    ):
        code, text = await house.type(*words)
        assert code == 0, text
    assert_private(house.folder / "data")


def assert_private(data: Path) -> None:
    """Nobody but the owner reads a secret or writes anything, although all was started with the umask 000."""
    modes = {str(path.relative_to(data)): stat.S_IMODE(path.stat().st_mode) for path in (data, *data.rglob("*"))}
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o022} == {}
    secrets = (
        "identity/tls.pem",
        "identity/sign.key",
        "authority/authority.key",
        "central.key",
        "central.db",
        "broker/broker.key",
    )
    assert {name: modes[name] for name in secrets} == dict.fromkeys(secrets, 0o600)
    assert {name: modes[name] for name in (".", "identity", "authority")} == dict.fromkeys(
        (".", "identity", "authority"), 0o700
    )
