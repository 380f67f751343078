"""BTHome frames, in clear and sealed, right and wrong."""

import struct
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocols.ble.bthome import decode, encode_sealed
from protocols.ble.bthome_object import OBJECTS
from protocols.errors import LengthMismatch, MalformedFrame, ProtocolError, SecurityError, TruncatedFrame, Unsupported
from protocols.quantity import UNITS, Quality

# bthome.io, Encryption
KEY, MAC = bytes.fromhex("231d39c1d7cc1ab1aee224cd096db932"), bytes.fromhex("5448E68F80A5")
CLEAR_V1, CLEAR_V2 = bytes.fromhex("2302CA090303BF13"), bytes.fromhex("02CA0903BF13")
PUBLISHED = {
    "fcd2": bytes.fromhex("41A47266C95F730011223378237214"),
    "181e": bytes.fromhex("FBA435E4D3C312FB0011223357D90A99"),
}
COUNTER = 0x33221100

services = st.sampled_from(["181c", "181e", "fcd2"])


def values(service: str, wire: str, **keys: bytes) -> dict[str, Decimal | None]:
    return {value.label: value.value for value in decode(service, bytes.fromhex(wire), **keys).values}


@pytest.mark.parametrize(("service", "clear"), [("fcd2", CLEAR_V2), ("181e", CLEAR_V1)])
def test_a_published_frame_is_sealed_and_opened_to_the_byte(service: str, clear: bytes) -> None:
    assert encode_sealed(service, clear, mac=MAC, key=KEY, counter=COUNTER) == PUBLISHED[service]
    frame = decode(service, PUBLISHED[service], mac=MAC, key=KEY)
    assert [(value.name, str(value.value)) for value in frame.values] == [
        ("temperature", "25.06"),
        ("humidity", "50.55"),
    ]
    assert (frame.is_encrypted, frame.counter) == (True, COUNTER)


@pytest.mark.parametrize("service", PUBLISHED)
def test_every_flipped_bit_of_a_sealed_frame_is_refused(service: str) -> None:
    wire = PUBLISHED[service]
    for bit in range(8 * len(wire)):
        damaged = bytearray(wire)
        damaged[bit // 8] ^= 1 << bit % 8
        if service == "fcd2" and bit == 0:
            continue  # says it is in clear: that is refused by admit
        with pytest.raises(ProtocolError):
            decode(service, bytes(damaged), mac=MAC, key=KEY)


@pytest.mark.parametrize("service", PUBLISHED)
def test_a_sealed_frame_cut_anywhere_is_refused(service: str) -> None:
    for end in range(len(PUBLISHED[service])):
        with pytest.raises((TruncatedFrame, SecurityError)):
            decode(service, PUBLISHED[service][:end], mac=MAC, key=KEY)


def test_a_frame_in_clear_is_cut_at_an_object_or_refused() -> None:
    wire = bytes.fromhex("40 02CA09 03BF13 530548656C6C6F 3C0103")
    told = [0, 1, 2, 3]
    for end in range(1, len(wire)):
        try:
            frame = decode("fcd2", wire[:end])
        except TruncatedFrame:
            continue
        assert len(frame.values) == told.pop(0)
    assert not told


@pytest.mark.parametrize(
    ("mac", "key", "error", "word"),
    [
        (MAC, None, Unsupported, "key"),
        (None, KEY, Unsupported, "address"),
        (MAC, KEY[:-1], SecurityError, "16 bytes"),
        (MAC[:-1], KEY, SecurityError, "6 bytes"),
        (MAC[::-1], KEY, SecurityError, "sender"),
        (MAC, KEY[::-1], SecurityError, "key"),
    ],
)
def test_what_is_missing_or_wrong_is_named(
    mac: bytes | None, key: bytes | None, error: type[ProtocolError], word: str
) -> None:
    with pytest.raises(error, match=word):
        decode("fcd2", PUBLISHED["fcd2"], mac=mac, key=key)


def test_an_address_in_the_frame_is_the_one_it_is_sealed_with() -> None:
    wire = encode_sealed("fcd2", CLEAR_V2, mac=MAC, key=KEY, counter=7, info=0x47)
    assert wire[1:7] == MAC[::-1]
    frame = decode("fcd2", wire, mac=bytes(6), key=KEY)  # heard from a random address
    assert (frame.mac, frame.is_trigger, frame.counter, len(frame.values)) == (MAC, True, 7, 2)
    assert values("fcd2", "42 A5808FE64854 0161") == {"battery": Decimal(97)}


def test_a_number_of_version_1_has_the_sign_and_length_its_sender_chose() -> None:
    assert values("181c", "2302CEFF") == {"temperature": Decimal("-0.50")}
    assert values("181c", "2202CE") == {"temperature": Decimal("-0.50")}
    assert values("181c", "03020100 0504FFFFFFFF") == {
        "temperature": Decimal("0.01"),
        "pressure": Decimal("42949672.95"),
    }


@pytest.mark.parametrize(
    ("wire", "value"),
    [
        ("4302" + struct.pack("<e", 25.5).hex(), "0.255"),
        ("450C" + struct.pack("<f", 3006.1).hex(), "3.0061"),
        ("490C" + struct.pack("<d", 3006.1).hex(), "3.0061"),
        ("4302007C", None),  # infinite
    ],
)
def test_a_float_of_version_1_is_the_number_its_sender_meant(wire: str, value: str | None) -> None:
    (told,) = decode("181c", bytes.fromhex(wire)).values
    assert told.value == (None if value is None else Decimal(value))
    assert told.quality is (Quality.INVALID if value is None else Quality.GOOD)


def test_version_1_passes_over_what_it_does_not_know() -> None:
    frame = decode("181c", bytes.fromhex("03E01122 2302CA09"))
    assert [value.name for value in frame.values] == ["temperature"]
    assert frame.partial is not None
    assert "E0" in frame.partial.detail


@pytest.mark.parametrize(
    ("wire", "error"),
    [
        ("00", MalformedFrame),
        ("0101", MalformedFrame),
        ("0A02" + "FF" * 9, LengthMismatch),
        ("0310 0000", LengthMismatch),
    ],
)
def test_an_object_of_version_1_without_sense_is_refused(wire: str, error: type[ProtocolError]) -> None:
    with pytest.raises(error):
        decode("181c", bytes.fromhex(wire))


def test_a_command_has_arguments_of_its_own() -> None:
    (event,) = decode("fcd2", bytes.fromhex("44 3B 02 02 AABB")).events
    assert (event.action, event.arguments) == ("toggle", bytes.fromhex("AABB"))


def test_every_object_has_a_unit_of_the_house_and_no_two_meanings_of_a_name() -> None:
    kinds: dict[str, set[bool]] = {}
    for known in OBJECTS.values():
        assert known.unit in UNITS
        kinds.setdefault(known.name, set()).add(bool(known.states[1]))
    assert all(len(found) == 1 for found in kinds.values())


@given(services, st.binary(max_size=60), st.sampled_from([None, KEY, b"short"]), st.sampled_from([None, MAC, b""]))
@example("fcd2", b"", KEY, MAC)
def test_any_bytes_raise_only_protocol_errors(service: str, wire: bytes, key: bytes | None, mac: bytes | None) -> None:
    try:
        decode(service, wire, mac=mac, key=key)
    except ProtocolError:
        return


@given(st.sampled_from([b"\x40", b"\x44"]), st.binary(max_size=40))
def test_any_objects_of_version_2_raise_only_protocol_errors(info: bytes, objects: bytes) -> None:
    try:
        frame = decode("fcd2", info + objects)
    except ProtocolError:
        return
    labels = [*(value.label for value in frame.values), *(event.label for event in frame.events)]
    assert len(labels) == len(set(labels))


@given(st.binary(max_size=30), st.integers(0, 2**32 - 1), st.sampled_from([0x41, 0x43, 0x45, 0x59]))
def test_what_is_sealed_is_what_is_opened(objects: bytes, counter: int, info: int) -> None:
    wire = encode_sealed("fcd2", objects, mac=MAC, key=KEY, counter=counter, info=info)
    try:
        clear = decode("fcd2", bytes((info & 0xFC,)) + objects)
    except ProtocolError as error:
        with pytest.raises(type(error)):
            decode("fcd2", wire, mac=MAC, key=KEY)
        return
    sealed = decode("fcd2", wire, mac=MAC, key=KEY)
    assert (sealed.values, sealed.events, sealed.packet_id) == (clear.values, clear.events, clear.packet_id)
    assert (sealed.counter, str(sealed.partial)) == (counter, str(clear.partial))
