"""Who is let in, and on what terms; and what a thousand gateways make of them."""

import random
from contextlib import AbstractContextManager
from heapq import heappop, heappush
from itertools import count

import pytest

from central_server.errors import Busy
from central_server.sync.gate import AT_ONCE, Gate, terms_for
from edge_agent.answer import Acked, Heard
from edge_agent.answer import Busy as ToldBusy
from edge_agent.store_file import LaneState
from edge_agent.sync import Policy, Rest, SendBatch, SendLive, SendStatus, Uplink
from protocols.sync import Lane


def test_the_terms_get_harder_as_the_expansion_falls_behind() -> None:
    terms = [terms_for(waiting) for waiting in (0, 63, 64, 255, 256, 5000)]
    assert [each.window for each in terms] == [20_000, 20_000, 5000, 5000, 2000, 2000]
    assert [each.retry_after_s for each in terms] == [0, 0, 0, 0, 2, 39]
    assert terms[0].as_json() == {"window": 20_000}


def test_a_thousand_gateways_at_once_are_spread_and_their_alarms_are_let_in() -> None:
    now = [0.0]
    gate = Gate(lambda: now[0])
    waits: list[int] = []
    inside = []
    for gateway in range(1000):
        try:
            place = gate.place(gateway, Lane.TELEMETRY)
            place.__enter__()
            inside.append(place)
        except Busy as busy:
            waits.append(busy.retry_after_s or 0)
    assert len(inside) == AT_ONCE - 8, "memory is bounded whatever comes"
    assert (waits[0], waits[-1]) == (2, 60)
    with gate.place(1, Lane.SAFETY), gate.place(2, Lane.CONTROL):
        pass
    for _ in range(100):  # ten a second are served
        now[0] += 0.1
        with gate.place(1, Lane.SAFETY):
            pass
    with pytest.raises(Busy) as again:
        gate.place(5, Lane.BILLING).__enter__()
    assert again.value.retry_after_s == 60
    for place in inside:
        place.__exit__(None, None, None)
    with gate.place(5, Lane.BILLING):
        pass


def test_lanes_that_are_not_told_wait_like_a_backlog() -> None:
    gate = Gate()
    places = [gate.place(number, None) for number in range(AT_ONCE - 8)]
    for place in places:
        place.__enter__()
    with pytest.raises(Busy):
        gate.place(99, None).__enter__()


def test_snapshots_of_many_gateways_come_less_often() -> None:
    now = [0.0]
    gate = Gate(lambda: now[0])
    assert [gate.snapshot_pace_s(number) for number in range(1000)][-1] == 10
    now[0] = 20
    assert gate.snapshot_pace_s(1) == 0


class Fleet:
    """Gateways that come back at the same moment, in simulated time, and a centre that stores a batch in 10 ms."""

    def __init__(self, gateways: int, backlog: int) -> None:
        self.now, self.free_at, self.inside, self.most_inside = 0.0, 0.0, 0, 0
        self.gate = Gate(lambda: self.now)
        chance = random.Random(1).random
        self.uplinks = [Uplink(Policy(limit=500), chance) for _ in range(gateways)]
        self.acked = [dict.fromkeys(Lane, 0) for _ in range(gateways)]
        self.last = {Lane.SAFETY: 1, Lane.CONTROL: 0, Lane.BILLING: 0, Lane.TELEMETRY: backlog}
        self.alarms_at: list[float] = []
        self._order = count()
        self._events: list[tuple[float, int, int, SendBatch | None, AbstractContextManager[None] | None]] = []
        for number in range(gateways):
            self._later(0.0, number)

    def _later(
        self, at: float, number: int, sent: SendBatch | None = None, place: AbstractContextManager[None] | None = None
    ) -> None:
        heappush(self._events, (at, next(self._order), number, sent, place))

    def lanes(self, number: int) -> dict[Lane, LaneState]:
        acked = self.acked[number]
        return {lane: LaneState(end + 1, acked[lane], end - acked[lane], None) for lane, end in self.last.items()}

    def run(self, until: float) -> None:
        while self._events:
            self.now, _, number, sent, place = heappop(self._events)
            if self.now > until:
                return
            if sent is not None and place is not None:
                self._stored(number, sent, place)
            self._step(number)

    def _stored(self, number: int, sent: SendBatch, place: AbstractContextManager[None]) -> None:
        place.__exit__(None, None, None)
        self.inside -= 1
        end = min(sent.after_seq + sent.limit, self.last[sent.lane])
        states = self.lanes(number)
        self.uplinks[number].batch_answered(sent.after_seq + 1, end, sent.lane, states[sent.lane], Acked(end), self.now)
        self.acked[number][sent.lane] = end
        if sent.lane is Lane.SAFETY:
            self.alarms_at.append(self.now)

    def _step(self, number: int) -> None:
        uplink, states = self.uplinks[number], self.lanes(number)
        match uplink.next(states, self.now):
            case Rest(seconds):
                if self.acked[number] != self.last:
                    self._later(self.now + min(seconds, 5), number)
                return
            case SendBatch() as sent:
                place = self.gate.place(number, sent.lane)
                try:
                    place.__enter__()
                except Busy as busy:
                    told = ToldBusy(busy.retry_after_s or 0, "busy")
                    end = min(sent.after_seq + sent.limit, self.last[sent.lane])
                    uplink.batch_answered(sent.after_seq + 1, end, sent.lane, states[sent.lane], told, self.now)
                else:
                    self.inside += 1
                    self.most_inside = max(self.most_inside, self.inside)
                    self.free_at = max(self.free_at, self.now) + 0.01
                    self._later(self.free_at, number, sent, place)
                    return
            case SendStatus():
                uplink.status_answered(Heard(1), self.now)
            case SendLive():
                uplink.live_answered(Heard(1, None, self.gate.snapshot_pace_s(number)), self.now)
            case _:
                pass
        self._later(self.now + 0.001, number)


def test_a_thousand_gateways_that_come_back_together_all_get_in_their_alarms_first() -> None:
    fleet = Fleet(1000, 1500)
    fleet.run(until=600)
    assert all(acked == fleet.last for acked in fleet.acked), "nobody starves"
    assert fleet.most_inside <= AT_ONCE
    assert sorted(fleet.alarms_at)[-10] < 30, "a thousand alarms take ten seconds at least"
    assert fleet.now < 5 * 1000 * 4 * 0.01, "the centre is kept busy and not waiting"
