"""Simulated M-Bus meters: selection, collisions, telegrams, and what a site's meters send."""

from decimal import Decimal
from pathlib import Path

import pytest

from drivers.sim.mbus_meter import MbusMeter, MbusStation, collide, encode_value
from protocols.mbus import frame as link
from protocols.mbus.address import encode_secondary, parse_secondary
from protocols.mbus.frame import Frame
from protocols.mbus.record import encode_record
from protocols.mbus.telegram import decode_telegram
from protocols.quantity import Quantity
from tests.drivers.sim.served import opened, running, site_from

FIRST, SECOND = parse_secondary("068558172D2C0804"), parse_secondary("068558182D2C0804")


def meters(count: int = 1) -> MbusStation:
    owned = [MbusMeter(number, own, lambda: [encode_record("13", 7)] * 60) for number, own in ((1, FIRST), (2, SECOND))]
    return MbusStation(owned[:count], lambda _: ())


def said(station: MbusStation, frame: Frame) -> bytes | None:
    (compose,) = station.feed(link.encode_frame(frame))
    answer = compose()
    return None if answer is None else answer.data


def select(pattern: str) -> Frame:
    return Frame(0x53, 253, 0x52, encode_secondary(parse_secondary(pattern)))


def test_only_a_selected_meter_answers_at_253() -> None:
    station = meters(2)
    assert said(station, Frame(0x7B, 253)) is None
    assert said(station, select("06855818")) == b"\xe5"
    answer = said(station, Frame(0x7B, 253))
    assert answer is not None
    header = decode_telegram(link.decode_frame(answer)).header
    assert header is not None
    assert header.own == SECOND
    assert said(station, Frame(0x40, 253)) == b"\xe5"
    assert said(station, Frame(0x7B, 253)) is None


def test_two_selected_meters_say_yes_together_and_garble_their_data() -> None:
    station = meters(2)
    assert said(station, select("0685581F")) == b"\xe5"
    garbled = said(station, Frame(0x7B, 253))
    assert garbled is not None
    assert garbled == collide([garbled])
    with pytest.raises(Exception, match="check"):
        link.decode_frame(garbled)


def test_the_same_bit_repeats_a_telegram_and_the_other_goes_on() -> None:
    station = meters()
    said(station, Frame(0x40, 1))
    answers = [said(station, Frame(control, 1)) or b"" for control in (0x7B, 0x7B, 0x5B)]
    first, again, second = (decode_telegram(link.decode_frame(answer)) for answer in answers)
    assert (first.has_more, second.has_more) == (True, False)
    assert first.records == again.records
    assert len(first.records) + len(second.records) == 60


def test_what_is_for_nobody_is_answered_by_nobody() -> None:
    assert said(meters(), Frame(0x7B, 9)) is None
    assert said(meters(), Frame(0x73, 1, 0x51, b"\x00")) is None


@pytest.mark.parametrize(
    ("quantity", "value", "unit", "vib"),
    [("energy", "12.34", "kWh", "04"), ("volume", "0.001", "m3", "13"), ("voltage", "230.1", "V", "FD48")],
)
def test_a_value_finds_a_block_that_holds_it(quantity: str, value: str, unit: str, vib: str) -> None:
    assert encode_value(quantity, Quantity(Decimal(value), unit))[0] == vib
    with pytest.raises(KeyError):
        encode_value(quantity, Quantity(Decimal(1), "kPa"))


SITE = """
[site]
journal = "journal.jsonl"
[[line]]
id = "l"
kind = "serial"
path = "line"
[[device]]
id = "h1"
line = "l"
profile = "heat/mbus-generic"
address = "5"
initial = 100
[[device]]
id = "w1"
line = "l"
profile = "water/mbus-generic"
address = "12345678"
"""


async def test_a_sites_meter_answers_and_what_it_said_is_noted(tmp_path: Path) -> None:
    async with running(site_from(SITE, tmp_path)) as site:
        with opened(site.addresses["l"]) as port:
            port.send(link.encode_reset(5))
            assert await port.first() == b"\xe5"
            port.send(link.encode_request(5, fcb=True))
            telegram = decode_telegram(link.decode_frame(await port.all()))
    energy = telegram.records[0]
    assert (energy.quantity_word, energy.quantity.unit) == ("energy", "kWh")
    assert energy.quantity.value is not None
    assert energy.quantity.value >= 100
    (noted,) = [line for line in site.journal if line.get("meter") == "h1"]
    assert Decimal(noted["value"]) == energy.quantity.value
