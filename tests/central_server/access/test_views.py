"""The pages of doors: what a guard sees, what a manager sets up, and what nobody else may."""

import re
from typing import Any

import pytest

from central_server import auth
from central_server.access import decisions, rules, service
from central_server.access.entry import NewCard
from central_server.clock import now_ms
from central_server.rbac import Role
from protocols.access import DECISION, Trust, decode_rules
from protocols.sync import Event, Lane
from tests.central_server.access.conftest import MANAGER, House, furnish
from tests.central_server.conftest import Centre, Gateway


class Person:
    """Somebody signed in at a browser."""

    def __init__(self, centre: Centre, session: auth.Session) -> None:
        self.centre, self.session = centre, session

    async def page(self, path: str, status: int = 200) -> str:
        answer = await self.centre.ask("GET", path, token=self.session.token)
        assert answer.status == status, answer.text[:800]
        return answer.text

    async def post(self, path: str, *fields: tuple[str, str]) -> Any:
        view = await auth.session_for(self.centre.db, self.session.token)
        assert view
        data = [("csrf", view.csrf), *fields]
        return await self.centre.ask("POST", path, token=self.session.token, data=data)


@pytest.fixture
async def home(centre: Centre, gateway: Gateway) -> House:
    return await furnish(centre.db, 1)


async def signed_in(centre: Centre, role: Role, **more: Any) -> Person:
    return Person(centre, await centre.signed_in(role.value, role=role, **more))


async def decided(centre: Centre, number: int, **more: Any) -> None:
    body = {"decision_id": f"gw-1/door-n/{number}", "door": "door-n", "granted": True, "reason": "granted"} | more
    async with centre.db.write() as connection:
        event = Event(DECISION, "door:door-n", now_ms(), body)
        assert await decisions.take_in(connection, 1, "gw-1", 1, event)


async def test_a_card_at_the_door_is_on_the_guards_page_with_the_name_masked(
    centre: Centre, gateway: Gateway, home: House
) -> None:
    guard = await signed_in(centre, Role.GUARD, site_id=1)
    body = {"decision_id": "gw-1/door-n/9", "door": "door-n", "granted": True, "reason": "granted"}
    event = Event(DECISION, "door:door-n", now_ms(), body | {"credential": str(home.card), "offline": True})
    await gateway.send(Lane.SAFETY, event)
    for _ in range(50):
        text = await guard.page("/doors")
        if "李*" in text:
            break
    assert "李*" in text
    assert "李雷" not in text
    assert "在中心断开时判定" in text


async def test_an_unknown_card_is_given_to_somebody_from_where_it_was_seen(centre: Centre, home: House) -> None:
    manager, guard = await signed_in(centre, Role.MANAGER), await signed_in(centre, Role.GUARD, site_id=1)
    card = {"bits": 26, "number": f"{0x2000003 ^ 0x2000000:x}"}
    await decided(centre, 1, granted=False, reason="unknown_card", card=card)
    assert "/doors/cards/new" not in await guard.page("/doors")
    link = re.search(r'href="(/doors/cards/new\?[^"]+)"', await manager.page("/doors"))
    assert link
    form = await manager.page(link[1].replace("&amp;", "&"))
    assert f'value="{card["number"]}"' in form


async def test_a_bad_card_is_refused_beside_the_field_and_what_was_typed_stays(centre: Centre, home: House) -> None:
    manager = await signed_in(centre, Role.MANAGER)
    typed = [("site_id", "1"), ("person", "王芳"), ("bits", "26"), (f"group-{home.group}", "always")]
    answer = await manager.post("/doors/cards/new", *typed, ("number", "3ffffff"))
    assert answer.status == 422
    for kept in ('id="f-number"', 'aria-invalid="true"', "3ffffff", 'value="always" selected'):
        assert kept in answer.text
    for wrong in (("person", "无此人"), ("site_id", "99"), ("to_on", "x"), ("facility", "999")):
        given = dict([*typed, ("facility", "1"), ("card", "7")]) | dict([wrong])
        assert (await manager.post("/doors/cards/new", *given.items())).status == 422, wrong
    made = await manager.post("/doors/cards/new", *typed, ("facility", "1"), ("card", "7"))
    assert made.status == 303
    again = await manager.post("/doors/cards/new", *typed, ("facility", "1"), ("card", "7"))
    assert again.status == 422, "somebody has it"
    revoked = await manager.post(made.headers["Location"] + "/revoke")
    assert revoked.status == 303
    assert (await manager.post("/doors/cards/new", *typed, ("facility", "1"), ("card", "7"))).status == 303


async def test_doors_groups_and_hours_are_set_up_on_their_pages(centre: Centre, home: House) -> None:
    manager = await signed_in(centre, Role.MANAGER)
    hours = [("site_id", "1"), ("name", "白天"), ("from-1", "08:00"), ("to-1", "20:00")]
    assert (await manager.post("/doors/setup/schedules/new", *hours)).status == 422, "no day"
    bad = await manager.post("/doors/setup/schedules/new", *hours, ("days-1", "0"), ("holidays", "明天"))
    assert bad.status == 422
    assert "明天" in bad.text
    assert (await manager.post("/doors/setup/schedules/new", *hours, ("days-1", "0"), ("days-1", "4"))).status == 303
    assert (await manager.post("/doors/setup/schedules/new", *hours, ("days-1", "0"))).status == 422, (
        "the name is taken"
    )
    group = [("site_id", "1"), ("name", "两门"), ("doors", str(home.north)), ("doors", str(home.south))]
    assert (await manager.post("/doors/setup/groups/new", *group)).status == 303
    assert (
        await manager.post("/doors/setup/groups/new", ("site_id", "1"), ("name", "x"), ("doors", "999"))
    ).status == 422
    door = f"/doors/setup/doors/{home.north}"
    assert (await manager.post(door, ("pulse_ms", "9"), ("held_open_s", "30"))).status == 422
    assert (await manager.post(door, ("pulse_ms", "4000"), ("held_open_s", "45"), ("building_id", "1"))).status == 303
    text = await manager.page("/doors/setup")
    for said in ("白天", "08:00–20:00", "北门, 南门", "45"):
        assert said in text
    for path in (door, f"/doors/setup/groups/{home.group}", "/doors/setup/schedules/1", f"/doors/cards/{home.card}"):
        await manager.page(path)


async def test_how_long_cards_open_without_the_centre_is_set_by_the_site_and_handed_down(
    centre: Centre, home: House
) -> None:
    manager = await signed_in(centre, Role.MANAGER)
    assert "168 小时" in await manager.page("/doors/setup")
    path = "/doors/setup/trust/1"
    assert 'value="168"' in await manager.page(path)
    assert (await manager.post(path, ("residency", "0"), ("dates", "-1"))).status == 422
    assert (await manager.post(path, ("residency", "0"), ("dates", "12"))).status == 303
    body = await rules.body_for(centre.db, 1)
    assert body is not None
    assert decode_rules(body).trusts == (Trust("dates", 12 * 3600),)
    far = Person(centre, await centre.signed_in("far", role=Role.MANAGER, site_id=home.people.hill))
    assert (await far.post(path, ("residency", "0"), ("dates", "12"))).status == 404


async def test_a_guard_looks_and_changes_nothing_and_another_site_is_not_there(centre: Centre, home: House) -> None:
    guard = await signed_in(centre, Role.GUARD, site_id=1)
    for path in ("/doors/cards", f"/doors/cards/{home.card}", "/doors/setup", f"/doors/people/{home.people.li}"):
        assert "李雷" not in await guard.page(path)
    assert (await guard.post(f"/doors/cards/{home.card}/revoke")).status == 403
    far = Person(centre, await centre.signed_in("far", role=Role.MANAGER, site_id=home.people.hill))
    for path in (f"/doors/cards/{home.card}", f"/doors/people/{home.people.li}", f"/doors/setup/doors/{home.north}"):
        await far.page(path, 404)
    assert (await far.post(f"/doors/cards/{home.card}/revoke")).status == 404
    assert "北门" not in await far.page("/doors")
    assert (await far.post(f"/doors/setup/groups/{home.group}", ("site_id", "2"), ("name", "x"))).status == 404


async def test_the_state_of_each_gateways_rules_is_shown(centre: Centre, gateway: Gateway, home: House) -> None:
    guard = await signed_in(centre, Role.GUARD, site_id=1)
    version = (await gateway.report()).json["rules_version"]
    assert "尚未取得" in await guard.page("/doors")
    await gateway.report(access={"rules_version": version, "rules_age_s": 2.5, "decisions": 4})
    assert "已是最新" in await guard.page("/doors")
    form = NewCard(site_id=1, person="王芳", facility=1, card=2)
    await service.enrol(centre.db, MANAGER, form, {})
    assert "下发中" in await guard.page("/doors")


async def test_decisions_are_narrowed_by_door_day_person_and_outcome(centre: Centre, home: House) -> None:
    guard = await signed_in(centre, Role.GUARD, site_id=1)
    await decided(centre, 1, credential=str(home.card))
    await decided(centre, 2, granted=False, reason="unknown_card", card={"bits": 26, "number": "abc"})
    for query, number in (
        ("", 2),
        (f"?door={home.north}", 2),
        (f"?door={home.south}", 0),
        ("?who=李雷", 1),
        ("?only=refused", 1),
        ("?on=2020-01-01", 0),
        ("?on=nonsense&door=x&page=9", 2),
    ):
        assert (await guard.page(f"/doors{query}")).count('id="decision-') == number, query
