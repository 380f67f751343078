"""Settings on trial in a real gateway: confirmed, reverted by itself, killed at several points, and sent by the centre."""

import asyncio
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.command_key import keep_command_key
from edge_agent.config import load_settings
from edge_agent.config_control import ConfigControl
from edge_agent.config_keeper import ConfigKeeper
from edge_agent.config_revision import Revisions
from edge_agent.config_trial import INTERRUPTED, Phase, State
from edge_agent.control import ControlError
from edge_agent.recorder import Recorder
from edge_agent.store import Store
from edge_agent.store_file import peek_records
from protocols.config_offer import Offer, signed_offer
from protocols.sync import Event, Lane
from tests.edge_agent.site import Site, open_site
from tests.edge_agent.test_config import GOOD, write

CHILD = str(Path(__file__).with_name("config_child.py"))
SECONDS = 2.0


async def start(site: Site) -> asyncio.subprocess.Process:
    with (site.folder / "run.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, CHILD, "edge.toml", str(SECONDS), cwd=site.folder, stdout=log, stderr=log
        )
    site.running.append(process)
    await site.until(lambda: answers(site))
    return process


async def answers(site: Site) -> bool:
    """Tell whether every meter that lives has answered since the last start."""
    status = await site.ask()
    return {row["id"] for row in status["devices"] if row["last_ok_at"]} == {"em-1", "em-2", "em-3"}


def revisions(site: Site) -> list[tuple[State, str]]:
    book = Revisions(site.folder / "data", site.folder / "edge.toml").book()
    assert book is not None
    return [(found.state, found.reason) for found in book.revisions]


async def test_a_gateway_goes_back_by_itself_and_after_every_kill(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        good = (tmp_path / "edge.toml").read_text()
        slower = good.replace("timeout_ms = 200", "timeout_ms = 250")
        wrong = re.sub(r"\nport = \d+", "\nport = 9", good)
        gateway = await start(site)
        made = await site.ask("config", action="apply", text=slower, name="slower.toml", by="li")
        assert made == {"revision": 2, "is_changed": True, "window_s": SECONDS}
        await site.until(lambda: revisions(site)[-1][0] is State.CONFIRMED)

        await site.ask("config", action="apply", text=wrong, name="wrong.toml", by="li")
        await asyncio.sleep(0.3)
        with pytest.raises(ControlError, match="revision 3 is on trial"):
            await site.ask("config", action="apply", text=good, name="edge.toml", by="li")
        await site.until(lambda: revisions(site)[-1][0] is State.REVERTED)
        assert "not up: tcp-1; no answer from em-1" in revisions(site)[-1][1]
        await site.until(lambda: answers(site))

        for wait_s in (0.0, 0.6):
            await site.ask("config", action="apply", text=wrong, name="wrong.toml", by="li")
            await asyncio.sleep(wait_s)
            gateway.kill()
            await gateway.wait()
            gateway = await start_again(site)
            assert (await site.ask())["config"]["good"] == 2
        gateway.kill()
        await gateway.wait()

    told = [record for _, record in peek_records(tmp_path / "data/edge.db", Lane.CONTROL, 100)]
    ends = [record.body for record in told if isinstance(record, Event) and record.kind == "config"]
    # One that is cut off before it is noted as told is told once more, and counts once at the centre.
    assert list(dict.fromkeys((it["revision"], it["state"]) for it in ends)) == [
        (2, "confirmed"),
        *((number, "reverted") for number in (3, 4, 5)),
    ]
    raised = [record for _, record in peek_records(tmp_path / "data/edge.db", Lane.SAFETY, 100)]
    assert any(isinstance(it, Event) and it.body.get("condition") == "config_reverted" for it in raised)


async def start_again(site: Site) -> asyncio.subprocess.Process:
    """Start after a kill; whatever was on trial is reverted, at once or after a trial that was only staged."""
    number = len(revisions(site))
    gateway = await start(site)
    await site.until(lambda: revisions(site)[number - 1][0] is State.REVERTED)
    assert revisions(site)[number - 1][1] == INTERRUPTED or "not up" in revisions(site)[number - 1][1]
    return gateway


KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


def offer(number: int, text: str, key: Ed25519PrivateKey = KEY) -> dict[str, Any]:
    return signed_offer(Offer("gw-1", number, text, "wang", 1_790_000_000_000), key.sign)


async def test_the_centre_may_change_settings_but_not_who_and_where(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, GOOD))
    settings.data.mkdir()
    keeper = ConfigKeeper(settings)
    keep_command_key(settings.data, KEY.public_key().public_bytes_raw().hex())
    with keeper.held():
        keeper.begin()
    async with await Store.open(settings.store_path, "gw-1") as store:
        control = ConfigControl(keeper, Recorder(store, "gw-1"), "gw-1")
        forged = offer(1, GOOD + "\n", Ed25519PrivateKey.generate())
        for rubbish in (forged, forged, offer(1, GOOD) | {"text": "x"}, offer(1, GOOD) | {"edge": "gw-2"}, None, []):
            await control.came_down({"type": "config", "offer": rubbish})
        assert (keeper.centre, keeper.book.phase) == (0, Phase.STEADY)

        await control.offered(offer(3, GOOD.replace(":8470", ":9999")))
        assert keeper.centre == 3
        assert not keeper.changed.is_set()
        await control.offered(offer(3, GOOD + "\n# other"))
        await control.offered(offer(2, GOOD + "\n# older"))
        assert len(keeper.book.revisions) == 2, "a number counts once, and none goes back"

        starting = {"uptime_s": 1.0, "buses": [], "devices": [], "uplink": {"state": "connecting"}}
        keeper.follow(lambda: starting)
        await control.offered(offer(4, GOOD + "\n# newer"))
        assert keeper.centre == 3, "of a gateway that has just started nobody knows yet what is well"
        starting["uplink"] = {"state": "online"}
        await control.offered(offer(4, GOOD + "\n# newer"))
        assert (keeper.book.phase, keeper.book.newest.centre) == (Phase.STAGED, 4)
        await control.offered(offer(5, GOOD + "\n# too soon"))
        assert keeper.centre == 4, "it is offered again when the trial is over"
        telling = asyncio.create_task(control.run())
        async with asyncio.timeout(5):
            while keeper.untold():
                await asyncio.sleep(0.01)
        telling.cancel()
    events = [record for _, record in peek_records(settings.store_path, Lane.CONTROL, 100)]
    told = [
        (event.kind, event.body.get("state") or event.body["reason"], event.body.get("centre"))
        for event in events
        if isinstance(event, Event)
    ]
    refused = [("config_refused", kind, None) for kind in ("security", "format")]
    assert told == [*refused, ("config", "refused", 3)], "of a flood one of each kind is told"
