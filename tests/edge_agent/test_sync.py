"""The uplink's decisions, on a clock and a network of the test's own."""

import random
from collections.abc import Iterable, Sequence
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.answer import Acked, Answer, Broken, Busy, Gap, Heard, Refused, TooLarge, Unreachable
from edge_agent.store import LaneState
from edge_agent.sync import Link, Policy, Rest, SendBatch, SendStatus, Uplink
from protocols.sync import Lane

POLICY = Policy(limit=100)


def lanes(**ends: tuple[int, int]) -> dict[Lane, LaneState]:
    """Give lanes by word, each as (last number, acknowledged number)."""
    states = {}
    for lane in Lane:
        last, acked = ends.get(lane.word, (0, 0))
        states[lane] = LaneState(last + 1, acked, last - acked, 1 if last > acked else None)
    return states


def online(chance: float = 1.0) -> Uplink:
    """Give an uplink that has just sent its status, at 0."""
    uplink = Uplink(POLICY, lambda: chance)
    assert uplink.next(lanes(), 0) == SendStatus()
    uplink.status_answered(Heard(1), 0)
    return uplink


def answer(uplink: Uplink, states: dict[Lane, LaneState], sent: SendBatch, reply: Answer, now: float = 0) -> None:
    last = min(sent.after_seq + sent.limit, states[sent.lane].next_seq - 1)
    uplink.batch_answered(sent.after_seq + 1, last, sent.lane, states[sent.lane], reply, now)


def sends(uplink: Uplink, states: dict[Lane, LaneState], now: float = 0) -> SendBatch:
    action = uplink.next(states, now)
    assert isinstance(action, SendBatch), action
    return action


def test_the_status_goes_first_and_then_every_five_seconds() -> None:
    uplink = online()
    assert uplink.next(lanes(), 1) == Rest(4)
    assert uplink.next(lanes(), 5) == SendStatus()


def test_a_changed_status_goes_at_once_but_not_in_a_flood() -> None:
    uplink = online()
    uplink.touch(3)
    assert uplink.next(lanes(), 3) == SendStatus()
    uplink.status_answered(Heard(1), 3)
    uplink.touch(3.1)
    assert uplink.next(lanes(), 3.1) == Rest(pytest.approx(0.4))


def test_lanes_go_in_order_of_worth() -> None:
    uplink = online()
    states = lanes(safety=(1, 0), control=(1, 0), billing=(1, 0), telemetry=(1, 0))
    order = []
    while isinstance(action := uplink.next(states, 0), SendBatch):
        order.append(action.lane)
        answer(uplink, states, action, Acked(1))
    assert order == list(Lane)


def test_an_alarm_overtakes_a_backlog_and_a_status() -> None:
    uplink = online()
    states = lanes(telemetry=(100_000, 0))
    answer(uplink, states, sends(uplink, states), Acked(100))
    states = lanes(telemetry=(100_000, 100), safety=(1, 0))
    assert sends(uplink, states, 9).lane is Lane.SAFETY


def test_a_status_is_not_held_up_by_a_backlog() -> None:
    uplink = online()
    assert uplink.next(lanes(telemetry=(100_000, 0)), 5) == SendStatus()


def test_a_batch_follows_the_last_ack_even_before_the_store_has_taken_it() -> None:
    uplink = online()
    states = lanes(billing=(250, 0))
    first = sends(uplink, states)
    assert first == SendBatch(Lane.BILLING, 0, 100)
    answer(uplink, states, first, Acked(100))
    assert uplink.unsettled(states) == [(Lane.BILLING, 100, "")]
    assert sends(uplink, states) == SendBatch(Lane.BILLING, 100, 100)
    assert uplink.unsettled(lanes(billing=(250, 100))) == []


def test_a_trickle_of_readings_gathers_for_a_moment_but_an_alarm_does_not() -> None:
    uplink = online()
    states = lanes(telemetry=(1, 0), safety=(1, 0))
    answer(uplink, states, sends(uplink, states), Acked(1))
    answer(uplink, states, sends(uplink, states), Acked(1))
    states = lanes(telemetry=(2, 1))
    assert uplink.next(states, 0.25) == Rest(0.75)
    assert sends(uplink, states, 1).lane is Lane.TELEMETRY
    assert sends(uplink, lanes(telemetry=(2, 1), safety=(2, 1)), 0.25).lane is Lane.SAFETY


def test_an_ack_counts_only_for_what_was_sent() -> None:
    uplink = online()
    states = lanes(billing=(250, 0))
    answer(uplink, states, sends(uplink, states), Acked(220))
    assert uplink.unsettled(states) == [(Lane.BILLING, 100, "")], (
        "of 101 to 220 the centre has heard from somebody else"
    )


def test_an_ack_of_what_the_store_never_had_holds_the_lane_and_deletes_nothing() -> None:
    uplink = online()
    states = lanes(billing=(50, 0))
    answer(uplink, states, sends(uplink, states), Acked(51))
    assert uplink.unsettled(states) == []
    assert uplink.link is Link.REFUSED
    assert uplink.error is not None
    assert "old copy" in uplink.error


def test_an_ack_of_less_than_the_centre_had_is_no_ack() -> None:
    uplink = online()
    states = lanes(billing=(50, 20))
    answer(uplink, states, sends(uplink, states), Acked(20))
    assert uplink.unsettled(states) == []
    assert uplink.link is Link.OFFLINE


def test_a_gap_goes_back_to_what_the_store_still_has() -> None:
    uplink = online()
    states = lanes(billing=(250, 0))
    answer(uplink, states, sends(uplink, states), Acked(100))
    answer(uplink, states, sends(uplink, states), Gap(41))
    assert sends(uplink, states) == SendBatch(Lane.BILLING, 40, 100)


@pytest.mark.parametrize("expected", [1, 20, 51, 99])
def test_a_gap_that_the_store_cannot_fill_holds_that_lane_only(expected: int) -> None:
    uplink = online(chance=1.0)
    states = lanes(billing=(250, 50), telemetry=(10, 0))
    answer(uplink, states, sends(uplink, states), Gap(expected))
    assert sends(uplink, states).lane is Lane.TELEMETRY
    assert uplink.link is Link.REFUSED
    assert f"misses record {expected} of the billing lane" in str(uplink.error)
    assert uplink.retry_in_s(0) == 60
    uplink.status_answered(Heard(1), 60)
    assert sends(uplink, states, 60).lane is Lane.BILLING


def test_halving_finds_the_record_that_does_not_pass() -> None:
    uplink = online()
    states = lanes(control=(400, 0))
    poison, acked, tries = 77, 0, 0
    while isinstance(action := uplink.next(states, 0), SendBatch):
        tries += 1
        last = min(action.after_seq + action.limit, 400)
        bad = action.after_seq < poison <= last
        if not bad:
            acked = last
        answer(uplink, states, action, Broken("not readable (sync_broken_batch)") if bad else Acked(last))
    assert acked == poison - 1, "everything before it is through"
    assert "record 77 of the control lane" in str(uplink.error)
    assert tries < 30


def test_a_batch_over_the_limit_is_sent_in_halves_which_grow_again() -> None:
    uplink = online()
    states = lanes(control=(400, 0))
    answer(uplink, states, sends(uplink, states), TooLarge())
    assert sends(uplink, states) == SendBatch(Lane.CONTROL, 0, 50)
    answer(uplink, states, sends(uplink, states), Acked(50))
    assert sends(uplink, states) == SendBatch(Lane.CONTROL, 50, 100)


def test_failures_back_off_doubling_up_to_the_limit() -> None:
    uplink = online(chance=1.0)
    states, now, pauses = lanes(billing=(10, 0)), 0.0, []
    for _ in range(9):
        answer(uplink, states, SendBatch(Lane.BILLING, 0, 100), Unreachable("no route"), now)
        rest = uplink.next(states, now)
        assert isinstance(rest, Rest)
        pauses.append(rest.seconds)
        now += rest.seconds
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert (uplink.link, uplink.error) == (Link.OFFLINE, "no route")
    answer(uplink, states, SendBatch(Lane.BILLING, 0, 100), Acked(10), now)
    assert (uplink.link, uplink.error, uplink.retry_in_s(now)) == (Link.ONLINE, None, None)
    answer(uplink, states, SendBatch(Lane.BILLING, 0, 100), Unreachable("no route"), now)
    assert uplink.retry_in_s(now) == 0.5, "a success forgets the failures before it"


def test_gateways_that_fail_together_do_not_come_back_together() -> None:
    chance = random.Random(7)
    pauses = []
    for _ in range(1000):
        uplink = Uplink(POLICY, chance.random)
        for _ in range(8):
            uplink.status_answered(Unreachable("no route"), 0)
        pauses.append(uplink.retry_in_s(0) or 0)
    assert 13 < sum(pauses) / 1000 < 17
    assert max(sum(second <= pause < second + 1 for pause in pauses) for second in range(30)) < 60


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_a_busy_centre_is_left_alone_for_as_long_as_it_asks(chance: float) -> None:
    uplink = online(chance)
    states = lanes(safety=(1, 0))
    answer(uplink, states, sends(uplink, states), Busy(7, "busy"))
    assert 7 <= (uplink.retry_in_s(0) or 0) <= 10.5
    assert isinstance(uplink.next(states, 6.9), Rest)


def test_a_refused_gateway_asks_again_slowly_and_keeps_everything() -> None:
    uplink = online(chance=0.0)
    states = lanes(safety=(1, 0))
    answer(uplink, states, sends(uplink, states), Refused("wrong secret (sync_bad_secret)"))
    assert (uplink.link, uplink.error) == (Link.REFUSED, "wrong secret (sync_bad_secret)")
    assert uplink.next(states, 0) == Rest(30)
    assert sends(uplink, states, 30) == SendBatch(Lane.SAFETY, 0, 100)
    assert uplink.unsettled(states) == []


def test_a_status_the_centre_cannot_read_does_not_stop_the_records() -> None:
    uplink = online()
    uplink.status_answered(Broken("what is this"), 5)
    assert sends(uplink, lanes(billing=(1, 0)), 5).lane is Lane.BILLING


class Centre:
    """The other side's rules, in memory: a mark and a list a lane."""

    def __init__(self) -> None:
        self.kept: dict[Lane, list[int]] = {lane: [] for lane in Lane}
        self.ends: dict[Lane, dict[int, str]] = {lane: {0: ""} for lane in Lane}
        self.unlinked = 0

    def take(self, lane: Lane, numbers: Iterable[int], prev: str) -> Answer:
        kept, ends = self.kept[lane], self.ends[lane]
        numbers = list(numbers)
        if numbers[0] > len(kept) + 1:
            return Gap(len(kept) + 1)
        if numbers[-1] > len(kept):
            # What comes again with more behind it is linked by its contents, everything else by prev.
            self.unlinked += numbers[0] == len(kept) + 1 and prev != ends[len(kept)]
            kept += [number for number in numbers if number > len(kept)]
            ends[len(kept)] = digest_of(numbers, prev)
        return Acked(len(kept), ends[len(kept)])


def digest_of(numbers: Sequence[int], prev: str) -> str:
    return sha256(f"{prev} {numbers[0]}-{numbers[-1]}".encode()).hexdigest()


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 2**32),
    st.floats(0, 0.6),
    st.dictionaries(st.sampled_from(list(Lane)), st.integers(1, 900), min_size=1),
)
def test_everything_arrives_once_and_in_order_whatever_the_network_does(
    seed: int, trouble: float, ends: dict[Lane, int]
) -> None:
    chance = random.Random(seed)
    uplink, centre, now = Uplink(POLICY, chance.random), Centre(), 0.0
    last = dict.fromkeys(Lane, 0)
    acked = dict.fromkeys(Lane, 0)
    chains = dict.fromkeys(Lane, "")
    for turn in range(4000):
        for lane, end in ends.items():  # records keep coming while the network plays up
            last[lane] = min(end, last[lane] + chance.randrange(40))
        if turn % 97 == 96:  # the process starts anew; what is stored stays
            uplink = Uplink(POLICY, chance.random)
        if turn == 300:
            trouble = 0.0
        states = {
            lane: LaneState(last[lane] + 1, acked[lane], last[lane] - acked[lane], None, chains[lane]) for lane in Lane
        }
        for lane, mark, chain in uplink.unsettled(states):
            if chance.random() >= trouble:  # else the disk is full just now
                assert mark <= len(centre.kept[lane]), "nothing is deleted that the centre does not have"
                acked[lane], chains[lane] = mark, chain
        match uplink.next(states, now):
            case Rest(seconds):
                if acked == last and all(last[lane] == end for lane, end in ends.items()):
                    break
                now += min(seconds, 5)
            case SendStatus():
                uplink.status_answered(Unreachable("lost") if chance.random() < trouble else Heard(1), now)
            case SendBatch(lane, after_seq, limit, prev):
                numbers = range(after_seq + 1, min(after_seq + limit, last[lane]) + 1)
                reply: Answer = Unreachable("lost on the way")
                if chance.random() >= trouble:
                    reply = centre.take(lane, numbers, prev)
                if chance.random() < trouble:
                    reply = chance.choice(
                        [Unreachable("the answer was lost"), Busy(1, "busy"), TooLarge(), Broken("cut")]
                    )
                digest = digest_of(numbers, prev)
                uplink.batch_answered(numbers[0], numbers[-1], lane, states[lane], reply, now, digest)
    assert acked == {lane: ends.get(lane, 0) for lane in Lane}, "the backlog drains once the network is well"
    for lane, end in ends.items():
        assert centre.kept[lane] == list(range(1, end + 1))
    assert centre.unlinked == 0, "every batch names the one before it"
