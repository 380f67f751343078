"""A simulator that is stopped, killed or given another seed: registers only go up, the journal goes on."""

import asyncio
import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from tests.drivers.sim.served import Running, running, site_from

_SITE = """
[site]
seed = {seed}
speed = {speed}
journal = "journal.jsonl"
{state}
[[line]]
id = "tcp-1"
kind = "modbus-tcp"
port = 0
[[device]]
id = "em-1"
line = "tcp-1"
profile = "electricity/eastron-sdm630"
address = "1"
initial = "{initial}"
mean = 20000
"""
_READ_TOTAL = bytes.fromhex("0001 0000 0006 01 04 0048 0002")
_STATE = 'state = "state.json"'


def _text(seed: int = 1, speed: int = 3600, initial: str = "500.00", state: str = _STATE) -> str:
    return _SITE.format(seed=seed, speed=speed, initial=initial, state=state)


async def _read(site: Running, count: int = 5) -> list[Decimal]:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port("tcp-1"))
    for _ in range(count):
        writer.write(_READ_TOTAL)
        await reader.readexactly(13)
        await asyncio.sleep(0.01)
    writer.close()
    return [Decimal(it["value"]) for it in site.journal]


@pytest.mark.parametrize("state", [_STATE, ""], ids=["with a state file", "from the journal alone"])
@pytest.mark.parametrize(
    "again",
    [{}, {"seed": 99}, {"speed": 1}, {"initial": "0.00"}],
    ids=["same", "other seed", "slower", "initial edited down"],
)
async def test_a_restart_goes_on_upwards(tmp_path: Path, state: str, again: dict[str, int | str]) -> None:
    async with running(site_from(_text(state=state), tmp_path)) as site:
        first = await _read(site)
    async with running(site_from(_text(state=state, **again), tmp_path)) as site:  # type: ignore[arg-type]
        both = await _read(site)
    assert both[:5] == first
    assert len(both) == 10
    assert both == sorted(both)
    assert first[-1] > first[0] >= Decimal(500)
    assert both[5] - first[-1] < 50


async def test_a_clean_stop_loses_and_skips_nothing(tmp_path: Path) -> None:
    async with running(site_from(_text(speed=1), tmp_path)) as site:
        before = (await _read(site))[-1]
    async with running(site_from(_text(speed=1), tmp_path)) as site:
        assert (await _read(site))[-1] == before


async def test_after_a_kill_nothing_that_was_told_is_taken_back(tmp_path: Path) -> None:
    async with running(site_from(_text(), tmp_path)) as site:
        await _read(site, 20)
        killed = tmp_path / "killed"
        killed.mkdir()
        shutil.copy(tmp_path / "state.json", killed)  # what a kill leaves: no farewell was written
        told = (await _read(site, 1))[-1]
    async with running(site_from(_text(speed=1, seed=4), killed)) as site:
        assert (await _read(site, 1))[0] >= told
