"""CJ/T 188 frames are believed only when whole, and an answer only when it is ours."""

from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import cjt188
from protocols.cjt188 import Frame
from protocols.errors import ApplicationError, MalformedFrame, ProtocolError, TruncatedFrame
from protocols.quantity import Quality, Quantity

NEW_YEAR = datetime(2026, 1, 1)  # noqa: DTZ001 - meters name no zone
METER = "00000805000001"
ANSWER = bytes.fromhex("681044332211003378 8116 1F9000 007766552C 007766552C 31012211051520 2184 1316")

addresses = st.text("0123456789", min_size=14, max_size=14)
frames = st.builds(Frame, st.integers(0, 255), addresses, st.integers(0, 255), st.binary(max_size=100))


def test_canonical_requests() -> None:
    read = cjt188.encode_read(cjt188.COLD_WATER, cjt188.WILDCARD, cjt188.CURRENT_DATA, 0)
    assert read.hex() == "fefefe6810aaaaaaaaaaaaaa01031f9000d116"
    other = cjt188.encode_read(cjt188.COLD_WATER, METER, cjt188.CURRENT_DATA, 0, "901F", preamble=0)
    assert other.hex() == "6810010000050800000103901f003916"


@given(frames)
def test_what_is_written_is_read(frame: Frame) -> None:
    assert cjt188.decode_frame(cjt188.encode_frame(frame, 0)) == frame


@given(frames)
def test_a_frame_cut_anywhere_is_an_error(frame: Frame) -> None:
    data = cjt188.encode_frame(frame, 0)
    for end in range(len(data)):
        with pytest.raises(TruncatedFrame):
            cjt188.decode_frame(data[:end])


def test_every_flipped_bit_is_an_error() -> None:
    for bit in range(8 * len(ANSWER)):
        damaged = bytearray(ANSWER)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ProtocolError):
            cjt188.decode_frame(bytes(damaged))


@given(st.binary(max_size=200))
def test_random_bytes_are_an_error_and_nothing_else(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        cjt188.decode_frame(b"\x68" + data + b"\x17")


@pytest.mark.parametrize("di", [0x901F, 0x810A, 0xA017, 0xA018, 0xD120, 0xD12B, 0xA101, 0xD390, 0xD410])
@pytest.mark.parametrize("order", ["901F", "1F90"])
def test_an_identifier_reads_the_same_in_both_orders(di: int, order: cjt188.DiOrder) -> None:
    frame = cjt188.decode_frame(cjt188.encode_read(0x10, METER, di, 7, order, preamble=0))
    assert (frame.di, frame.ser) == (di, 7)


def test_an_identifier_that_could_be_read_either_way_is_read_low_byte_first() -> None:
    assert Frame(0x10, METER, 0x81, bytes.fromhex("D3D400")).di == 0xD4D3


def test_a_frame_without_data_has_no_identifier_and_no_sequence() -> None:
    assert (Frame(0x10, METER, 0x01).di, Frame(0x10, METER, 0x01).ser) == (None, None)


REQUEST = Frame(0x10, METER, cjt188.READ, bytes.fromhex("1F9005"))


@pytest.mark.parametrize(
    "asked",
    [REQUEST, Frame(0xAA, METER, 0x01, REQUEST.data), Frame(0x10, cjt188.WILDCARD, 0x01, REQUEST.data)],
)
@pytest.mark.parametrize("data", ["1F9005", "901F05"])
def test_the_answer_to_a_request_is_accepted(asked: Frame, data: str) -> None:
    cjt188.match_response(asked, Frame(0x10, METER, 0x81, bytes.fromhex(data) + bytes(19)))


@pytest.mark.parametrize(
    "answer",
    [
        REQUEST,
        Frame(0x10, METER, 0x83, bytes.fromhex("1F9005")),
        Frame(0x11, METER, 0x81, bytes.fromhex("1F9005")),
        Frame(0x10, "00000805000002", 0x81, bytes.fromhex("1F9005")),
        Frame(0x10, METER, 0x81, bytes.fromhex("20D105")),
        Frame(0x10, METER, 0x81, bytes.fromhex("1F9006")),
        Frame(0x10, METER, 0x81, b""),
        Frame(0x10, METER, 0xC1, bytes.fromhex("1F900602")),
    ],
)
def test_somebody_elses_or_a_late_answer_is_refused(answer: Frame) -> None:
    with pytest.raises(MalformedFrame):
        cjt188.match_response(REQUEST, answer)


def test_a_refusal_has_its_status() -> None:
    wire = cjt188.encode_error_response(REQUEST, 0x02, address=METER, meter_type=0x10, preamble=0)
    with pytest.raises(ApplicationError) as refused:
        cjt188.match_response(REQUEST, cjt188.decode_frame(wire))
    assert refused.value.code == 2


@given(
    st.integers(0, 99_999_999),
    st.integers(0, 99_999_999),
    st.datetimes(NEW_YEAR.replace(year=1900), NEW_YEAR.replace(year=2099)),
    st.sampled_from([0, 1, 2]),
    st.booleans(),
)
def test_a_water_meter_is_read_as_it_was_written(
    total: int, settlement: int, clock: datetime, valve: int, is_low: bool
) -> None:
    volume, month = Decimal(total).scaleb(-2), Decimal(settlement).scaleb(-2)
    payload = cjt188.encode_water(volume, month, clock, valve=valve, is_battery_low=is_low)
    first, *rest = cjt188.decode_water(payload)
    assert (first.name, first.quantity) == ("volumeTotal", Quantity(volume, "m3"))
    assert first.at == clock.replace(microsecond=0).isoformat()
    assert [(value.name, value.quantity.value) for value in rest] == [
        ("settlementVolume", month),
        ("valveState", valve),
        ("batteryLow", is_low),
    ]


@given(st.binary(max_size=100))
def test_a_payload_of_another_length_is_one_bad_value(payload: bytes) -> None:
    values = cjt188.decode_water(payload)
    assert all((value.quantity.value is None) == (value.quantity.quality is not Quality.GOOD) for value in values)
    if len(payload) not in (6, 19):
        assert [(value.quantity.quality, value.raw) for value in values] == [(Quality.INVALID, payload)]


def test_a_volume_in_an_energy_unit_is_no_volume() -> None:
    payload = bytearray(cjt188.encode_water(Decimal(1), Decimal(1), NEW_YEAR))
    payload[4] = 0x05
    assert cjt188.decode_water(bytes(payload))[0].quantity == Quantity(None, "m3", Quality.INVALID)


def test_an_undefined_valve_state_is_invalid() -> None:
    payload = bytearray(cjt188.encode_water(Decimal(1), Decimal(1), NEW_YEAR))
    payload[17] = 0b10
    valve = cjt188.decode_water(bytes(payload))[2]
    assert (valve.name, valve.quantity.quality) == ("valveState", Quality.INVALID)


@pytest.mark.parametrize(
    "field", ["FFFFFFFFFFFFFF", "00000000000000", "20200528205824", "31012211132020", "310122110515", "31012A11052020"]
)
def test_a_clock_that_is_none_is_none(field: str) -> None:
    assert cjt188.decode_clock(bytes.fromhex(field)) is None
