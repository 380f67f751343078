"""The pages over HTTP: who may see them, what they say when there is nothing, and in which language."""

import re
from typing import Any

import pytest

from central_server.clock import now_ms
from central_server.dashboard.views import routes
from central_server.web import Policy

PLACES = ("/", "/alarms", "/devices", "/bills", "/search")


def test_only_signing_in_the_files_it_needs_and_two_wishes_are_open_to_strangers() -> None:
    public = {(each.method, each.path) for each in routes() if each.policy is Policy.PUBLIC}
    assert public == {
        ("GET", "/static/{name:.+}"),
        ("GET", "/sign-in"),
        ("POST", "/sign-in"),
        ("POST", "/language"),
        ("POST", "/theme"),
    }


@pytest.mark.parametrize("path", [*PLACES, "/live", "/devices/1/history.csv"])
async def test_a_stranger_is_led_to_the_sign_in_page(stranger: Any, path: str) -> None:
    answer = await stranger.client.get(path, allow_redirects=False)
    assert answer.status == 303
    assert answer.headers["Location"].startswith("/sign-in")


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/", "There is no site yet"),
        ("/alarms", "Nothing waits for you"),
        ("/alarms?state=all", "There has never been an alarm"),
        ("/devices", "No device has been heard yet"),
        ("/bills", "No bill has been issued yet"),
        ("/search?q=lift", "Nothing found"),
    ],
)
async def test_an_empty_page_says_what_it_is_for(newcomer: Any, path: str, says: str) -> None:
    assert says in await newcomer.page(path)


@pytest.mark.parametrize(
    "path",
    ["/devices/999", "/devices/x", "/devices/²", "/alarms/999", "/alarms/x", "/bills/B-2026-10-9999", "/nowhere"],
)
async def test_what_does_not_exist_is_said_in_words(newcomer: Any, path: str) -> None:
    status, text = await newcomer.get(path)
    assert status == 404
    assert "There is n" in text
    assert "To the overview" in text


@pytest.mark.parametrize("path", ["/devices?page=0", "/bills?page=x", "/alarms?page=-1"])
async def test_a_page_that_cannot_be_is_refused(newcomer: Any, path: str) -> None:
    assert (await newcomer.get(path))[0] == 400


async def test_names_from_outside_cannot_become_markup(desk: Any) -> None:
    evil = '<script>alert(1)</script>"><img src=x>'
    (series,) = await desk.series("em-1", "electricity", ("energyImportTotal", "kWh"), name=evil)
    await desk.read(series, now_ms(), "1.00")
    await desk.alarm("em-1", now_ms(), detail='{"error": "<script>alert(2)</script>"}')
    for path in ("/", "/devices", "/devices/1", "/alarms", "/search?q=%3Cscript%3E", "/devices?q=%22%3E%3Cimg"):
        text = await desk.page(path)
        assert "<script>alert" not in text
        assert "<img" not in text


async def test_pages_carry_no_script_and_no_style_of_their_own(desk: Any) -> None:
    await desk.series("em-1", "electricity", ("energyImportTotal", "kWh"))
    for path in (*PLACES, "/devices/1"):
        text = await desk.page(path)
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", text), path


async def test_every_form_that_changes_something_carries_the_persons_token(desk: Any) -> None:
    await desk.alarm("em-1", now_ms())
    text = await desk.page("/alarms")
    forms = re.findall(r'<form method="post" action="([^"]+)".*?</form>', text, re.DOTALL)
    guarded = re.findall(r'<form method="post" action="([^"]+)"[^>]*>\s*<input type="hidden" name="csrf"', text)
    assert set(forms) - {"/language", "/theme"} == set(guarded)


async def test_the_language_follows_the_person(desk: Any) -> None:
    assert '<html lang="en"' in await desk.page("/devices")
    answer = await desk.post("/language", language="zh", next="/devices")
    assert answer.headers["Location"] == "/devices"
    text = await desk.page("/devices")
    assert '<html lang="zh-CN"' in text
    assert "设备" in text


async def test_a_language_nobody_speaks_is_refused(desk: Any) -> None:
    assert (await desk.post("/language", language="xx", next="/")).status == 400


async def test_a_wish_from_another_site_is_refused(desk: Any) -> None:
    answer = await desk.client.post(
        "/language", data={"language": "zh"}, headers={"Origin": "https://evil.example"}, allow_redirects=False
    )
    assert answer.status == 403
