"""What models of meters are known to answer becomes the numbers that their sources print."""

import tomllib
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from drivers.modbus_value import compile_values, source_of
from drivers.profile import load_profile
from protocols import modbus
from protocols.quantity import Quantity

ANSWERS = tomllib.loads((Path(__file__).parents[2] / "frames" / "modbus-meters.toml").read_text(encoding="utf-8"))[
    "answer"
]
NOON = datetime(2026, 11, 23, 4, tzinfo=UTC)


def registers(answer: dict[str, Any]) -> tuple[int, bytes]:
    """Give the function and the registers; a printed answer must have a right check."""
    if "words" in answer:
        return 3, b"".join(word.to_bytes(2, "big") for word in answer["words"])
    frame = modbus.decode_rtu(bytes.fromhex(answer["hex"]))
    words = modbus.decode_registers_response(frame.pdu, frame.pdu[0], frame.pdu[1] // 2)
    return frame.pdu[0], b"".join(word.to_bytes(2, "big") for word in words)


def quantity(text: str) -> Quantity:
    value, _, unit = text.partition(" ")
    return Quantity(Decimal(value), unit)


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: f"{answer['profile']}-{answer['address']}")
def test_an_answer_of_a_model_becomes_the_number_of_its_source(answer: dict[str, Any]) -> None:
    function, payload = registers(answer)
    first, end = answer["address"], answer["address"] + len(payload) // 2
    found = [
        point
        for point in sorted(load_profile(answer["profile"]).points, key=lambda it: source_of(it).address)
        if first <= source_of(point).address and source_of(point).address + source_of(point).count <= end
    ]
    assert {source_of(point).function for point in found} == {function}
    values = {value.point: value.quantity for value in compile_values(found, first, 2)(payload, NOON)}
    assert values == {name: quantity(text) for name, text in answer["values"].items()}


def test_the_models_that_are_known_by_their_answers_are_several() -> None:
    assert len({answer["profile"] for answer in ANSWERS}) >= 6
