"""The alarm console."""

from typing import Any

from central_server.clock import now_ms


async def test_an_alarm_is_explained_with_what_to_do(desk: Any) -> None:
    await desk.series("em-1", "electricity", ("energyImportTotal", "kWh"), name="1-101 meter")
    await desk.alarm("em-1", now_ms(), detail='{"error": "no answer for 3 s"}')
    text = await desk.page("/alarms")
    for said in ("Device does not answer", "1-101 meter", "What to do", "no answer for 3 s", "not acknowledged"):
        assert said in text


async def test_an_unknown_condition_is_shown_in_its_own_words(desk: Any) -> None:
    await desk.alarm("em-1", now_ms(), condition="boiler_cold")
    assert "boiler cold" in await desk.page("/alarms")


async def test_acknowledging_names_the_person_and_keeps_the_alarm_until_its_cause_is_gone(desk: Any) -> None:
    alarm = await desk.alarm("em-1", now_ms())
    answer = await desk.post(f"/alarms/{alarm}/acknowledge", csrf=await desk.csrf())
    assert answer.headers["Location"] == f"/alarms/{alarm}"
    text = await desk.page(f"/alarms/{alarm}")
    assert "值班台 1" in text
    assert f'id="alarm-{alarm}"' in text


async def test_the_second_to_acknowledge_is_told_who_was_first(desk: Any) -> None:
    alarm = await desk.alarm("em-1", now_ms(), acknowledged_at=now_ms(), acknowledged_by="王芳")
    answer = await desk.post(f"/alarms/{alarm}/acknowledge?state=all", csrf=await desk.csrf())
    assert "state=all" in answer.headers["Location"]
    assert "王芳 has acknowledged this alarm already." in await desk.page(answer.headers["Location"])


async def test_acknowledging_needs_the_persons_token(desk: Any) -> None:
    alarm = await desk.alarm("em-1", now_ms())
    assert (await desk.post(f"/alarms/{alarm}/acknowledge", csrf="guessed")).status == 403
    assert "nobody yet" in await desk.page(f"/alarms/{alarm}")


async def test_alarms_that_are_over_and_seen_leave_the_list_but_not_the_record(desk: Any) -> None:
    alarm = await desk.alarm("em-1", 1000, cleared_at=61_000, acknowledged_at=2000, acknowledged_by="王芳")
    assert f'id="alarm-{alarm}"' not in await desk.page("/alarms")
    assert f'id="alarm-{alarm}"' in await desk.page("/alarms?state=all")


async def test_earlier_alarms_of_the_same_cause_are_listed_with_how_long_they_lasted(desk: Any) -> None:
    await desk.alarm("em-1", 1000, cleared_at=421_000)
    newest = await desk.alarm("em-1", now_ms())
    assert "lasted 7 min" in await desk.page(f"/alarms/{newest}")


async def test_the_strip_counts_what_nobody_has_seen(desk: Any) -> None:
    for number in range(3):
        await desk.alarm(f"em-{number}", now_ms(), priority=1)
    assert 'aria-label="3 Critical"' in await desk.page("/devices")


async def test_notes_are_written_beside_the_alarm_and_an_empty_one_is_refused_there(desk: Any) -> None:
    alarm = await desk.alarm("em-1", now_ms())
    csrf = await desk.csrf()
    refused = await desk.post(f"/alarms/{alarm}/comment", csrf=csrf, text=" ")
    assert (refused.status, 'aria-describedby="n-text"' in await refused.text()) == (422, True)
    assert (await desk.post(f"/alarms/{alarm}/comment", csrf=csrf, text="fuse replaced")).status == 303
    assert "fuse replaced" in await desk.page(f"/alarms/{alarm}")


async def test_an_entrapment_is_ended_on_its_page_with_a_note_and_not_without(desk: Any) -> None:
    said = {"condition": "lift_entrapment", "priority": 1, "site_id": 1, "gone_at": now_ms()}
    alarm, csrf = await desk.alarm("lift-1", now_ms(), **said), await desk.csrf()
    assert "ends only by a person" in await desk.page("/alarms")
    assert (await desk.post(f"/alarms/{alarm}/end", csrf=csrf, text="")).status == 422
    assert f'id="alarm-{alarm}"' in await desk.page("/alarms")
    assert (await desk.post(f"/alarms/{alarm}/end", csrf=csrf, text="two people, both well")).status == 303
    assert f'id="alarm-{alarm}"' not in await desk.page("/alarms")
    assert "two people, both well" in await desk.page(f"/alarms/{alarm}?state=all")


async def test_the_console_is_narrowed_by_level_and_kind_and_keeps_that_when_an_alarm_is_chosen(desk: Any) -> None:
    low = await desk.alarm("em-1", now_ms(), priority=3)
    high = await desk.alarm("em-2", now_ms(), priority=1, condition="door_forced")
    for query in ("priority=1", "condition=door_forced", "priority=1&site=&page=1"):
        text = await desk.page(f"/alarms?{query}")
        assert (f'id="alarm-{low}"' in text, f'id="alarm-{high}"' in text) == (False, True)
    assert f"/alarms/{high}?priority=1" in await desk.page("/alarms?priority=1")
    assert f'id="alarm-{low}"' in await desk.page("/alarms?priority=9&site=x")
