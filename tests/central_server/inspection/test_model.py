"""Inspection's rules: what an answer comes to, what a task is, and whose clock counts."""

from decimal import Decimal

import pytest

from central_server.inspection.model import Given, Item, Kind, NotAnswered, State, judge, moment, task_state

PRESSURE = Item(1, Kind.NUMBER, "水压", "MPa", Decimal("0.2"), Decimal("0.6"))
DOOR = Item(2, Kind.IN_ORDER, "防火门自闭")


@pytest.mark.parametrize(("text", "is_failed"), [("0.2", False), ("0.6", False), ("0.61", True), ("-1", True)])
def test_a_number_outside_its_limits_is_a_finding(text: str, is_failed: bool) -> None:
    answer = judge(PRESSURE, Given(text))
    assert answer
    assert (answer.value, answer.is_failed) == (text, is_failed)


@pytest.mark.parametrize("text", ["", "a lot", "1e99", "NaN", "0.0000001", "Infinity"])
def test_what_is_no_number_answers_nothing(text: str) -> None:
    with pytest.raises(NotAnswered):
        judge(PRESSURE, Given(text))


def test_in_order_or_not_must_be_said() -> None:
    with pytest.raises(NotAnswered):
        judge(DOOR, Given(""))
    answer = judge(DOOR, Given("fail"))
    assert answer
    assert answer.is_failed


def test_an_optional_item_may_be_left_out_and_a_photo_must_be_there_where_asked() -> None:
    assert judge(Item(3, Kind.TEXT, "备注", is_required=False), Given()) is None
    with pytest.raises(NotAnswered):
        judge(Item(4, Kind.PHOTO, "铭牌"), Given("1"))


def test_a_task_is_as_good_as_the_worst_of_its_points() -> None:
    done, late, missed, excused = State.DONE, State.LATE, State.MISSED, State.EXCUSED
    assert task_state([done, done]) is done
    assert task_state([done, late, excused]) is late
    assert task_state([done, late, missed]) is missed
    assert task_state([missed, State.OPEN]) is State.OPEN
    assert task_state([excused, excused]) is excused


def test_a_check_is_dated_by_how_long_ago_it_was_whatever_the_phones_clock_says() -> None:
    # The phone is an hour ahead and sends after 20 minutes in the basement.
    when = moment(10_000_000, done_at=10_000_000 + 3_600_000 - 1_200_000, sent_at=10_000_000 + 3_600_000)
    assert (when.done_at, when.skew_ms) == (10_000_000 - 1_200_000, 3_600_000)


def test_a_clock_that_was_turned_back_or_waited_a_week_is_not_believed() -> None:
    with pytest.raises(NotAnswered):
        moment(10_000_000, done_at=5_000, sent_at=1_000)
    with pytest.raises(NotAnswered):
        moment(10**12, done_at=0, sent_at=8 * 24 * 3_600_000)
