"""Every route as every role and as nobody: what the table of rights says is what the server does."""

import pytest

from central_server.app import routes
from central_server.rbac import GRANTS, LANDING, Right, Role
from central_server.web import Policy, Route
from scripts.roles import Cell, Visitor, path_of, sign_in, summary, walk
from tests.central_server.conftest import PASSWORD, Centre
from tests.central_server.matrix import FAR, FAR_NAME, fill_far_site, visitor


async def everybody(centre: Centre) -> list[Visitor]:
    async with centre.db.write() as connection:
        await connection.exec_driver_sql(
            "INSERT INTO person (id, code, name, name_index, created_at) VALUES (1, 'P-1', x'', '', 0)"
        )
    return [
        Visitor(),
        *[await visitor(centre.db, role, person_id=1 if role is Role.RESIDENT else None) for role in Role],
    ]


async def test_every_route_opens_to_whom_it_should_and_to_nobody_else(centre: Centre) -> None:
    table = routes()
    cells = await walk(centre.url, table, await everybody(centre))
    wrong = [str(cell) for cell in cells if cell.is_wrong]
    assert not wrong, "\n".join(wrong)
    found = summary(table, cells)
    assert found["open"] == 0
    assert found["denied"] > 4 * len(table), "most roles may not do most things"


async def test_what_belongs_to_another_site_or_another_person_is_not_there(centre: Centre) -> None:
    await everybody(centre)
    await fill_far_site(centre.db)
    keyed = [route for route in routes() if "{" in route.path and isinstance(route.policy, Right)]
    wrong = []
    near = {
        role: await visitor(centre.db, role, site_id=1, person_id=1 if role is Role.RESIDENT else None) for role in Role
    }
    for route in keyed:
        who = near[next(role for role in Role if role in GRANTS[Right(route.policy)])]
        # Some forms say which version of a thing they saw, and are read before the thing is looked for.
        data = {"csrf": who.csrf, "version": "1"} if route.method == "POST" else None
        answer = await centre.ask(route.method, path_of(route, str(FAR)), token=who.token, data=data)
        if answer.status != 404:
            wrong.append((route.method, route.path, who.name, answer.status, answer.headers.get("Location")))
    assert not wrong, "\n".join(map(str, wrong))


async def test_no_list_shows_what_belongs_to_another_site(centre: Centre) -> None:
    await everybody(centre)
    await fill_far_site(centre.db)
    lists = [route for route in routes() if "{" not in route.path and isinstance(route.policy, Right)]
    pages = [route for route in lists if route.method == "GET" and not route.path.endswith(".xlsx")]
    seen: dict[str, list[str]] = {"near": [], "everywhere": []}
    for where, site_id in (("near", 1), ("everywhere", None)):
        staff = {role: await visitor(centre.db, role, site_id=site_id, name=f"{role}-{where}") for role in Role}
        for route in pages:
            who = staff[next(role for role in Role if role in GRANTS[Right(route.policy)])]
            text = (await centre.ask("GET", route.path, token=who.token)).text
            if FAR_NAME in text:
                seen[where].append(route.path)
    assert seen["near"] == []
    assert len(seen["everywhere"]) > 8, "whoever sees every site does see it"


async def test_a_right_refused_is_a_403_and_a_stranger_is_led_to_the_sign_in(centre: Centre) -> None:
    guarded = [route for route in routes() if isinstance(route.policy, Right)]
    technician = await visitor(centre.db, Role.TECHNICIAN)
    cells = await walk(centre.url, guarded, [Visitor(), technician], is_to_change=False)
    refused = {cell.status for cell in cells if cell.who == "technician" and cell.is_shut}
    assert refused == {403}
    assert {cell.status for cell in cells if cell.who == "nobody"} <= {303, 401}


async def test_every_refusal_is_in_the_audit(centre: Centre) -> None:
    guard = await visitor(centre.db, Role.GUARD)
    (cell,) = await walk(centre.url, [route for route in routes() if route.path == "/audit"], [guard])
    assert cell.status == 403
    row = (await centre.rows("audit"))[-1]
    assert (row.login, row.role, row.action, row.subject, row.outcome) == (
        "guard-all",
        "guard",
        "pages.refused",
        "GET /audit",
        "denied",
    )


async def test_a_walk_can_begin_at_the_sign_in(centre: Centre) -> None:
    opened = await centre.signed_in("walker", Role.GUARD)
    who = await sign_in(centre.url, Role.GUARD, "walker", PASSWORD)
    assert who.csrf not in ("", opened.view.csrf)
    (cell,) = await walk(centre.url, [route for route in routes() if route.path == "/visitors"], [who])
    assert cell.status == 200


def test_a_walk_sees_a_door_that_was_left_open() -> None:
    open_door = Cell("GET", "/bills", "guard", "", is_shut=True, status=200, location="")
    shut_door = Cell("GET", "/bills", "finance_clerk", "", is_shut=False, status=403, location="")
    broken = Cell("GET", "/bills", "finance_clerk", "", is_shut=False, status=500, location="")
    assert open_door.is_wrong
    assert shut_door.is_wrong
    assert broken.is_wrong
    assert summary([], [open_door])["open"] == 1


def test_every_right_is_granted_to_somebody_and_asked_for_by_a_route() -> None:
    assert set(GRANTS) == set(Right)
    assert all(GRANTS.values())
    asked = {route.policy for route in routes()}
    by_command = {Right.DEVICES_EDIT}  # gateways are let in on the command line
    assert sorted(right.value for right in set(Right) - asked - by_command) == []


def test_what_asks_for_no_right_is_known_by_name() -> None:
    """The walk believes the table: a route that asks for too little shows here."""
    found = {policy: sorted({route.path for route in routes() if route.policy is policy}) for policy in Policy}
    assert found[Policy.SIGNED_IN] == [
        "/",
        "/live",
        "/me",
        "/me/end-others",
        "/me/password",
        "/photos/{ref}",
        "/sign-out",
    ]
    assert all(path.startswith("/api/v1/sync/") for path in found[Policy.GATEWAY])


def test_every_role_has_somewhere_to_begin() -> None:
    starts = {role for role in Role if role in GRANTS[Right.OVERVIEW_SEE]} | set(LANDING)
    assert starts == set(Role)


def test_an_auditor_changes_nothing() -> None:
    changing = [r for r in routes() if r.method == "POST" and isinstance(r.policy, Right)]
    assert [route.path for route in changing if Role.AUDITOR in GRANTS[route.policy]] == []  # type: ignore[index]  # rights only, see above


def test_the_places_of_a_path_are_filled() -> None:
    async def never(_request: object) -> None: ...

    route = Route("GET", r"/a/{id:\d{1,9}}/b/{name:.+}", never, Policy.PUBLIC)  # type: ignore[arg-type]  # it is never called
    assert path_of(route, "7") == "/a/7/b/7"


@pytest.mark.parametrize("role", sorted(LANDING))
async def test_whose_day_does_not_begin_with_the_overview_is_led_to_where_it_does(centre: Centre, role: Role) -> None:
    who = await visitor(centre.db, role)
    answer = await centre.ask("GET", "/", token=who.token)
    assert (answer.status, answer.headers["Location"]) == (303, LANDING[role])
