"""Settings from the centre to a gateway and back: offered by every way, once, and followed to their end."""

import asyncio
from typing import Any

import pytest

from central_server.configs import service, store
from central_server.configs.store import ConfigRow
from central_server.configs.views import CONFIGS
from central_server.devices.service import revoke
from central_server.errors import BadRequest, Conflict, NotFound
from central_server.rbac import system
from central_server.sync.down import DOWN
from protocols.config_offer import PATH_CONFIG, read_offer
from protocols.sync import Event, Lane
from tests.central_server.conftest import Answer, Gateway
from tests.central_server.sync.test_down import heard, link

TEXT = '[edge]\nid = "gw-1"\n'
WHO = system("command line")


async def push(gateway: Gateway, text: str = TEXT) -> int:
    return await service.push(gateway.centre.db, WHO, gateway.edge_id, text)


async def newest(gateway: Gateway) -> ConfigRow:
    return (await service.history(gateway.centre.db, gateway.edge_id))[0]


async def fetched(gateway: Gateway) -> Answer:
    headers = {"Authorization": f"Gateway {gateway.edge_id}:{gateway.secret}"}
    return await gateway.centre.ask("GET", PATH_CONFIG, headers=headers)


async def tell(gateway: Gateway, at: int, kind: str = "config", **body: Any) -> None:
    """Have the gateway tell what became of settings, and the centre take it in."""
    await gateway.send(Lane.CONTROL, Event(kind, "gateway:gw-1", at, {"revision": 7, "reason": "", **body}))
    async with asyncio.timeout(5):
        while at not in {row.at for row in await gateway.centre.rows("event")}:
            await asyncio.sleep(0.02)


async def test_settings_are_offered_by_the_link_and_by_the_status_and_believed_by_their_signature(
    gateway: Gateway,
) -> None:
    assert (await gateway.report()).json["config_revision"] is None
    assert (await fetched(gateway)).status == 204
    assert await push(gateway) == 1
    assert (await gateway.report()).json["config_revision"] == 1
    offer, key = (await fetched(gateway)).json, gateway.centre.app[DOWN].command_key
    assert read_offer(offer, "gw-1", key).text == TEXT
    async with link(gateway) as socket:
        assert (await heard(socket)) == {"type": "config", "offer": offer}
        await push(gateway, TEXT + "# newer\n")
        await gateway.centre.app[CONFIGS].look()
        told = await heard(socket)
        assert read_offer(told["offer"], "gw-1", key).revision == 2
    states = [row.state for row in await service.history(gateway.centre.db, "gw-1")]
    assert states == [store.OFFERED, store.SUPERSEDED]


async def test_what_became_of_settings_is_noted_once_and_ends_the_offer(gateway: Gateway) -> None:
    await push(gateway)
    row = await newest(gateway)
    await tell(gateway, 1, centre=1, state="confirmed", hash="0" * 64)
    assert (await newest(gateway)).state == store.OFFERED, "that was another text"
    await tell(gateway, 2, centre=None, state="confirmed", hash=row.hash)
    await tell(gateway, 3, centre=1, state="reverted", reason="no answer from em-1", hash=row.hash)
    await tell(gateway, 4, centre=1, state="confirmed", hash=row.hash)
    row = await newest(gateway)
    assert (row.state, row.reason, row.edge_revision, row.reported_at) == ("reverted", "no answer from em-1", 7, 3)
    assert (await fetched(gateway)).status == 204
    noted = [(found.action, found.outcome) for found in await gateway.centre.rows("audit")]
    assert [it for it in noted if it[0].startswith("configs.")] == [("configs.push", "done"), ("configs.end", "failed")]


async def test_a_restored_centre_gives_no_number_that_its_gateway_has_seen(gateway: Gateway) -> None:
    await gateway.report(config={"centre": 41})
    assert await push(gateway) == 42


async def test_what_no_gateway_could_take_is_not_offered(gateway: Gateway) -> None:
    for text, told in (
        ('[edge]\nid = "gw-2"\n', "gateway 'gw-2', not of 'gw-1'"),
        ("x = ", "not TOML"),
        (TEXT + "#" * 300_000, "at most"),
    ):
        with pytest.raises(BadRequest, match=told):
            await push(gateway, text)
    with pytest.raises(NotFound):
        await service.push(gateway.centre.db, WHO, "gw-9", TEXT.replace("gw-1", "gw-9"))
    await revoke(gateway.centre.db, "gw-1")
    with pytest.raises(Conflict):
        await push(gateway)


async def test_a_forgery_that_a_gateway_tells_of_is_in_the_audit(gateway: Gateway) -> None:
    await tell(gateway, 5, "config_refused", reason="security")
    noted = [row for row in await gateway.centre.rows("audit") if row.action == "configs.refused"]
    assert [(row.subject, row.outcome) for row in noted] == [("gateway:gw-1", "denied")]
