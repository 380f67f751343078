"""Walk every route of the server as every role and as nobody, and say which doors are open that should be shut.

The table of routes says who may; the walk asks over HTTP with real sessions what the server does about it.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import aiohttp

from central_server.rbac import Right, Role, may
from central_server.web import COOKIE, CSRF_FIELD, SAFE_METHODS, Policy, Route

# Nothing has this name, so that whoever is let through finds nothing and changes nothing.
NOTHING = "999999999"
_FOREIGN = {"Origin": "https://elsewhere.example"}
# A walk that signs itself out would go on as nobody.
_ENDS_THE_WALK = frozenset({"/sign-out", "/me/end-others"})


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who walks; nobody in particular has no role and no token."""

    role: Role | None = None
    token: str = ""
    csrf: str = ""

    @property
    def name(self) -> str:
        return self.role.value if self.role else "nobody"


@dataclass(frozen=True, slots=True)
class Cell:
    """One call: who asked for what, whether it should be shut, and what came back; ``how`` is how it was asked."""

    method: str
    path: str
    who: str
    how: str
    is_shut: bool
    status: int
    location: str

    @property
    def is_denied(self) -> bool:
        to_sign_in = self.status == 303 and self.location.startswith("/sign-in")
        return self.status in (401, 403) or to_sign_in

    @property
    def is_wrong(self) -> bool:
        """Tell an open door that should be shut, a shut one that should be open, and one that broke."""
        return self.is_denied != self.is_shut or self.status >= 500


@dataclass(frozen=True, slots=True)
class _Ask:
    who: Visitor
    how: str
    is_shut: bool
    has_csrf: bool = True
    is_foreign: bool = False


def summary(routes: Collection[Route], cells: Collection[Cell]) -> dict[str, int]:
    """Count routes, refusals that came as they should, and calls that went through and should not have."""
    return {
        "routes": len(routes),
        "denied": sum(cell.is_shut and cell.is_denied for cell in cells),
        "open": sum(cell.is_shut and not cell.is_denied for cell in cells),
    }


async def sign_in(url: str, role: Role, login: str, password: str) -> Visitor:
    """Sign somebody in as a browser does. Raises: RuntimeError where that is refused."""
    return await _enter(f"{url}/sign-in", url, role, {"login": login, "password": password})


async def sign_in_by_code(url: str, login: str, code: str) -> Visitor:
    """Sign a resident in by a code. Raises: RuntimeError where that is refused."""
    return await _enter(f"{url}/sign-in/code", url, Role.RESIDENT, {"who": login, "code": code})


async def _enter(address: str, url: str, role: Role, form: dict[str, str]) -> Visitor:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client:
        async with client.post(address, data=form, allow_redirects=False) as answer:
            if answer.status != 303:
                raise RuntimeError(f"a {role} was not let in: {answer.status}")
            token = answer.cookies[COOKIE].value
        async with client.get(f"{url}/me", headers={"Cookie": f"{COOKIE}={token}"}) as page:
            found = re.search(r'name="csrf" value="([^"]+)"', await page.text())
    if found is None:
        raise RuntimeError(f"a {role} has no page of their own")
    return Visitor(role, token, found[1])


async def walk(
    url: str, routes: Iterable[Route], visitors: Sequence[Visitor], *, is_to_change: bool = True
) -> list[Cell]:
    """Call every route as every visitor; where nothing is to change, whoever may change something does not ask."""
    asks = [(route, ask) for route in routes for ask in _asks(route, visitors)]
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client:
        return [
            await _call(client, url, route, ask)
            for route, ask in asks
            if ask.is_shut or is_to_change or route.method in SAFE_METHODS
        ]


def _asks(route: Route, visitors: Sequence[Visitor]) -> Iterator[_Ask]:
    """Give whom to send and what should come of it."""
    is_change = route.method not in SAFE_METHODS
    if route.policy is Policy.PUBLIC:
        if is_change:
            yield _Ask(Visitor(), "from another site", is_shut=True, is_foreign=True)
        return
    forged = False
    for who in visitors:
        is_open = _may(route.policy, who.role)
        if is_open and route.path in _ENDS_THE_WALK:
            continue
        yield _Ask(who, "", is_shut=not is_open)
        if is_open and is_change and not forged:
            forged = True
            yield _Ask(who, "without its token", is_shut=True, has_csrf=False)
            yield _Ask(who, "from another site", is_shut=True, is_foreign=True)


def _may(policy: Policy | Right, role: Role | None) -> bool:
    if policy is Policy.GATEWAY:
        return False  # no person proves a gateway's secret
    return role is not None if policy is Policy.SIGNED_IN else isinstance(policy, Right) and may(role, policy)


def path_of(route: Route, key: str = NOTHING) -> str:
    """Give an address of a route with a key in each of its places."""
    return re.sub(r"\{\w+(:[^{}]*(\{[^{}]*\})?[^{}]*)?\}", key, route.path)


async def _call(client: aiohttp.ClientSession, url: str, route: Route, ask: _Ask) -> Cell:
    headers = {"Cookie": f"{COOKIE}={ask.who.token}"} if ask.who.token else {}
    headers |= _FOREIGN if ask.is_foreign else {}
    data = {CSRF_FIELD: ask.who.csrf} if ask.has_csrf and route.method not in SAFE_METHODS else None
    async with client.request(
        route.method, url + path_of(route), headers=headers, data=data, allow_redirects=False
    ) as answer:
        location = answer.headers.get("Location", "")
        return Cell(route.method, route.path, ask.who.name, ask.how, ask.is_shut, answer.status, location)
