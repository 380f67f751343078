"""An order to write is recorded before it is sent, sent once, read back, and its outcome recorded."""

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from drivers.base import Driver
from drivers.factory import create_driver
from drivers.profile import Point, Profile, Writable, load_profile
from edge_agent.write import FINISHED, ORDERED, NotWritten, Order, carry_out, parse_value, refusal
from protocols import dlt645
from protocols.sync import Event
from tests.drivers.dlt645_site import NOW, line_of, simulated

METER = "202611000103"
RELAY = load_profile("electricity/dlt645-2007-relay")
SETPOINT = Point("setpoint", "kW", None, write=Writable(Decimal(0), Decimal(5000)))


class Book:
    """A journal; ``is_full`` from the number of events on that it takes."""

    def __init__(self, room: int = 100) -> None:
        self.events: list[Event] = []
        self.room = room

    async def __call__(self, event: Event) -> bool:
        if len(self.events) == self.room:
            return False
        self.events.append(event)
        return True


def order(value: int = 1, *, point: str = "relayState", password: str = "000000", minutes: int = 1) -> Order:
    return Order("em-2", point, Decimal(value), "1234", "wang", NOW + timedelta(minutes=minutes), password)


def writes(requests: list[bytes]) -> list[int]:
    functions = [dlt645.decode_frame(request).function for request in requests]
    return [function for function in functions if function not in (dlt645.READ, dlt645.READ_FOLLOW)]


def driver_of(bus: object, profile: Profile = RELAY) -> Driver:
    return create_driver(profile, bus, METER)  # type: ignore[arg-type]


async def test_the_journal_has_who_what_and_what_it_was_before_anything_is_sent(tmp_path: Path) -> None:
    async with line_of([simulated(METER)], tmp_path) as (bus, peer):
        sent_before: list[int] = []

        class Watched(Book):
            async def __call__(self, event: Event) -> bool:
                sent_before.append(len(writes(peer.requests)))
                return await super().__call__(event)

        book = Watched()
        told = await carry_out(driver_of(bus), order(), book)
    assert (told["outcome"], told["old"]["word"], told["read_back"]["word"]) == ("done", "closed", "open")
    assert sent_before == [0, 1], "recorded before the one frame that acts, and after it"
    ordered, finished = book.events
    assert (ordered.kind, ordered.subject, finished.kind) == (ORDERED, "device:em-2", FINISHED)
    assert {key: ordered.body[key] for key in ("point", "value", "word", "operator", "account")} == {
        "point": "relayState", "value": "1", "word": "open", "operator": "1234", "account": "wang"
    }  # fmt: skip
    assert ordered.body["old"]["word"] == "closed"
    assert ordered.body["write_id"] == finished.body["write_id"]
    assert "000000" not in str(ordered.body) + str(finished.body), "a password is no part of a journal"


async def test_what_cannot_be_recorded_is_not_sent(tmp_path: Path) -> None:
    async with line_of([simulated(METER)], tmp_path) as (bus, peer):
        with pytest.raises(NotWritten, match="could not be stored, so nothing was sent"):
            await carry_out(driver_of(bus), order(), Book(room=0))
        assert writes(peer.requests) == []


async def test_an_outcome_that_cannot_be_recorded_is_told(tmp_path: Path) -> None:
    async with line_of([simulated(METER)], tmp_path) as (bus, _):
        told = await carry_out(driver_of(bus), order(), Book(room=1))
    assert (told["outcome"], told["recorded"]) == ("done", False)


async def test_a_devices_no_is_recorded_as_its_no(tmp_path: Path) -> None:
    book = Book()
    async with line_of([simulated(METER)], tmp_path) as (bus, peer):
        told = await carry_out(driver_of(bus), order(password="999999"), book)
        assert len(writes(peer.requests)) == 1
    assert (told["outcome"], told["read_back"]) == ("refused", None)
    assert "password" in book.events[1].body["error"]


async def test_a_lost_answer_is_told_as_unknown_and_never_asked_for_again(tmp_path: Path) -> None:
    meter = simulated(METER)
    async with line_of([meter], tmp_path) as (bus, peer):
        driver = driver_of(bus)
        answer = peer._answer
        peer._answer = lambda data, frame: answer(data, frame)[:0] if writes([data]) else answer(data, frame)
        told = await carry_out(driver, order(), Book())
        assert len(writes(peer.requests)) == 1
    assert (told["outcome"], told["read_back"]["word"]) == ("unanswered", "open")


async def test_a_device_that_does_not_answer_is_sent_nothing(tmp_path: Path) -> None:
    book = Book()
    async with line_of([], tmp_path) as (bus, peer):
        with pytest.raises(NotWritten, match="'em-2' does not answer, so nothing was sent"):
            await carry_out(driver_of(bus), order(), book)
        assert (writes(peer.requests), book.events) == ([], [])


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (order(point="voltageL1"), "does not list 'voltageL1' as writable"),
        (order(7), "'relayState' has no state 7"),
        (order(minutes=-1), "expired at"),
    ],
)
async def test_what_the_profile_does_not_allow_never_reaches_the_line(
    tmp_path: Path, wanted: Order, words: str
) -> None:
    async with line_of([simulated(METER)], tmp_path) as (bus, peer):
        with pytest.raises(NotWritten, match=words):
            await carry_out(driver_of(bus), wanted, Book())
        assert peer.requests == []


def test_a_lift_is_never_written() -> None:
    lift = load_profile("elevator/modbus-gateway")
    for point in lift.points:
        wanted = Order("lift-1", point.name, Decimal(0), "wang", "wang", NOW + timedelta(minutes=1))
        assert refusal(lift, wanted, NOW) == "a lift is read and never written"


@pytest.mark.parametrize(
    ("text", "value"),
    [("2.5", "2500"), ("2.5 kW", "2500"), ("2500W", "2500"), ("0.0025 MW", "2500"), (" -1 ", "-1000"), ("+1", "1000")],
)
def test_a_number_may_be_in_the_profiles_unit_or_another_of_its_kind(text: str, value: str) -> None:
    assert parse_value(SETPOINT, text) == Decimal(value)


@pytest.mark.parametrize("text", ["open", "OPEN", "1"])
def test_a_state_may_be_its_word_or_its_code(text: str) -> None:
    assert parse_value(RELAY.point("relayState"), text) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("half", "'half' is not a number. Write it as 21.5 kW."),
        ("", "is not a number"),
        ("1e3", "'e3' is not a unit"),
        ("NaN", "is not a number"),
        ("1,5", "'1,5' is not a number"),
        ("5 kWh", "'setpoint' is written in kW, not in kWh."),
        ("5 volts", "'volts' is not a unit this program knows. 'setpoint' is written in kW."),
    ],
)
def test_anything_else_is_told_with_what_is_expected(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        parse_value(SETPOINT, text)


def test_a_word_that_is_no_state_is_told_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="There are: 'closed', 'open'"):
        parse_value(RELAY.point("relayState"), "half")
