"""What ``edge decode cjt188`` says beside what the published captures show."""

import pytest

from protocols.cjt188 import Frame
from protocols.decode.cjt188 import explain
from protocols.decode.value import Keys, Refused

METER = "00000019121301"


def test_a_confirmed_valve_order_tells_how_the_valve_stood() -> None:
    header, values = explain(Frame(0x10, METER, 0x84, bytes.fromhex("A017010100")), None, Keys())
    assert header["is_response"]
    assert [(value["name"], value["value"]) for value in values] == [("valveState", "1"), ("batteryLow", "0")]


def test_an_order_of_a_makers_own_is_told_as_it_came() -> None:
    header, _ = explain(Frame(0x10, METER, 0x04, bytes.fromhex("A0170166")), None, Keys())
    assert header["order"] == "66"


@pytest.mark.parametrize(("meter_type", "di"), [(0x10, "AAAA"), (0x20, "D300"), (0x70, "901F")])
def test_what_is_not_known_is_said(meter_type: int, di: str) -> None:
    with pytest.raises(Refused, match="data identifier"):
        explain(Frame(meter_type, METER, 0x81, bytes.fromhex(di) + bytes(20)), None, Keys())
