"""The uplink's decisions, on a clock and a network of the test's own."""

import random
from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.answer import Acked, Answer, Broken, Busy, Disputed, Gap, Heard, Refused, TooLarge, Unreachable
from edge_agent.store import LaneState
from edge_agent.sync import Link, Policy, Rest, SendBatch, SendLive, SendStatus, SetAside, Uplink
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
    if action == SendLive():
        uplink.live_answered(Heard(1), now)
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


@pytest.mark.parametrize("reply", [Unreachable("no answer"), Busy(1, "busy"), Refused("revoked"), Broken("500")])
def test_without_an_ack_nothing_is_acknowledged(reply: Answer) -> None:
    uplink = online()
    states = lanes(billing=(50, 0))
    answer(uplink, states, sends(uplink, states), reply)
    assert uplink.unsettled(states) == []


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


def test_halving_finds_the_record_that_does_not_pass_and_sets_it_aside() -> None:
    uplink = online()
    poison, last, acked, tries, now, aside = 77, 400, 0, 0, 0.0, None
    while acked < last:
        states = lanes(control=(last, acked))
        match uplink.next(states, now):
            case SendBatch(lane, after_seq, limit) as action:
                tries += 1
                end = min(after_seq + limit, last)
                is_bad = after_seq < poison <= end and aside is None
                acked = acked if is_bad else end
                answer(
                    uplink, states, action, Broken("not readable (sync_broken_batch)") if is_bad else Acked(end), now
                )
            case SetAside(lane, seq, reason):
                aside = (seq, reason, acked)
                uplink.set_aside(lane, now)
            case Rest(seconds):
                now += seconds
            case _:
                uplink.status_answered(Heard(1), now)
    assert aside == (poison, "not readable (sync_broken_batch)", poison - 1), "everything before it is through"
    assert tries < 30


@pytest.mark.parametrize("reply", [Broken("no"), TooLarge()])
def test_a_single_refusal_does_not_set_a_record_aside(reply: Answer) -> None:
    uplink, now, sent = online(chance=1.0), 0.0, 0
    states = lanes(billing=(1, 0))
    while not isinstance(action := uplink.next(states, now), SetAside):
        if isinstance(action, SendBatch):
            answer(uplink, states, action, reply, now)
            sent += 1
        elif isinstance(action, Rest):
            now += action.seconds
        else:
            uplink.live_answered(Heard(1), now)
            uplink.status_answered(Heard(1), now)
    assert sent == 3
    assert now >= 1, "the tries are spread"


def test_a_centre_that_refuses_everything_does_not_empty_the_lane() -> None:
    uplink, states, now, aside = online(chance=1.0), lanes(billing=(1000, 0)), 0.0, 0
    while now < 3600:
        match uplink.next(states, now):
            case SendBatch() as action:
                answer(uplink, states, action, Broken("no"), now)
            case SetAside(lane):
                aside += 1
                uplink.set_aside(lane, now)
            case SendStatus():
                uplink.status_answered(Heard(1), now)
            case SendLive():
                uplink.live_answered(Heard(1), now)
            case Rest(seconds):
                now += max(seconds, 0.01)
    assert aside <= 8 + 3600 / 60
    assert uplink.link is Link.REFUSED


def test_a_dispute_over_a_lane_sets_nothing_aside() -> None:
    uplink, states = online(), lanes(billing=(1, 0), telemetry=(1, 0))
    answer(uplink, states, sends(uplink, states), Disputed("an old copy (sync_fenced)"))
    assert sends(uplink, states).lane is Lane.TELEMETRY
    assert (uplink.link, uplink.error) == (Link.REFUSED, "an old copy (sync_fenced)")


def test_the_newest_values_overtake_a_backlog_once_a_second() -> None:
    uplink, states, now, sent = online(), lanes(telemetry=(100_000, 0)), 0.0, []
    for _ in range(120):
        action = uplink.next(states, now)
        now += 0.05
        match action:
            case SendLive():
                sent.append(now)
                uplink.live_answered(Heard(1), now)
            case SendBatch():
                answer(uplink, states, action, Acked(action.after_seq + action.limit), now)
            case SendStatus():
                uplink.status_answered(Heard(1), now)
    assert 5 <= len(sent) <= 6
    assert max(later - earlier for earlier, later in pairwise(sent)) < 1.2


def test_nothing_overtakes_where_nothing_waits() -> None:
    uplink = online()
    assert not isinstance(uplink.next(lanes(telemetry=(100, 0), billing=(3, 0)), 0), SendLive)


def test_batches_grow_to_the_centres_window_and_shrink_where_they_take_long() -> None:
    uplink = Uplink(Policy(), lambda: 1.0)
    uplink.next(lanes(), 0)
    uplink.status_answered(Heard(1), 0)
    states, limits = lanes(telemetry=(10**6, 0)), []
    for took in (0.1, 0.1, 0.1, 0.1, 0.9, 0.9, 0.1):
        action = sends(uplink, states, 1)
        limits.append(action.limit)
        answer(uplink, states, action, Acked(action.after_seq + action.limit, window=16_000), 1 + took)
    assert limits == [5000, 10_000, 16_000, 16_000, 16_000, 8000, 4000]


@pytest.mark.parametrize("reply", [Acked(100, wait_s=7), Busy(7, "busy")])
def test_a_centre_that_wants_no_backlog_gets_everything_else(reply: Answer) -> None:
    uplink, states = online(chance=1.0), lanes(telemetry=(1000, 0), safety=(0, 0))
    answer(uplink, states, sends(uplink, states), reply)
    assert uplink.link is Link.ONLINE
    assert sends(uplink, lanes(telemetry=(1000, 0), safety=(1, 0)), 1).lane is Lane.SAFETY
    assert uplink.next(states, 1) == SendLive()
    uplink.live_answered(Heard(1), 1)
    uplink.status_answered(Heard(1), 13)
    assert uplink.next(states, 13) == SendLive()
    uplink.live_answered(Heard(1), 13)
    assert isinstance(uplink.next(states, 13.9), Rest), "seven seconds, and as much again by chance"
    uplink.status_answered(Heard(1), 14)
    assert sends(uplink, states, 14).lane is Lane.TELEMETRY


def test_a_centre_without_snapshots_is_not_asked_every_second() -> None:
    uplink, states = online(chance=0.0), lanes(telemetry=(1000, 0))
    assert uplink.next(states, 0) == SendLive()
    uplink.live_answered(Disputed("not found (not_found)"), 0)
    assert uplink.link is Link.ONLINE
    assert uplink.next(states, 4) == SendBatch(Lane.TELEMETRY, 0, 100)


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
    assert 7 <= (uplink.retry_in_s(0) or 0) <= 14
    assert isinstance(uplink.next(states, 6.9), Rest)


@pytest.mark.parametrize(
    ("reply", "is_sent"), [(Unreachable("no route"), True), (Refused("revoked"), True), (Busy(30, "enough"), False)]
)
def test_a_person_ends_the_waits_of_our_own_making_and_not_the_centres(reply: Answer, is_sent: bool) -> None:
    uplink = online(chance=1)
    uplink.status_answered(reply, 5)
    uplink.hurry(5)
    action = uplink.next(lanes(billing=(9, 0)), 5)
    assert isinstance(action, SendStatus | SendBatch) is is_sent
    assert is_sent or action == Rest(60)


def test_a_person_ends_the_gathering_of_company_and_a_dispute_is_tried_again() -> None:
    uplink = online()
    states = lanes(telemetry=(9, 0))
    answer(uplink, states, sends(uplink, states), Disputed("another epoch"))
    assert uplink.next(states, 1) == SendLive()
    uplink.live_answered(Heard(1), 1)
    assert isinstance(uplink.next(states, 1), Rest)
    uplink.hurry(1)
    assert uplink.next(states, 1) == SendStatus()
    uplink.status_answered(Heard(1), 1)
    assert sends(uplink, states, 1).lane is Lane.TELEMETRY


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
    """The other side's rules, in memory: a mark and a list a lane; some records it refuses for good."""

    def __init__(self, poison: set[int]) -> None:
        self.kept: dict[Lane, list[int]] = {lane: [] for lane in Lane}
        self.marks = dict.fromkeys(Lane, 0)
        self.ends: dict[Lane, dict[int, str]] = {lane: {0: ""} for lane in Lane}
        self.unlinked = 0
        self.poison = poison

    def take(self, lane: Lane, first: int, numbers: Iterable[int], prev: str) -> Answer:
        kept, ends, mark = self.kept[lane], self.ends[lane], self.marks[lane]
        numbers = list(numbers)
        if self.poison.intersection(numbers):
            return Broken("cannot be read")
        if first > mark + 1:
            return Gap(mark + 1)
        if numbers[-1] > mark:
            # What comes again with more behind it is linked by its contents, everything else by prev.
            self.unlinked += first == mark + 1 and prev != ends[mark]
            kept += [number for number in numbers if number > mark]
            self.marks[lane] = numbers[-1]
            ends[numbers[-1]] = digest_of(numbers, prev)
        return Acked(self.marks[lane], ends[self.marks[lane]])


def digest_of(numbers: Sequence[int], prev: str) -> str:
    return sha256(f"{prev} {numbers[0]}-{numbers[-1]}".encode()).hexdigest()


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 2**32),
    st.floats(0, 0.6),
    st.dictionaries(st.sampled_from(list(Lane)), st.integers(1, 900), min_size=1),
    st.sets(st.integers(1, 900), max_size=4),
)
def test_everything_arrives_once_and_in_order_whatever_the_network_does(
    seed: int, trouble: float, ends: dict[Lane, int], poison: set[int]
) -> None:
    chance = random.Random(seed)
    uplink, centre, now = Uplink(POLICY, chance.random), Centre(poison), 0.0
    last = dict.fromkeys(Lane, 0)
    acked = dict.fromkeys(Lane, 0)
    chains = dict.fromkeys(Lane, "")
    aside: dict[Lane, set[int]] = {lane: set() for lane in Lane}
    for turn in range(6000):
        for lane, end in ends.items():  # records keep coming while the network plays up
            last[lane] = min(end, last[lane] + chance.randrange(40))
        if turn % 97 == 96:  # the process starts anew; what is stored stays
            uplink = Uplink(POLICY, chance.random)
        if turn == 300:
            trouble = 0.0
        left = {lane: sorted(set(range(acked[lane] + 1, last[lane] + 1)) - aside[lane]) for lane in Lane}
        states = {lane: LaneState(last[lane] + 1, acked[lane], len(left[lane]), None, chains[lane]) for lane in Lane}
        for lane, mark, chain in uplink.unsettled(states):
            if chance.random() >= trouble:  # else the disk is full just now
                assert mark <= centre.marks[lane], "nothing is deleted that the centre does not have"
                acked[lane], chains[lane] = mark, chain
        match uplink.next(states, now):
            case Rest(seconds):
                if not any(left.values()) and all(last[lane] == end for lane, end in ends.items()):
                    break
                now += min(seconds, 5)
            case SendStatus():
                uplink.status_answered(Unreachable("lost") if chance.random() < trouble else Heard(1), now)
            case SendLive():
                uplink.live_answered(chance.choice([Heard(1), Busy(1, "busy")]), now)
            case SetAside(lane, seq):
                assert seq in poison, "only what the centre refuses is set aside"
                aside[lane].add(seq)
                uplink.set_aside(lane, now)
            case SendBatch(lane, after_seq, limit, prev):
                numbers = [seq for seq in left[lane] if seq > after_seq][:limit]
                if not numbers:
                    uplink.nothing_there(lane, states[lane])
                    continue
                reply: Answer = Unreachable("lost on the way")
                if chance.random() >= trouble:
                    reply = centre.take(lane, after_seq + 1, numbers, prev)
                if chance.random() < trouble:
                    reply = chance.choice([Unreachable("the answer was lost"), Busy(1, "busy")])
                digest = digest_of(numbers, prev)
                uplink.batch_answered(numbers[0], numbers[-1], lane, states[lane], reply, now, digest)
    for lane in Lane:
        assert aside[lane] == poison.intersection(range(1, ends.get(lane, 0) + 1))
        wanted = [number for number in range(1, ends.get(lane, 0) + 1) if number not in poison]
        assert centre.kept[lane] == wanted, "the backlog drains once the network is well"
    assert centre.unlinked == 0, "every batch names the one before it"
