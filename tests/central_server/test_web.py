"""The web shell: who gets through, what every answer carries, and what an error says."""

import asyncio
import json
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from aiohttp import web

from central_server.errors import BadRequest, Busy
from central_server.web import SECURITY_HEADERS, Policy, Route, add_routes

Centre: TypeAlias = Any  # the fixture's class, in conftest


async def boom(_request: web.Request) -> web.Response:
    raise RuntimeError("the secret recipe")


async def refuse(_request: web.Request) -> web.Response:
    raise BadRequest("no_good", "The {thing} is no good.", thing="cup")


async def busy(_request: web.Request) -> web.Response:
    raise Busy("later", "Not now.", 7)


async def fine(_request: web.Request) -> web.Response:
    return web.Response(text="fine")


@pytest.fixture
async def app(app: web.Application) -> web.Application:
    """The server with some routes of the test's own."""
    add_routes(
        app,
        [
            Route("GET", "/boom", boom, Policy.PUBLIC),
            Route("GET", "/api/boom", boom, Policy.PUBLIC),
            Route("GET", "/refuse", refuse, Policy.PUBLIC),
            Route("GET", "/api/refuse", refuse, Policy.PUBLIC),
            Route("GET", "/api/busy", busy, Policy.PUBLIC),
            Route("GET", "/private", fine, Policy.SIGNED_IN),
            Route("GET", "/api/private", fine, Policy.SIGNED_IN),
            Route("POST", "/change", fine, Policy.SIGNED_IN),
            Route("POST", "/open", fine, Policy.PUBLIC),
        ],
    )
    app.router.add_get("/forgotten", fine)
    return app


def has_headers(answer: Any) -> bool:
    return all(answer.headers.get(name) == value for name, value in SECURITY_HEADERS.items())


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("GET", "/sign-in", 200),
        ("GET", "/", 303),
        ("GET", "/boom", 500),
        ("GET", "/api/boom", 500),
        ("GET", "/refuse", 400),
        ("GET", "/api/busy", 503),
        ("GET", "/nowhere", 404),
        ("GET", "/api/nowhere", 404),
        ("DELETE", "/sign-in", 405),
        ("POST", "/change", 303),
        ("GET", "/forgotten", 403),
        ("GET", "/static/app.css", 200),
        ("GET", "/static/../app.py", 404),
        ("POST", "/api/v1/sync/batches", 401),
    ],
)
async def test_every_answer_has_the_security_headers(centre: Centre, method: str, path: str, status: int) -> None:
    answer = await centre.ask(method, path)
    assert answer.status == status
    assert has_headers(answer)
    assert "Cache-Control" in answer.headers
    assert answer.headers["Server"] == "Gatehouse"


def test_the_content_policy_lets_nothing_in_but_our_own_files() -> None:
    policy = dict(part.split(" ", 1) for part in SECURITY_HEADERS["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "connect-src", "worker-src", "form-action")} == {
        "'self'"
    }
    assert {policy[name] for name in ("base-uri", "frame-ancestors", "object-src")} == {"'none'"}
    assert "unsafe" not in SECURITY_HEADERS["Content-Security-Policy"]


async def test_a_route_without_a_policy_is_closed_even_to_who_is_signed_in(centre: Centre) -> None:
    session = await centre.signed_in("forgotten-route")
    answer = await centre.ask("GET", "/forgotten", token=session.token)
    assert answer.status == 403
    assert "fine" not in answer.text


async def test_who_is_not_signed_in_is_sent_to_sign_in_and_back(centre: Centre) -> None:
    answer = await centre.ask("GET", "/private?of=1&x=a%26b")
    sent = urlsplit(answer.headers["Location"])
    assert (answer.status, sent.path, parse_qs(sent.query)) == (303, "/sign-in", {"next": ["/private?of=1&x=a%26b"]})
    assert (await centre.ask("POST", "/change")).headers["Location"] == "/sign-in"
    fragment = await centre.ask("GET", "/private", headers={"HX-Request": "true"})
    assert (fragment.status, fragment.headers["HX-Redirect"]) == (200, "/sign-in")
    program = await centre.ask("GET", "/api/private")
    assert (program.status, program.json["error"]["key"]) == (401, "not_signed_in")
    session = await centre.signed_in("private-route")
    assert (await centre.ask("GET", "/private", token=session.token)).text == "fine"


@pytest.mark.parametrize(
    "cookie", ["gatehouse_session=\xff\xfe", "gatehouse_session=", "gatehouse_session=%00", "=;=;;"]
)
async def test_a_cookie_of_rubbish_is_no_session_and_no_fault(centre: Centre, cookie: str) -> None:
    raw = f"GET /private HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n".encode("latin-1")
    assert (await spoken(centre, raw)).startswith(b"HTTP/1.1 303")


async def spoken(centre: Centre, raw: bytes) -> bytes:
    """Say bytes to the server as they are, and hear it out."""
    host, port = centre.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(raw)
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_a_change_needs_the_sessions_own_token(centre: Centre) -> None:
    session = await centre.signed_in("changer")
    other = await centre.signed_in("other-changer")
    csrf = session.view.csrf

    async def change(**more: Any) -> int:
        answer = await centre.ask("POST", "/change", token=session.token, **more)
        return int(answer.status)

    assert await change(data={"csrf": csrf}) == 200
    assert await change(headers={"X-CSRF-Token": csrf}) == 200
    assert await change() == 403
    assert await change(data={"csrf": ""}) == 403
    assert await change(data={"csrf": other.view.csrf}) == 403
    assert await change(headers={"X-CSRF-Token": "\xff"}) == 403
    assert await change(headers={"X-CSRF-Token": "wrong"}, data={"csrf": csrf}) == 403
    assert await change(json={"csrf": csrf}) == 403
    form = aiohttp.FormData()
    form.add_field("csrf", csrf.encode(), filename="csrf.txt")
    assert await change(data=form) == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({}, 200),
    ],
)
async def test_a_change_asked_by_another_site_is_refused(centre: Centre, headers: dict[str, str], status: int) -> None:
    session = await centre.signed_in("origin-user")
    with_token = headers | {"X-CSRF-Token": session.view.csrf}
    assert (await centre.ask("POST", "/change", token=session.token, headers=with_token)).status == status
    assert (await centre.ask("POST", "/open", headers=headers)).status == status


async def test_our_own_origin_is_let_through(centre: Centre) -> None:
    assert (await centre.ask("POST", "/open", headers={"Origin": centre.url})).status == 200


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"login=\xff\xfe", "application/x-www-form-urlencoded"),
        (b"login=a", "application/x-www-form-urlencoded; charset=nonsense"),
        (b"no boundary here", "multipart/form-data; boundary=xyz"),
        (b"no boundary here", "multipart/form-data"),
        (b"--xyz\r\n\r\nnameless\r\n--xyz--\r\n", "multipart/form-data; boundary=xyz"),
        (
            b'--xyz\r\nContent-Disposition: form-data; name="login"\r\n\r\n\xff\r\n--xyz--\r\n',
            "multipart/form-data; boundary=xyz",
        ),
    ],
)
async def test_a_form_of_rubbish_is_the_senders_fault(centre: Centre, body: bytes, kind: str) -> None:
    answer = await centre.ask("POST", "/sign-in", data=body, headers={"Content-Type": kind})
    assert answer.status in (400, 413)
    assert has_headers(answer)


async def test_a_form_of_more_than_a_mebibyte_is_refused(centre: Centre) -> None:
    answer = await centre.ask("POST", "/open", data={"x": "x" * (1024 * 1024 + 1)})
    assert answer.status == 413


async def test_a_fault_of_ours_says_a_trace_and_nothing_else(centre: Centre, caplog: pytest.LogCaptureFixture) -> None:
    page, program = await centre.ask("GET", "/boom"), await centre.ask("GET", "/api/boom")
    trace = program.json["error"]["fields"]["trace"]
    assert program.json["error"]["key"] == "internal"
    assert f"trace {trace}" in caplog.text
    for answer in (page, program):
        assert answer.status == 500
        assert "recipe" not in answer.text
        assert "Traceback" not in answer.text
    assert page.headers["Content-Type"].startswith("text/html")


async def test_an_expected_error_speaks_the_callers_form(centre: Centre) -> None:
    program = await centre.ask("GET", "/api/refuse")
    assert program.json == {"error": {"key": "no_good", "message": "The cup is no good.", "fields": {"thing": "cup"}}}
    page = await centre.ask("GET", "/refuse", headers={"Accept-Language": "en"})
    assert (page.status, "The cup is no good." in page.text) == (400, True)
    later = await centre.ask("GET", "/api/busy")
    assert (later.status, later.headers["Retry-After"]) == (503, "7")


async def test_a_missing_page_keeps_who_is_signed_in_inside_the_frame(centre: Centre) -> None:
    session = await centre.signed_in("lost")
    inside = await centre.ask("GET", "/nowhere", token=session.token)
    outside = await centre.ask("GET", "/nowhere")
    assert (inside.status, outside.status) == (404, 404)
    assert ("/sign-out" in inside.text, "/sign-out" in outside.text) == (True, False)


async def test_a_method_that_is_not_taken_is_told_which_are(centre: Centre) -> None:
    answer = await centre.ask("PUT", "/sign-in")
    assert (answer.status, set(answer.headers["Allow"].split(","))) == (405, {"GET", "POST"})


async def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(centre: Centre) -> None:
    await centre.signed_in("cookie-user")
    form = {"login": "cookie-user", "password": "correct horse 7"}
    answer = await centre.ask("POST", "/sign-in", data=form)
    cookie = answer.headers["Set-Cookie"]
    assert answer.status == 303
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie


async def test_the_sixth_quick_guess_is_told_to_wait(centre: Centre) -> None:
    await centre.signed_in("guessed")
    form = {"login": "guessed", "password": "wrong wrong"}
    answers = [await centre.ask("POST", "/sign-in", data=form) for _ in range(6)]
    assert [answer.status for answer in answers] == [400] * 5 + [429]
    assert int(answers[-1].headers["Retry-After"]) >= 1
    form["password"] = "correct horse 7"
    assert (await centre.ask("POST", "/sign-in", data=form)).status == 429, "being right does not jump the queue"


async def test_an_error_page_that_fails_itself_still_answers(centre: Centre) -> None:
    session = await centre.signed_in("unlucky")
    async with centre.db.write() as connection:
        await connection.exec_driver_sql("DROP TABLE alarm")
    answer = await centre.ask("GET", "/nowhere", token=session.token)
    assert (answer.status, answer.text) == (404, "There is nothing at this address.")
    assert has_headers(answer)


async def test_errors_of_programs_are_json(centre: Centre) -> None:
    for path, status in (("/api/nowhere", 404), ("/api/v1/sync/batches", 405)):
        answer = await centre.ask("GET", path)
        assert answer.status == status
        assert set(json.loads(answer.text)["error"]) == {"key", "message", "fields"}
