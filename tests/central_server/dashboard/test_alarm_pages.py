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
    await desk.alarm("em-1", now_ms(), condition="water_leak")
    assert "water leak" in await desk.page("/alarms")


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
