"""The store keeps its promise when the process is killed and when the disk fails."""

import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge_agent.store import Store, peek_records, read_lanes
from protocols.sync import Event, Lane

CHILD = Path(__file__).parent / "store_child.py"
ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
KILLS = int(os.environ.get("GATEHOUSE_KILLS", "5"))


def run_child(mode: str, path: Path, prefix: list[str] | None = None) -> list[dict[str, Any]]:
    command = [*(prefix or []), sys.executable, str(CHILD), mode, str(path)]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, timeout=60, check=False)
    assert done.returncode in (0, -9, 137), done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


async def store_until_killed(path: Path, seconds: float) -> list[dict[str, Any]]:
    """Let a process store, kill it, and give what it had been promised."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, str(CHILD), "keep-storing", str(path), env=ENVIRONMENT, stdout=subprocess.PIPE, limit=2**20
    )
    assert child.stdout is not None
    lines = [await child.stdout.readline()]  # it has started
    asyncio.get_running_loop().call_later(seconds, child.kill)
    lines += [line async for line in child.stdout]
    await child.wait()
    return [json.loads(line) for line in lines if line.endswith(b"\n")]


def check_promises(path: Path, promised: dict[Lane, dict[int, int]], acking: dict[Lane, int]) -> None:
    for lane, state in read_lanes(path).items():
        kept = peek_records(path, lane, 10_000_000)
        assert [seq for seq, _ in kept] == list(range(state.acked_seq + 1, state.next_seq)), (
            "contiguous, and as counted"
        )
        tags = {seq: record.at if isinstance(record, Event) else record.taken_at for seq, record in kept}
        expected = {seq: tag for seq, tag in promised[lane].items() if seq > acking[lane]}
        lost = {seq: tag for seq, tag in expected.items() if tags.get(seq) != tag}
        assert not lost, f"{len(lost)} accepted records of the {lane.word} lane are lost or changed"
        assert state.acked_seq <= acking[lane], "nothing is deleted that was not acknowledged"


async def test_what_was_accepted_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "edge.db"
    promised: dict[Lane, dict[int, int]] = {lane: {} for lane in Lane}
    acking = dict.fromkeys(Lane, 0)
    for _ in range(KILLS):
        for line in await store_until_killed(path, random.uniform(0.02, 0.3)):
            lane = Lane(line["lane"])
            if "acking" in line:
                acking[lane] = max(acking[lane], line["acking"])
                continue
            first = line["last"] - len(line["tags"]) + 1
            for seq, tag in enumerate(line["tags"], first):
                assert seq not in promised[lane], "a number is given once"
                promised[lane][seq] = tag
        check_promises(path, promised, acking)
    assert sum(map(len, promised.values())) > 100 * KILLS, "the test has stored something worth killing for"
    async with await Store.open(path, "gw-1") as store:
        assert store.lanes() == read_lanes(path)


@pytest.fixture
def small_disk(tmp_path: Path) -> list[str]:
    """Give a command prefix that runs a program with a 24 MiB disk at tmp_path / "disk"."""
    disk = tmp_path / "disk"
    disk.mkdir()
    script = f'mount -t tmpfs -o size=24m none "{disk}" && "$@"'
    prefix = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh"]
    if not shutil.which("unshare") or subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system does not allow a mount in a namespace of one's own (unshare --map-root-user --mount)")
    return prefix


def test_a_full_disk_refuses_readings_but_takes_alarms_and_acks(tmp_path: Path, small_disk: list[str]) -> None:
    full, after = run_child("fill-the-disk", tmp_path / "disk" / "edge.db", small_disk)
    assert full["error"] == "StoreFull"
    assert full["stored"] > 100_000
    assert full["alarms"] == 100, "alarms have room kept for them"
    assert full["readings_refused"], "readings do not use up that room"
    assert full["peeked"] == 10, "what is stored can still be sent"
    assert after["after_ack"] == after["expected"], "once the centre has acknowledged, the store goes on by itself"
    assert after["pending"] == 1


def test_a_store_opens_again_on_a_disk_that_was_full_when_it_died(tmp_path: Path, small_disk: list[str]) -> None:
    both = ["sh", "-c", f'"$@"; shift 2; "{sys.executable}" "{CHILD}" open-again "{tmp_path}/disk/edge.db"', "sh"]
    died, opened = run_child("die-on-a-full-disk", tmp_path / "disk" / "edge.db", [*small_disk, *both])
    assert died["stored"] == opened["stored"] > 100_000
    assert opened["alarm"] == 1


def test_a_write_error_refuses_the_records_whole_and_passes(tmp_path: Path) -> None:
    (result,) = run_child("limit-the-file", tmp_path / "edge.db")
    assert result["stored"] > 0
    assert set(result["errors"]) <= {"StoreError", "StoreFull"}
    assert result["after"] == result["stored"] + 500, "the failed records left no gap and no number used"
    assert result["pending"] == result["after"]


@pytest.mark.parametrize(
    "fault", ["fdatasync:error=EIO:when=30..36", "fdatasync:error=EIO:when=30+7", "pwrite64:error=EIO:when=120..150"]
)
def test_a_disk_that_fails_keeps_what_was_promised_and_nothing_else(tmp_path: Path, fault: str) -> None:
    tracer = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,pwrite64"]
    if not shutil.which("strace") or subprocess.run([*tracer, "true"], capture_output=True, check=False).returncode:
        pytest.skip("strace is missing or not allowed here (apt-get install strace)")
    (result,) = run_child("meet-disk-errors", tmp_path / "edge.db", [*tracer, "-e", f"inject={fault}"])
    assert result["refused"] > 0, "the disk has failed"
    assert result["promised"] > 20, "and the store came back by itself"
    assert result["same"]
