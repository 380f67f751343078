"""The hub: everyone hears everything, and nobody waits for the slow one."""

import json

from central_server.live import QUEUE_LENGTH, Hub


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
            hub.publish({"type": "n", "n": number})
            assert json.loads(quick.get_nowait() or "")["n"] == number
        assert slow.get_nowait() is None
        assert slow.empty()
        assert hub.subscribers == 1


async def test_closing_ends_every_stream() -> None:
    hub = Hub()
    async with hub.subscribe() as one, hub.subscribe() as other:
        hub.publish({"type": "n"})
        hub.close()
        assert (one.get_nowait(), other.get_nowait()) == (None, None)


async def test_who_comes_after_the_end_hears_the_end_at_once() -> None:
    hub = Hub()
    hub.close()
    async with hub.subscribe() as late:
        assert late.get_nowait() is None
        assert hub.subscribers == 0
