"""The hub: everyone hears what they may, and nobody waits for the slow one."""

import json

import pytest

from central_server.live import QUEUE_LENGTH, RECHECK, Hub
from central_server.rbac import Right


async def test_every_subscriber_hears_what_is_published_in_order() -> None:
    hub = Hub()
    async with hub.subscribe() as first, hub.subscribe() as second:
        hub.publish({"type": "alarms"})
        hub.publish({"type": "values", "items": ["水表"]})
        for queue in (first, second):
            heard = [json.loads(queue.get_nowait() or "") for _ in range(2)]
            assert heard == [{"type": "alarms"}, {"type": "values", "items": ["水表"]}]


async def test_a_subscriber_that_leaves_is_forgotten() -> None:
    hub = Hub()
    async with hub.subscribe():
        assert hub.subscribers == 1
    assert hub.subscribers == 0
    hub.publish({"type": "alarms"})


async def test_a_slow_subscriber_is_ended_and_the_others_hear_on() -> None:
    hub = Hub()
    async with hub.subscribe() as slow, hub.subscribe() as quick:
        for number in range(QUEUE_LENGTH + 1):
            hub.publish({"type": "alarms", "n": number})
            assert json.loads(quick.get_nowait() or "")["n"] == number
        assert slow.get_nowait() is None
        assert slow.empty()
        assert hub.subscribers == 1


async def test_closing_ends_every_stream() -> None:
    hub = Hub()
    async with hub.subscribe() as one, hub.subscribe() as other:
        hub.publish({"type": "alarms"})
        hub.close()
        assert (one.get_nowait(), other.get_nowait()) == (None, None)


async def test_who_comes_after_the_end_hears_the_end_at_once() -> None:
    hub = Hub()
    hub.close()
    async with hub.subscribe() as late:
        assert late.get_nowait() is None
        assert hub.subscribers == 0


async def test_a_message_reaches_only_whom_its_right_and_its_site_allow() -> None:
    hub = Hub()

    def guard_of_2(rights: tuple[Right, ...], site_id: int | None) -> bool:
        return Right.DOORS_SEE in rights and site_id in (None, 2)

    async with hub.subscribe(guard_of_2) as queue:
        hub.publish({"type": "doors", "n": 1}, site_id=1)
        hub.publish({"type": "alarms"}, site_id=2)
        hub.publish({"type": "orders"}, right=Right.ORDERS_SEE)
        hub.publish({"type": "doors", "n": 2}, site_id=2)
        assert json.loads(queue.get_nowait() or "")["n"] == 2
        assert queue.empty()


async def test_a_kind_of_message_that_nobody_gave_a_right_is_not_sent() -> None:
    with pytest.raises(KeyError):
        Hub().publish({"type": "salaries"})


async def test_every_stream_is_told_when_rights_change() -> None:
    hub = Hub()
    async with hub.subscribe(lambda _rights, _site: False) as queue:
        hub.recheck()
        assert queue.get_nowait() == RECHECK
