"""A simulated DL/T 645 meter does what it is told by whoever has its password, and nothing else."""

from datetime import timedelta

import pytest

from drivers.sim.dlt645_meter import answer_dlt645, is_asked_dlt645
from drivers.sim.simulated import Simulated
from protocols import dlt645
from protocols import dlt645_command as command
from protocols.dlt645 import Frame
from protocols.dlt645_command import Authority, ControlOrder
from tests.drivers.dlt645_site import AT_MS, NOW, simulated

METER = "202611000103"
WHO = Authority(2, "000000", "7")
LOCAL = (NOW + timedelta(hours=8)).replace(tzinfo=None)


def ask(meter: Simulated, frame: Frame) -> Frame | None:
    if not is_asked_dlt645(meter, frame):
        return None
    answer = answer_dlt645(meter, frame, AT_MS, NOW)
    return None if answer is None else dlt645.decode_frame(answer.data.lstrip(b"\xfe"))


def error_of(meter: Simulated, frame: Frame) -> int:
    answer = ask(meter, frame)
    assert answer is not None
    return answer.data[0] if answer.is_error else 0


def trip(password: str = "000000", minutes: int = 1) -> Frame:
    until = LOCAL + timedelta(minutes=minutes)
    return command.control_request(METER, ControlOrder(Authority(2, password), command.TRIP, until))


def test_a_parameter_is_written_with_the_password_and_read_back() -> None:
    meter = simulated(METER)
    question = Frame(METER, dlt645.READ, (0x04000103).to_bytes(4, "little"))
    assert error_of(meter, command.write_request(METER, 0x04000103, Authority(2, "111111"), b"\x15")) == 0x04
    assert error_of(meter, command.write_request(METER, 0x04000103, WHO, b"\x15")) == 0
    answer = ask(meter, question)
    assert answer is not None
    assert answer.payload == b"\x15"
    assert error_of(meter, command.write_request(METER, 0x00010000, WHO, bytes(4))) == 0x02


def test_a_changed_password_counts_from_then_on() -> None:
    meter = simulated(METER)
    assert error_of(meter, command.change_password_request(METER, 0x04000C02, WHO, Authority(2, "654321"))) == 0
    assert error_of(meter, trip("000000")) == 0x04
    assert error_of(meter, trip("654321")) == 0


@pytest.mark.parametrize("minutes", [0, -1])
def test_an_order_that_has_run_out_moves_nothing(minutes: int) -> None:
    meter = simulated(METER)
    assert error_of(meter, trip(minutes=minutes)) != 0
    assert "relay" not in meter.memory


def test_nobody_clears_the_meter_or_changes_its_rate() -> None:
    meter = simulated(METER)
    assert error_of(meter, command.clear_request(METER, command.CLEAR_METER, WHO)) == 0x04
    assert error_of(meter, command.change_baud_request(METER, 9600)) == 0x08
    assert error_of(meter, command.clear_request(METER, command.CLEAR_DEMAND, WHO)) == 0
    assert error_of(meter, command.freeze_request(METER)) == 0


def test_a_broadcast_is_answered_by_nobody() -> None:
    assert ask(simulated(METER), command.broadcast_time(LOCAL)) is None
    assert ask(simulated(METER), command.freeze_request()) is None


def test_frozen_registers_never_run_ahead_of_the_live_one() -> None:
    meter = simulated(METER)
    values = []
    for di in (0x05060103, 0x05060102, 0x05060101, 0x0001FF00):
        answer = ask(meter, Frame(METER, dlt645.READ, di.to_bytes(4, "little")))
        assert answer is not None
        values.append(dlt645.decode_values(di, answer.payload)[0].quantity.value)
    assert values == sorted(values)  # type: ignore[type-var]
    assert len(set(values)) == 4
