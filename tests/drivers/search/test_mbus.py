"""An M-Bus line is searched by number and by identification, and every meter is found once."""

import itertools
from pathlib import Path

import pytest

from drivers.search import Progress, Scope, Sighting
from drivers.search.mbus import search, search_primary, search_secondary
from drivers.sim.mbus_meter import MbusMeter
from protocols.mbus.address import Secondary, parse_secondary
from protocols.mbus.record import encode_record
from tests.drivers.meter.test_mbus import bus_at, line

ADDRESSES = ("068558172D2C0804", "069558182D2C0804", "17558172A7320707", "91000001770407FE")
SCOPE = Scope(timeout_s=0.02)


def meters(addresses: tuple[str, ...] = ADDRESSES) -> list[MbusMeter]:
    return [
        MbusMeter(number, parse_secondary(text), lambda number=number: [encode_record("06", 1000 + number)])  # type: ignore[misc]
        for number, text in enumerate(addresses, start=1)
    ]


async def test_meters_that_collide_are_told_apart_digit_by_digit(tmp_path: Path) -> None:
    async with bus_at(line(*meters()), tmp_path) as (bus, _):
        told = [it async for it in search(bus, SCOPE)]
    sightings = [it for it in told if isinstance(it, Sighting)]
    assert [it.address for it in sightings] == list(ADDRESSES)
    assert sightings[0].detail.startswith("KAM 06855817, heat (outlet), version 8")
    assert [it.profile_hint for it in sightings] == [*["heat/mbus-generic"] * 2, "water/mbus-generic", None]
    progress = [it for it in told if isinstance(it, Progress)]
    assert progress[-1].done == progress[-1].total
    assert all(one.done <= other.done for one, other in itertools.pairwise(progress))


async def test_one_meter_is_found_by_one_question(tmp_path: Path) -> None:
    async with bus_at(line(*meters(ADDRESSES[:1])), tmp_path) as (bus, peer):
        told = [it async for it in search(bus, SCOPE) if isinstance(it, Sighting)]
    assert [it.address for it in told] == list(ADDRESSES[:1])
    assert len(peer.requests) == 2


async def test_an_empty_line_is_searched_quickly(tmp_path: Path) -> None:
    async with bus_at(line(), tmp_path) as (bus, peer):
        assert [it async for it in search(bus, SCOPE) if isinstance(it, Sighting)] == []
    assert len(peer.requests) == 1


async def test_two_meters_that_nothing_tells_apart_are_said_to_be_so(tmp_path: Path) -> None:
    twins = [
        MbusMeter(number, parse_secondary(ADDRESSES[0]), lambda number=number: [encode_record("06", number)])  # type: ignore[misc]
        for number in (1, 2)
    ]
    async with bus_at(line(*twins), tmp_path) as (bus, _):
        pattern = Secondary("06855817", 0xFFFF, 0xFF, 0xFF)
        told = [it async for it in search_secondary(bus, SCOPE, pattern) if isinstance(it, Sighting)]
    assert any("cannot be told apart" in it.detail for it in told)


async def test_two_media_of_one_identification_are_told_apart(tmp_path: Path) -> None:
    async with bus_at(line(*meters(("91000001A7320707", "910000017704070A"))), tmp_path) as (bus, _):
        pattern = Secondary("91000001", 0xFFFF, 0xFF, 0xFF)
        told = [it.address async for it in search_secondary(bus, SCOPE, pattern) if isinstance(it, Sighting)]
    assert told == ["91000001A7320707", "910000017704070A"]


async def test_a_pattern_narrows_the_search(tmp_path: Path) -> None:
    async with bus_at(line(*meters()), tmp_path) as (bus, _):
        scope = Scope(addresses=("0FFFFFFF",), timeout_s=0.02)
        told = [it.address async for it in search(bus, scope) if isinstance(it, Sighting)]
    assert told == list(ADDRESSES[:2])


async def test_primary_addresses_are_asked_one_by_one(tmp_path: Path) -> None:
    twins = [*meters(), MbusMeter(3, parse_secondary("99999999A7320704"), lambda: [encode_record("06", 5)])]
    async with bus_at(line(*twins), tmp_path) as (bus, _):
        told = [it async for it in search_primary(bus, SCOPE, range(7)) if isinstance(it, Sighting)]
        named = [it async for it in search(bus, Scope(("2",), timeout_s=0.03)) if isinstance(it, Sighting)]
    assert [it.address for it in told] == ["1", "2", "3", "4"]
    assert "several meters" in told[2].detail
    assert [it.address for it in named] == ["2"]


@pytest.mark.parametrize("address", ["1", "06855817"])
async def test_a_meter_that_refuses_is_a_meter(tmp_path: Path, address: str) -> None:
    def answer(request: bytes, _: object) -> list[tuple[float, bytes]]:
        return [(0, bytes.fromhex("680404680801700079 16") if request[:2] == b"\x10\x7b" else b"\xe5")]

    async with bus_at(answer, tmp_path) as (bus, _):
        told = [it async for it in search(bus, Scope((address,), timeout_s=0.03)) if isinstance(it, Sighting)]
    assert told, "somebody answered"
