"""Where bthome-ble is right, it says what we say.

It is not asked about states above 1 (on to it, none to us), about texts nobody can print, nor about bytes
that end inside an object (it tells what came before), nor about one name in two units (the last one wins
there); of object 58 it rounds what we keep.
"""

from typing import Any

import pytest
from bthome_ble.const import MEAS_TYPES
from bthome_ble.parser import BTHomeBluetoothDeviceData
from habluetooth import BluetoothServiceInfoBleak
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.ble.bthome import Event, Measurement, admit, decode, encode_sealed
from protocols.ble.bthome_guard import Seen
from protocols.ble.bthome_object import ACTIONS, OBJECTS, Kind
from protocols.errors import SecurityError

KEY, MAC = bytes(range(16)), bytes.fromhex("A4C138112233")
BASE = "0000{}-0000-1000-8000-00805f9b34fb"
UNITS = {
    None: "", "°C": "degC", "mbar": "hPa", "µg/m³": "ug/m3", "°": "deg", "m³": "m3", "m³/h": "m3/h",
    "m/s²": "m/s2", "°/s": "deg/s", "µS/cm": "uS/cm",
}  # fmt: skip
ROUNDED_THERE = 0x58


def hear(device: BTHomeBluetoothDeviceData, service: str, data: bytes) -> Any:
    return device.update(
        BluetoothServiceInfoBleak(
            name="sensor",
            address=MAC.hex(":").upper(),
            rssi=-60,
            manufacturer_data={},
            service_data={BASE.format(service): data},
            service_uuids=[],
            source="",
            device=None,  # type: ignore[arg-type]  # only its own scanners have one
            advertisement=None,
            connectable=False,
            time=1.0,
            tx_power=None,
        )
    )


def key_there(item: Measurement | Event) -> str:
    form = MEAS_TYPES[item.object_id].meas_format
    name = str(getattr(form, "device_class", form))
    return f"{name}_{item.number}" if item.is_one_of_many else name


def check_agreement(update: Any, values: tuple[Measurement, ...], events: tuple[Event, ...]) -> None:
    numbers = {key.key: told.native_value for key, told in update.entity_values.items()}
    units = {key.key: told.native_unit_of_measurement for key, told in update.entity_descriptions.items()}
    states = {key.key: told.native_value for key, told in update.binary_entity_values.items()}
    for value in values:
        key = key_there(value)
        if OBJECTS[value.object_id].kind is Kind.STATE:
            assert states.pop(key) == bool(value.value)
        elif OBJECTS[value.object_id].kind is Kind.TIME:
            assert numbers.pop(key).timestamp() == value.value
        elif value.value is None:
            assert numbers.pop(key) == value.text
        else:
            slack = 0.051 if value.object_id == ROUNDED_THERE else 1e-9
            assert numbers.pop(key) == pytest.approx(float(value.value), abs=slack)
            assert UNITS.get(units[key], units[key]) == value.unit
    told = {key.key: event.event_type.replace("_", "-") for key, event in update.events.items()}
    assert told == {key_there(event): event.action for event in events if event.action not in (None, "none")}
    assert all(key.startswith(("signal_strength", "packet_id")) for key in numbers)
    assert not states


def _content(number: int) -> st.SearchStrategy[bytes]:
    """Draw what an object of version 2 may hold, behind its id."""
    known = OBJECTS[number]
    match known.kind:
        case Kind.STATE:
            return st.sampled_from([b"\0", b"\1"])
        case Kind.TEXT:
            text = st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=5)
            return text.map(lambda it: bytes((len(it.encode()),)) + it.encode())
        case Kind.RAW:
            return st.binary(min_size=1, max_size=5).map(lambda it: bytes((len(it),)) + it)
        case Kind.COMMAND:
            arguments = st.tuples(st.sampled_from(list(ACTIONS[Kind.COMMAND])), st.binary(max_size=3))
            return arguments.map(lambda it: bytes((len(it[1]), it[0])) + it[1])
        case Kind.BUTTON | Kind.DIMMER:
            assert known.size is not None
            rest = st.binary(min_size=known.size - 1, max_size=known.size - 1)
            return st.tuples(st.sampled_from(list(ACTIONS[known.kind])), rest).map(lambda it: bytes((it[0],)) + it[1])
        case _:
            assert known.size is not None
            return st.binary(min_size=known.size, max_size=known.size)


objects = st.sampled_from(sorted(OBJECTS)).flatmap(
    lambda number: _content(number).map(lambda content: bytes((number,)) + content)
)


def has_one_unit_a_name(numbers: list[int]) -> bool:
    known = {OBJECTS[number] for number in numbers}
    return len({it.name for it in known}) == len({(it.name, it.unit) for it in known})


numbers_of_v1 = st.tuples(
    st.sampled_from([number for number, known in OBJECTS.items() if known.kind in (Kind.UINT, Kind.INT)]),
    st.sampled_from([0, 1]),
    st.binary(min_size=2, max_size=4),  # it opens no shorter ones
).map(lambda it: bytes((it[1] << 5 | 1 + len(it[2]), it[0])) + it[2])


def test_the_table_is_as_long_as_theirs() -> None:
    assert set(OBJECTS) == set(MEAS_TYPES)


@settings(max_examples=200)
@given(st.lists(objects, max_size=6).filter(lambda it: has_one_unit_a_name([item[0] for item in it])), st.booleans())
def test_version_2_says_the_same_there(found: list[bytes], is_sealed: bool) -> None:
    clear = b"".join(found)
    if is_sealed:
        data, key = encode_sealed("fcd2", clear, mac=MAC, key=KEY, counter=200), KEY
    else:
        data, key = b"\x40" + clear, None
    frame = decode("fcd2", data, mac=MAC, key=key)
    assert frame.partial is None
    check_agreement(hear(BTHomeBluetoothDeviceData(bindkey=key), "fcd2", data), frame.values, frame.events)


@settings(max_examples=100)
@given(
    st.lists(numbers_of_v1, min_size=1, max_size=4).filter(lambda it: has_one_unit_a_name([item[1] for item in it])),
    st.booleans(),
)
def test_version_1_says_the_same_there(found: list[bytes], is_sealed: bool) -> None:
    service, data, key = "181c", b"".join(found), None
    if is_sealed:
        service, key = "181e", KEY
        data = encode_sealed(service, data, mac=MAC, key=KEY, counter=200)
    frame = decode(service, data, mac=MAC, key=key)
    check_agreement(hear(BTHomeBluetoothDeviceData(bindkey=key), service, data), frame.values, frame.events)


@given(st.lists(st.sampled_from([0, 1, 2, 50, 99, 100, 101, 150, 2**32 - 1]), min_size=2, max_size=8))
def test_nothing_is_believed_that_they_refuse(counters: list[int]) -> None:
    device, state = BTHomeBluetoothDeviceData(bindkey=KEY), Seen()
    for counter in counters:
        data = encode_sealed("fcd2", b"\x01\x61", mac=MAC, key=KEY, counter=counter)
        try:
            state = admit(state, decode("fcd2", data, mac=MAC, key=KEY), has_key=True)
        except SecurityError:
            continue  # they let more pass: any counter below 100, any time
        hear(device, "fcd2", data)
        assert device.encryption_counter == counter


def test_an_unknown_object_ends_both_readings_at_the_same_place() -> None:
    data = bytes.fromhex("40 02CA09 E0112233 03BF13")
    frame = decode("fcd2", data)
    assert frame.partial is not None
    check_agreement(hear(BTHomeBluetoothDeviceData(), "fcd2", data), frame.values, frame.events)
