"""``edge buffer quarantine``: what the centre refuses, as a person meets it."""

import asyncio
import json
from decimal import Decimal
from pathlib import Path

from edge_agent.config import Settings, load_settings
from edge_agent.export import waiting_batches
from edge_agent.identity import load_signer
from edge_agent.store import Store
from protocols.sync import Lane, Reading, Series, decode_batch
from tests.edge_agent.commands.test_commands import edge
from tests.edge_agent.test_config import GOOD


async def poison(settings: Settings) -> None:
    async with await Store.open(settings.store_path, settings.edge_id, window_s=0) as store:
        series = Series("em-1", "energyImportTotal", "kWh")
        await store.append(Lane.BILLING, [Reading(series, n, Decimal(n)) for n in range(1, 4)])
        await store.set_aside(Lane.BILLING, 2, "not readable (sync_broken_batch)", 1_795_000_000_000)


def test_what_the_centre_refuses_is_listed_left_out_and_sent_again(tmp_path: Path) -> None:
    file = tmp_path / "edge.toml"
    file.write_text(GOOD)
    settings = load_settings(file)
    settings.data.mkdir(mode=0o700)
    command = ("-c", str(file), "buffer", "quarantine")
    asyncio.run(poison(settings))
    done = edge(*command)
    assert "not readable" in done.stdout.replace("\n", " ")
    assert "edge buffer quarantine --retry" in done.stdout
    (told,) = json.loads(edge(*command, "--json").stdout)["records"]
    assert (told["lane"], told["seq"], told["record"]["value"]) == ("billing", 2, "2")
    carried = [
        decode_batch(body) for body in waiting_batches(settings.store_path, list(Lane), load_signer(settings.data))
    ]
    assert [seq for batch in carried if batch.lane is Lane.BILLING for seq, _ in batch.numbered()] == [1, 3]
    assert edge(*command, "--retry").exit_code == 0
    assert "Nothing is set aside" in edge(*command).stdout
    carried = [
        decode_batch(body) for body in waiting_batches(settings.store_path, list(Lane), load_signer(settings.data))
    ]
    assert [seq for batch in carried if batch.lane is Lane.BILLING for seq, _ in batch.numbered()] == [1, 3, 4]
    assert edge("-c", str(file), "buffer", "verify").exit_code == 0
