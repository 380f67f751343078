"""The page of gateways' settings: what each runs, and why a revision was taken back."""

from sqlalchemy import insert

from central_server.configs import service, words
from central_server.configs.overview import in_force
from central_server.rbac import Role, system
from central_server.schema import site
from protocols.config_offer import ENDS
from tests.central_server.configs.test_service import TEXT, WHO, tell
from tests.central_server.conftest import Gateway


async def test_the_control_room_sees_what_a_gateway_runs_and_why_a_revision_was_taken_back(gateway: Gateway) -> None:
    centre = gateway.centre
    who = await centre.signed_in("wang", role=Role.CONTROL_ROOM)

    async def page() -> str:
        answer = await centre.ask("GET", "/gateways/settings", token=who.token)
        assert answer.status == 200, answer.text[:500]
        return answer.text

    assert "尚未上报" in await page()
    await gateway.report(config={"revision": 6, "state": "trial", "centre": 0, "good": 5, "left_s": 40})
    assert "试运行中" in await page()
    await service.push(centre.db, WHO, gateway.edge_id, TEXT)
    assert "中心版本 1 待其取用" in await page()
    await tell(gateway, 5, centre=None, state="reverted", reason="not up: tcp-1", origin="dead.toml, <root>")
    await tell(gateway, 6, centre=None, state="gone", origin="nonsense")
    text = await page()
    for said in ("已自动退回", "not up: tcp-1", "dead.toml, &lt;root&gt;"):
        assert said in text
    assert "nonsense" not in text
    assert [(row.revision, row.state, row.offered) for row in await in_force(centre.db, system("test"))] == [
        (6, "trial", 1)
    ]
    async with centre.db.write() as connection:
        made = await connection.execute(insert(site).values(code="hill", name="Hill", zone="UTC"))
    assert made.inserted_primary_key
    await gateway.report(config={"revision": 7, "state": "trial", "centre": 1})
    assert "待其取用" not in await page(), "it has it, and tries it"
    far = await centre.signed_in("far", role=Role.CONTROL_ROOM, site_id=made.inserted_primary_key[0])
    assert "dead.toml" not in (await centre.ask("GET", "/gateways/settings", token=far.token)).text


def test_every_end_that_a_gateway_may_tell_has_a_word() -> None:
    assert set(words.ENDS) == ENDS
