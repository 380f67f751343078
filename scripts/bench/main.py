"""Measure the main job end to end: polled, stored, acknowledged; CPU; bytes on the wire and on disk.

Real processes on loopback: meters that answer at once, our gateway and centre, and then a plain
gateway and centre on the same meters. Absolute figures are this machine's; quote the ratios.
"""

import argparse
import asyncio
import json
import os
import sqlite3
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from central_server.telemetry.block import unpack

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import estate
from demo import BIN, answers, free_port
from link import Link

# What both sides read of each meter: ten floats in three requests, see BLOCKS of the peers.
POINTS = [f"{what}L{phase}" for what in ("voltage", "current") for phase in (1, 2, 3)]
POINTS += ["powerTotal", "freq", "energyImportTotal", "energyExportTotal"]
PEERS = Path(__file__).with_name("peers.py")
TICKS = os.sysconf("SC_CLK_TCK")


async def start(folder: Path, *command: str, reads: bool = False) -> tuple[asyncio.subprocess.Process, Any]:
    """Start a process; with ``reads`` wait for the JSON line in which it says where it is."""
    log = (folder / "bench.log").open("ab")
    out = asyncio.subprocess.PIPE if reads else log
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=out, stderr=log)
    log.close()
    said = json.loads(await process.stdout.readline()) if reads and process.stdout else None
    return process, said


async def stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        await process.wait()


async def edge(folder: Path, *command: str) -> Any:
    process = await asyncio.create_subprocess_exec(
        str(BIN / "edge"), "-c", "edge.toml", *command, "--json", cwd=folder, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return json.loads(out)


async def central(folder: Path, *command: str, stdin: bytes = b"") -> None:
    process = await asyncio.create_subprocess_exec(
        str(BIN / "central"), *command, cwd=folder, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL
    )
    await process.communicate(stdin)
    if process.returncode:
        raise SystemExit(f"bench: 'central {' '.join(command)}' ended with {process.returncode}")


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def size(folder: Path, name: str) -> int:
    return sum(path.stat().st_size for path in folder.glob(f"{name}*") if not path.name.endswith((".reserve", ".lock")))


def used_bytes(path: Path) -> int:
    """Give the bytes a database uses, without the pages it keeps for later."""
    found = sqlite3.connect(path)
    (pages,), (free,), (width,) = (
        found.execute(f"PRAGMA {what}").fetchone() for what in ("page_count", "freelist_count", "page_size")
    )
    found.close()
    return int((pages - free) * width)


async def lanes(folder: Path) -> tuple[int, int, int]:
    """Give (accepted, acknowledged, waiting) over all lanes."""
    found = (await edge(folder, "buffer", "status"))["lanes"].values()
    return (
        sum(lane["next_seq"] - 1 for lane in found),
        sum(lane["acked_seq"] for lane in found),
        sum(lane["pending"] for lane in found),
    )


def settings(ports: list[int], uplink: int, period_s: float) -> str:
    text = estate.table("[edge]", {"id": "gw-1", "data": "edge"})
    text += estate.table("[uplink]", {"url": f"http://127.0.0.1:{uplink}", "secret_file": "gw-1.secret"})
    for number, port in enumerate(ports):
        text += estate.table("[[bus]]", {"id": f"b{number}", "kind": "modbus-tcp", "host": "127.0.0.1", "port": port})
        values = {"id": f"m{number}", "bus": f"b{number}", "profile": "electricity/eastron-sdm630", "address": "1"}
        text += estate.table("[[device]]", values | {"period_s": period_s, "points": POINTS})
    return text


async def ours(folder: Path, ports: list[int], seconds: float, period_s: float) -> dict[str, float]:
    """Run our gateway and centre on the meters."""
    port = free_port()
    link = Link("127.0.0.1", port)
    await link.open()
    (folder / "central").mkdir()
    (folder / "central.toml").write_text(estate.central_toml(port, "en"))
    (folder / "edge.toml").write_text(settings(ports, link.port, period_s))
    (folder / "records.toml").write_text(estate.table("[[site]]", {"code": "harbour", "name": "Harbour"}))
    await central(folder, "migrate")
    await central(folder, "records", "import", "records.toml")
    await central(folder, "edge", "invite", "harbour", "--id", "gw-1", "--secret-file", "gw-1.secret")
    centre, _ = await start(folder, str(BIN / "central"), "run")
    for _ in range(100):
        if await answers(port):
            break
        await asyncio.sleep(0.1)
    gateway, _ = await start(folder, str(BIN / "edge"), "-c", "edge.toml", "run")
    try:
        await asyncio.sleep(4)
        began = time.monotonic()
        accepted, acked, _ = await lanes(folder)
        before = [cpu_s(gateway.pid), cpu_s(centre.pid), link.bytes_up]
        await asyncio.sleep(seconds)
        took = time.monotonic() - began
        more, more_acked, _ = await lanes(folder)
        after = [cpu_s(gateway.pid), cpu_s(centre.pid), link.bytes_up]
        count, acknowledged = more - accepted, more_acked - acked
        used = [now - then for now, then in zip(after, before, strict=True)]
        await link.cut()
        await asyncio.sleep(min(seconds, 10))
        _, _, waiting = await lanes(folder)
        await stop(gateway)
        edge_bytes = used_bytes(folder / "edge/edge.db")
    finally:
        await stop(gateway)
        await stop(centre)
        await link.cut()
    found = sqlite3.connect(folder / "central/central.db")
    rows = sum(len(unpack(body, "at")) for (body,) in found.execute("SELECT body FROM block"))
    (log_bytes,) = found.execute("SELECT sum(length(body)) FROM batch").fetchone()
    found.close()
    return {
        "stored_per_s": count / took,
        "acked_per_s": acknowledged / took,
        "gateway_cpu_s_per_100k": 1e5 * used[0] / count,
        "centre_cpu_s_per_100k": 1e5 * used[1] / acknowledged,
        "wire_bytes_per_reading": used[2] / acknowledged,
        "edge_disk_bytes_per_reading": edge_bytes / waiting,
        "centre_log_bytes_per_reading": log_bytes / rows,
        "centre_disk_bytes_per_reading": size(folder / "central", "central.db") / rows,
    }


async def plain(folder: Path, ports: list[int], seconds: float) -> dict[str, float]:
    """Run the plain gateway and centre on the same meters."""
    centre, port = await start(folder, sys.executable, str(PEERS), "centre", str(folder), reads=True)
    before = cpu_s(centre.pid)
    gateway, said = await start(
        folder,
        sys.executable,
        str(PEERS),
        "gateway",
        str(folder),
        json.dumps(ports),
        str(port),
        str(seconds),
        reads=True,
    )
    await gateway.wait()
    used = cpu_s(centre.pid) - before
    await stop(centre)
    readings = said["readings"]
    return {
        "acked_per_s": readings / said["seconds"],
        "gateway_cpu_s_per_100k": 1e5 * said["cpu"] / readings,
        "centre_cpu_s_per_100k": 1e5 * used / readings,
        "wire_bytes_per_reading": said["sent"] / readings,
        "centre_disk_bytes_per_reading": size(folder, "plain-centre.db") / readings,
    }


async def run(options: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as name:
        folder = Path(name)
        meters, ports = await start(folder, sys.executable, str(PEERS), "meters", str(options.lines), reads=True)
        try:
            mine = await ours(folder, ports, options.seconds, options.period)
            theirs = await plain(folder, ports, options.seconds)
        finally:
            await stop(meters)
    total = [part["gateway_cpu_s_per_100k"] + part["centre_cpu_s_per_100k"] for part in (mine, theirs)]
    ratios = {
        "ratio_plain_readings_per_s": mine["acked_per_s"] / theirs["acked_per_s"],
        "ratio_plain_cpu": total[1] / total[0],
        "ratio_plain_wire_bytes": theirs["wire_bytes_per_reading"] / mine["wire_bytes_per_reading"],
    }
    settings = {"lines": options.lines, "period_s": options.period, "seconds": options.seconds, "points": len(POINTS)}
    rounded = {
        key: {name: round(value, 3) for name, value in part.items()}
        for key, part in (("ours", mine), ("plain", theirs))
    }
    return {**settings, **rounded, **{key: round(value, 2) for key, value in ratios.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench/main", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object last, without the table")
    parser.add_argument("--lines", type=int, default=60, help="Modbus TCP meters, one line each (default: 60)")
    parser.add_argument("--period", type=float, default=0.05, help="seconds between polls of a meter (default: 0.05)")
    parser.add_argument("--seconds", type=float, default=15, help="how long each side is measured (default: 15)")
    options = parser.parse_args()
    found = asyncio.run(run(options))
    if not options.json:
        for side in ("ours", "plain"):
            for name, value in found[side].items():
                print(f"{side:<6} {name:<32} {value:>12,.3f}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
