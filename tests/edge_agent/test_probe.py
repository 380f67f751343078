"""A device is found alive, named, timed, and held against the profiles that could be its own."""

from pathlib import Path
from typing import Any

import pytest

from drivers.bus.modbus import ModbusTcpBus
from drivers.bus.owner import Bus
from drivers.bus.settings import TcpSettings
from drivers.profile import Profile, load_profile, parse_profile
from edge_agent.probe import Question, examine, protocols_for
from edge_agent.workbench import all_profiles, new_question
from protocols.modbus import (
    Frame,
    decode_request,
    decode_tcp,
    encode_exception,
    encode_read_registers_response,
    encode_tcp,
)
from protocols.modbus_identity import encode_identity_response
from tests.drivers.dlt645_site import line_of, simulated
from tests.drivers.modbus_server import Unit, modbus_server
from tests.drivers.peer import Reply, tcp_peer
from tests.edge_agent.test_fit import TEXT

METER = "202611000103"
MINE = parse_profile(TEXT, "electricity/mine", "mine.toml")
SWAPPED = parse_profile(TEXT.replace('type = "f32"', 'type = "f32"\norder = "CDAB"'), "electricity/swapped", "s.toml")
FULL = {0: 229.9, 70: 50.0, 72: 20417.35}


async def report(bus: Bus, question: Question) -> dict[str, Any]:
    told = [told async for told in examine(bus, question)]
    assert all("progress" in it for it in told[:-1])
    found: dict[str, Any] = told[-1]["report"]
    return found


def ask(address: str, *profiles: Profile, named: str | None = None, protocol: str = "modbus") -> Question:
    return Question(address, (protocol,), profiles, named, tries=3)


async def test_the_profile_that_fits_is_told_apart_from_those_that_do_not() -> None:
    async with modbus_server({3: Unit(input_floats=FULL)}) as port, ModbusTcpBus(tcp(port)) as bus:
        found = await report(bus, ask("3", SWAPPED, MINE))
    assert [(row["profile"], row["verdict"]) for row in found["profiles"]] == [
        ("electricity/mine", "fits"),
        ("electricity/swapped", "does not fit"),
    ]
    assert found["advice"] == "Take the profile 'electricity/mine'."
    trip = found["round_trip"]
    assert (trip["tries"], trip["answered"], trip["lost"]) == (3, 3, 0)
    assert 0 < trip["min_ms"] <= trip["median_ms"] <= trip["max_ms"] < 1000


async def test_a_profile_that_does_not_fit_its_device_is_one_sentence_with_the_remedy() -> None:
    async with modbus_server({3: Unit(input_floats=FULL)}) as port, ModbusTcpBus(tcp(port)) as bus:
        other = await report(bus, ask("3", SWAPPED, MINE, named="electricity/swapped"))
        alone = await report(bus, ask("3", SWAPPED, named="electricity/swapped"))
        wrong = await report(
            bus, ask("3", load_profile("electricity/chint-dtsu666"), named="electricity/chint-dtsu666")
        )
    assert other["advice"].startswith("The profile electricity/swapped does not fit: 'energyImportTotal' ")
    assert "In the order ABCD 'energyImportTotal' would be 20417.4 kWh" in other["advice"]
    assert "make a profile with order" in alone["advice"]
    assert "refuses (exception 2: illegal data address)" in wrong["advice"]


async def test_the_devices_own_profile_is_tried_first_and_the_others_only_where_it_does_not_fit() -> None:
    async with modbus_server({3: Unit(input_floats=FULL)}) as port, ModbusTcpBus(tcp(port)) as bus:
        found = await report(bus, ask("3", SWAPPED, MINE, named="electricity/mine"))
    assert [row["profile"] for row in found["profiles"]] == ["electricity/mine"]
    assert found["advice"] is None


async def test_a_silent_address_is_not_held_against_any_profile() -> None:
    async with modbus_server({3: Unit(input_floats=FULL)}) as port, ModbusTcpBus(tcp(port)) as bus:
        found = await report(bus, ask("4", MINE))
    assert (found["alive"], found["profiles"], found["round_trip"]["tries"]) == (False, [], 0)


async def test_a_meter_of_dlt645_shows_its_register_and_the_other_standard_does_not_fit(tmp_path: Path) -> None:
    profiles = (load_profile("electricity/dlt645-2007"), load_profile("electricity/dlt645-1997"))
    async with line_of([simulated(METER)], tmp_path) as (bus, _):
        found = await report(bus, ask(METER, *profiles, protocol="dlt645"))
    assert found["said"].startswith("DL/T 645-2007, ")
    assert [row["verdict"] for row in found["profiles"]] == ["fits", "does not fit"]


async def test_what_a_device_says_of_itself_is_read_to_its_end_and_lost_answers_are_counted() -> None:
    parts = [encode_identity_response({0: "Eastron"}), encode_identity_response({4: "SDM630-Modbus"})]
    first = bytearray(parts[0])
    first[4], first[5] = 0xFF, 4  # more follows, from object 4 on
    probes: list[int] = []

    def answer(request: bytes) -> Reply:
        asked = decode_tcp(request)
        if asked.function == 0x2B:
            pdu = bytes(first) if asked.pdu[3] == 0 else parts[1]
        elif decode_request(asked.pdu).address == 0:
            pdu = encode_read_registers_response(asked.function, [1])
        else:
            probes.append(1)
            if len(probes) == 2:
                return []
            pdu = encode_exception(asked.function, 2)
        return [(0, encode_tcp(Frame(asked.device_id, pdu, asked.transaction)))]

    async with tcp_peer(answer) as port, ModbusTcpBus(tcp(port)) as bus:
        found = await report(bus, ask("1", MINE))
    assert found["identity"] == {"vendor": "Eastron", "product name": "SDM630-Modbus"}
    assert (found["round_trip"]["answered"], found["round_trip"]["lost"]) == (2, 1)


async def test_trying_a_door_gives_no_right_to_open_it() -> None:
    door = load_profile("access/modbus-door")
    async with modbus_server({1: Unit(holding_words={0: 1})}) as port, ModbusTcpBus(tcp(port)) as bus:
        await report(bus, ask("1", door, named=door.name))
        assert bus._permits == {}


@pytest.mark.parametrize(
    ("kind", "address", "protocols"),
    [
        ("modbus-tcp", "3", ("modbus",)),
        ("serial", METER, ("dlt645",)),
        ("serial", "20261100000201", ("cjt188",)),
        ("serial", "12345678", ("mbus",)),
        ("serial", "3", ("modbus", "mbus")),
        ("osdp", "3", ("osdp",)),
        ("modbus-tcp", METER, ()),
    ],
)
def test_an_address_says_what_it_may_be_of(kind: str, address: str, protocols: tuple[str, ...]) -> None:
    assert protocols_for(kind, address, all_profiles()) == protocols


def test_an_address_of_nothing_is_told() -> None:
    with pytest.raises(ValueError, match="is no address of anything on a bus of kind 'modbus-tcp'"):
        new_question("modbus-tcp", METER, None, profile=None, protocol=None, tries=1, is_all=False)


def tcp(port: int) -> TcpSettings:
    return TcpSettings("tcp-1", "127.0.0.1", port, timeout_s=0.3)
