"""Snapshots of the newest values: what was written comes back, and rubbish is refused as such."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import MalformedFrame
from protocols.quantity import Quality
from protocols.record import Reading, Series
from protocols.snapshot import MAX_SNAPSHOT_VALUES, decode_snapshot, encode_snapshot

POWER = Series("em-1", "功率", "W")


def test_what_is_written_comes_back() -> None:
    readings = [Reading(POWER, 1, Decimal("-0.50")), Reading(POWER, -2, None, Quality.INVALID)]
    assert decode_snapshot(encode_snapshot(readings)) == readings


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_rubbish_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedFrame):
        decode_snapshot(data)


@pytest.mark.parametrize(
    "value",
    [
        '["a", "b", "W", 1, "NaN", 0]',
        '["a", "b", "W", 1, "Infinity", 0]',
        '["a", "b", "W", 1, "1e99", 0]',
        '["a", "b", "W", 1, 1.5, 0]',
        '["a", "b", "W", true, "1", 0]',
        '["a", "b", "W", 99999999999999999999, "1", 0]',
        '["a", "b", "W", 1, "1", 77]',
        '["a", "b", 5, 1, "1", 0]',
        f'["{"a" * 201}", "b", "W", 1, "1", 0]',
        '["a", "b", "W", 1]',
    ],
)
def test_a_poison_value_is_refused(value: str) -> None:
    with pytest.raises(MalformedFrame):
        decode_snapshot(f'{{"values": [{value}]}}'.encode())


def test_too_many_values_are_refused() -> None:
    with pytest.raises(MalformedFrame):
        decode_snapshot(encode_snapshot([Reading(POWER, 1, Decimal(1))] * (MAX_SNAPSHOT_VALUES + 1)))
