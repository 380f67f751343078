"""A certificate that has ended stops sending, and nothing else: real meters and doors behind a real gateway."""

import asyncio
import datetime as dt
from pathlib import Path

from central_server.sync.authority import load_authority
from edge_agent.identity import keep_certificate, pending_request
from edge_agent.rules import RuleKeeper
from protocols.access import encode_rules
from protocols.record import Lane
from tests.edge_agent.test_door import EDGE, RULES, house

SECRET = 'url = "http://127.0.0.1:{centre}"\nsecret_file = "secret"\n'


async def test_with_an_ended_certificate_doors_open_points_are_read_and_the_status_says_what_to_do(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    made = dt.datetime.now(dt.UTC) - dt.timedelta(days=91)
    authority = load_authority(tmp_path / "authority", made)
    keep_certificate(data, authority.for_gateway(pending_request(data, "gw-1"), "gw-1", made).pem, authority.pem)
    await RuleKeeper(data, "gw-1").take(encode_rules(RULES))
    edge = EDGE.replace(SECRET, 'url = "https://127.0.0.1:{centre}"\n')
    async with house(tmp_path, edge_text=edge) as found:
        await found.until(lambda: found.settings.socket_path.exists())
        async with asyncio.timeout(10):
            while (await found.ask("doors"))[0]["state"] != "ok":
                await asyncio.sleep(0.02)
        decision = await found.present()
        assert (decision["reason"], decision["offline"]) == ("granted", True)
        assert len(found.relays()) == 1
        began = found.store.lanes()[Lane.TELEMETRY].next_seq
        async with asyncio.timeout(10):
            while found.store.lanes()[Lane.TELEMETRY].next_seq == began:
                await asyncio.sleep(0.02)
        status = await found.ask("status")
        assert (status["uplink"]["state"], status["downlink"]["state"]) == ("refused", "waiting")
        for said in (status["uplink"]["error"], status["downlink"]["error"]):
            assert "certificate ended on" in said
            assert "edge enroll URL CODE" in said
        assert found.centre.statuses == [], "nothing went out, in clear or otherwise"
