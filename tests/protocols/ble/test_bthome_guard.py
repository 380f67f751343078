"""Which frames are believed: each once, in their order, and none in clear where there is a key."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.ble.bthome import BthomeFrame, decode, encode_sealed
from protocols.ble.bthome_guard import RESTART, Repeated, Seen, admit
from protocols.errors import SecurityError

KEY, MAC = bytes(range(16)), bytes.fromhex("A4C138112233")


def sealed(counter: int, objects: str = "0161") -> BthomeFrame:
    wire = encode_sealed("fcd2", bytes.fromhex(objects), mac=MAC, key=KEY, counter=counter)
    return decode("fcd2", wire, mac=MAC, key=KEY)


def clear(objects: str = "0161") -> BthomeFrame:
    return decode("fcd2", b"\x40" + bytes.fromhex(objects))


def after(*frames: BthomeFrame) -> Seen:
    state: Seen | None = None
    for frame in frames:
        state = admit(state, frame, has_key=True)
    assert state is not None
    return state


def test_a_rising_counter_is_believed() -> None:
    assert after(sealed(4000), sealed(4001), sealed(9000)).counter == 9000


def test_an_old_frame_sent_again_is_refused() -> None:
    state = after(sealed(3), sealed(4), sealed(5))
    for counter in (3, 4):
        with pytest.raises(SecurityError, match="old frame"):
            admit(state, sealed(counter), has_key=True)


def test_the_last_frame_once_more_is_no_attack_and_another_of_its_counter_is_one() -> None:
    state = after(sealed(700))
    with pytest.raises(Repeated):
        admit(state, sealed(700), has_key=True)
    with pytest.raises(SecurityError) as refused:
        admit(state, sealed(700, "0162"), has_key=True)
    assert not isinstance(refused.value, Repeated)


def test_a_frame_in_clear_is_refused_where_there_is_a_key_even_as_the_first() -> None:
    for state in (None, after(sealed(700))):
        with pytest.raises(SecurityError, match="in clear"):
            admit(state, clear(), has_key=True)
    with pytest.raises(SecurityError, match="in clear"):
        admit(after(sealed(700)), clear(), has_key=False)  # its key was taken out of the settings
    assert admit(None, clear(), has_key=False).counter is None


def test_a_device_with_a_new_battery_starts_again_near_zero() -> None:
    state = after(sealed(154_553), sealed(2, "0164"), sealed(3, "0164"))
    assert state.counter == 3
    with pytest.raises(SecurityError):
        admit(after(sealed(154_553)), sealed(RESTART), has_key=True)


def test_a_frame_of_its_first_days_does_not_pass_for_a_new_battery() -> None:
    state = after(sealed(5), sealed(154_553))
    with pytest.raises(SecurityError):
        admit(state, sealed(5), has_key=True)
    assert admit(state, sealed(5, "0164"), has_key=True).counter == 5  # another one is a new life


def test_a_counter_that_is_used_up_goes_on_from_zero() -> None:
    assert after(sealed(2**32 - 1), sealed(0)).counter == 0


def test_a_packet_heard_twice_is_a_repeat_and_after_a_while_it_is_a_new_one() -> None:
    first = admit(None, clear("000A 3A01"), has_key=False, heard_s=100.0)
    assert not first.is_repeat
    assert admit(first, clear("000A 3A01"), has_key=False, heard_s=101.0).is_repeat
    assert admit(first, clear("0009 3A01"), has_key=False, heard_s=101.0).is_repeat  # came late by another way
    assert not admit(first, clear("000B 3A01"), has_key=False, heard_s=101.0).is_repeat
    assert not admit(first, clear("000A 3A01"), has_key=False, heard_s=160.0).is_repeat
    assert admit(first, clear("000A 3A01"), has_key=False).is_repeat  # nobody knows when
    assert not admit(first, clear("3A01"), has_key=False, heard_s=101.0).is_repeat


@given(st.lists(st.integers(0, 400), min_size=2, max_size=40))
def test_a_counter_falls_only_for_a_new_battery_and_no_early_frame_is_believed_twice(counters: list[int]) -> None:
    state: Seen | None = None
    believed: list[int] = []
    for counter in counters:
        try:
            state = admit(state, sealed(counter), has_key=True)
        except SecurityError:
            continue
        believed.append(counter)
    assert all(now > before or now < RESTART <= before for before, now in pairwise(believed))
    young = [counter for counter in believed if counter < RESTART]
    assert len(young) == len(set(young))
