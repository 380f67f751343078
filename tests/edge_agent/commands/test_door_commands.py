"""Doors from the command line: a simulated site that is worked by hand, and a gateway beside it."""

import json
import stat
from pathlib import Path
from typing import Any

from edge_agent.store_file import peek_records
from protocols.access import DECISION
from protocols.sync import Event, Lane
from tests.edge_agent.commands.test_commands import edge
from tests.edge_agent.site import Site

SITE = """\
[site]
journal = "journal.jsonl"

[[line]]
id = "io"
kind = "modbus-tcp"
port = 0

[[device]]
id = "door-1"
line = "io"
profile = "access/modbus-door"
address = "1"
visits = false
"""


async def test_an_engineer_works_a_door_from_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(SITE)
    site = Site(tmp_path)
    try:
        simulator = await site.start("sim", "site.toml", "--write-config", "edge.toml", "--control", "sim.sock")
        await site.until(lambda: "ready" in (tmp_path / "sim.log").read_text())
        assert stat.S_IMODE((tmp_path / "sim.sock").stat().st_mode) == 0o600
        code, _, told = await site.edge("doors")
        assert (code, "not running" in told) == (1, True)
        gateway = await site.start("run")

        async def doors() -> list[dict[str, Any]]:
            return [row for row in await site.ask("doors") if row["state"] == "ok"]

        await site.until(doors)
        code, shown, _ = await site.edge("sim", "do", "sim.sock", "present", "door-1", "26:b40288")
        card = json.loads(shown)
        assert (code, card["what"], card["counter"], card["number"]) == (0, "card", 1, "b40288")
        code, shown, _ = await site.edge("door", "door-1", "open", "--json")
        opened = json.loads(shown)
        assert (code, opened["ok"], opened["by"]) == (0, True, "local command")
        code, shown, _ = await site.edge("doors", "--json")
        (row,) = json.loads(shown)["doors"]
        assert (code, row["last_decision"]["decision_id"], row["lock"]) == (0, opened["decision_id"], "unlocked")
        code, shown, _ = await site.edge("doors")
        assert (code, "door-1" in shown, "granted" in shown) == (0, True, True)

        assert (await site.edge("sim", "do", "sim.sock", "present", "door-9", "26:1"))[0] == 1
        assert (await site.edge("door", "door-1", "close"))[0] == 2
        for process in (gateway, simulator):
            process.terminate()
            assert await process.wait() == 0
        assert not (tmp_path / "sim.sock").exists()
        assert (await site.edge("sim", "do", "sim.sock", "open", "door-1"))[0] == 2
    finally:
        for process in site.running:
            if process.returncode is None:
                process.kill()
    kept = [record for _, record in peek_records(tmp_path / "data/edge.db", Lane.SAFETY, 100)]
    reasons = [record.body["reason"] for record in kept if isinstance(record, Event) and record.kind == DECISION]
    assert reasons == ["no_rules", "granted"]
    entries = [json.loads(line) for line in (tmp_path / "journal.jsonl").read_text().splitlines()]
    assert [entry["what"] for entry in entries if "door" in entry] == ["card", "relay"]


def test_decode_reads_a_cards_bits() -> None:
    done = edge("decode", "wiegand", "00101101000000001010001000", "--json")
    (frame,) = json.loads(done.stdout)["frames"]
    assert (done.exit_code, frame["ok"]) == (0, True)
    assert (frame["header"]["facility"], frame["header"]["card"], frame["header"]["bits"]) == (90, 324, 26)
    done = edge("decode", "wiegand", "10101101000000001010001000", "--json")
    (frame,) = json.loads(done.stdout)["frames"]
    assert (done.exit_code, frame["ok"], frame["error"]["kind"]) == (1, False, "checksum")
    assert edge("decode", "wiegand", "b40288").exit_code == 2
