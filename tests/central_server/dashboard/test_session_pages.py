"""Signing in and out."""

import re
from typing import Any

import pytest

from central_server.dashboard.session_pages import local_path
from central_server.web import COOKIE


@pytest.mark.parametrize(
    "text", ["//evil.example", "/\\evil.example", "https://evil.example", "evil", "", None, "/a\nb"]
)
def test_signing_in_never_leads_to_another_site(text: str | None) -> None:
    assert local_path(text) == "/"


def test_signing_in_leads_on_to_a_page_of_ours() -> None:
    assert local_path("/bills/B-1?q=1") == "/bills/B-1?q=1"


async def test_a_wrong_password_and_an_unknown_account_get_the_same_words(stranger: Any) -> None:
    wrong = await stranger.sign_in(password="not the password")
    unknown = await stranger.sign_in(login="nobody", password="not the password")
    assert wrong.status == unknown.status == 400
    texts = [(await wrong.text()).replace("desk-1", "nobody"), await unknown.text()]
    assert len({re.sub(r'"gatehouse-now" content="\d+"', "", text) for text in texts}) == 1


async def test_many_guesses_are_slowed_down_and_told_so(stranger: Any) -> None:
    for _ in range(5):
        await stranger.sign_in(login="desk-9", password="not the password")
    answer = await stranger.sign_in(login="desk-9", password="not the password")
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) >= 1


async def test_the_session_is_kept_from_scripts_and_from_other_sites(stranger: Any) -> None:
    answer = await stranger.sign_in()
    cookie = answer.cookies[COOKIE]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


async def test_signing_out_ends_the_session_for_good(newcomer: Any) -> None:
    token = next(each.value for each in newcomer.client.session.cookie_jar if each.key == COOKIE)
    answer = await newcomer.post("/sign-out", csrf=await newcomer.csrf())
    assert answer.headers["Location"] == "/sign-in"
    status, _ = await newcomer.get("/", headers={"Cookie": f"{COOKIE}={token}"})
    assert status == 303


async def test_signing_out_without_the_persons_token_is_refused(newcomer: Any) -> None:
    assert (await newcomer.post("/sign-out", csrf="guessed")).status == 403
    assert (await newcomer.get("/"))[0] == 200


async def test_whoever_is_signed_in_is_not_asked_again(newcomer: Any) -> None:
    assert (await newcomer.get("/sign-in?next=/bills"))[0] == 303


async def test_the_light_can_be_changed_without_scripts(newcomer: Any) -> None:
    await newcomer.post("/theme", next="/")
    assert 'data-theme="dark"' in await newcomer.page("/")
    await newcomer.post("/theme", next="/")
    assert 'data-theme="light"' in await newcomer.page("/")
