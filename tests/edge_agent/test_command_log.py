"""The journal of commands: what is written first, what a crash leaves, and what is forgotten."""

from pathlib import Path
from typing import Any

import pytest

from edge_agent.command_log import BEGUN, KEPT_MS, CommandLog
from edge_agent.store import Store
from edge_agent.store_file import connect_reader
from protocols.command import EXPIRED, Command, command_id

NOW = 1_800_000_000_000


def command(number: int, device: str = "door-1", expires_at: int = NOW + 10_000) -> Command:
    made = command_id(NOW + number, number.to_bytes(8, "big"))
    return Command(made, "gw-1", device, "open", "lin", "door", expires_at)


def end(told: Command, state: str) -> dict[str, Any]:
    return {"id": told.id, "device": told.device, "state": state, "error": None, "read_back": None}


def rows(path: Path) -> list[tuple[Any, ...]]:
    with connect_reader(path) as connection:
        return connection.execute("SELECT id, state, is_told FROM command ORDER BY id").fetchall()


async def test_what_a_crash_leaves_begun_is_unknown_and_never_begun_again(tmp_path: Path) -> None:
    path, one, two = tmp_path / "edge.db", command(1), command(2, "door-2")
    async with await Store.open(path, "gw-1") as store:
        log = CommandLog(store)
        assert (await log.begin(one, NOW, None)).is_new
        assert rows(path) == [(one.id, BEGUN, 0)], "on disk before anything is done"
        assert (await log.begin(one, NOW, None)) == (BEGUN, {}, False)
        assert (await log.begin(two, NOW, None)).is_new
        await log.finish(two.id, "done", end(two, "done"))
    async with await Store.open(path, "gw-1") as store:
        log = CommandLog(store)
        told = await log.recover()
        assert [(each["id"], each["state"]) for each in told] == [(one.id, "unknown"), (two.id, "done")]
        assert (await log.begin(one, NOW, None)).told["state"] == "unknown"
        for each in told:
            await log.mark_told(each["id"])
        assert await log.recover() == []
        await log.finish(one.id, "done", end(one, "done"))
        assert rows(path)[0] == (one.id, "unknown", 1), "an end is an end"


async def test_what_is_not_carried_out_is_remembered_as_well(tmp_path: Path) -> None:
    async with await Store.open(tmp_path / "edge.db", "gw-1") as store:
        log, late = CommandLog(store), command(1)
        entry = await log.begin(late, NOW, (EXPIRED, end(late, EXPIRED)))
        assert (entry.state, entry.is_new) == (EXPIRED, True)
        assert (await log.begin(late, NOW, None)).state == EXPIRED, "also where it would be allowed now"


@pytest.mark.parametrize(("device", "state"), [("door-1", "failed"), ("door-2", BEGUN)])
async def test_an_older_command_for_the_same_device_comes_too_late(tmp_path: Path, device: str, state: str) -> None:
    async with await Store.open(tmp_path / "edge.db", "gw-1") as store:
        log = CommandLog(store)
        await log.begin(command(2), NOW, None)
        assert (await log.begin(command(1, device), NOW, None)).state == state


async def test_the_journal_does_not_grow_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "edge.db"
    async with await Store.open(path, "gw-1") as store:
        log = CommandLog(store)
        for number in (1, 2):
            await log.begin(command(number), NOW, None)
            await log.finish(command(number).id, "done", end(command(number), "done"))
        await log.mark_told(command(1).id)
        later = NOW + 10_001 + KEPT_MS
        await log.begin(command(3, expires_at=later + 1), later, None)
        kept = [row[0] for row in rows(path)]
        assert kept == [command(2).id, command(3).id], "what is not told yet stays, however old"
