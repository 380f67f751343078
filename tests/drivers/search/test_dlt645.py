"""Finding DL/T 645 meters: one alone at once, several by the ends of their addresses, 1997 after 2007."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from drivers.search import Progress, Scope, Sighting
from drivers.search.dlt645 import search
from drivers.sim.simulated import Simulated
from tests.drivers.dlt645_site import line_of, simulated

SCOPE = Scope(timeout_s=0.02)
OLD = "electricity/dlt645-1997"


async def found_on(
    meters: Sequence[Simulated], folder: Path, scope: Scope = SCOPE
) -> tuple[list[Sighting], list[Progress]]:
    async with line_of(meters, folder) as (bus, _):
        told = [it async for it in search(bus, scope)]
    return [it for it in told if isinstance(it, Sighting)], [it for it in told if isinstance(it, Progress)]


async def test_a_lone_meter_is_found_by_the_wildcard(tmp_path: Path) -> None:
    (found,), progress = await found_on([simulated("202611000103")], tmp_path)
    assert (found.protocol, found.address, found.profile_hint) == ("dlt645", "202611000103", "electricity/dlt645-2007")
    assert "kWh" in found.detail
    assert len(progress) == 4


async def test_several_meters_are_found_though_their_answers_collide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.search.dlt645._IDLE_S", 0.001)
    addresses = ["202611000103", "202611000203", "202611000104"]
    sightings, progress = await found_on([simulated(address) for address in addresses], tmp_path)
    assert sorted(it.address for it in sightings) == sorted(addresses)
    assert progress[-1].done == progress[-1].total
    # The two that end in 03 are told apart by the byte before it.
    assert any("AAAAAAAA0203" in it.text for it in progress)


async def test_a_meter_of_1997_is_found_beside_one_of_2007(tmp_path: Path) -> None:
    meters = [simulated("202611000103"), simulated("199800000007", OLD)]
    sightings, _ = await found_on(meters, tmp_path, Scope(timeout_s=0.1))
    assert [(it.address, it.profile_hint) for it in sightings] == [
        ("202611000103", "electricity/dlt645-2007"),
        ("199800000007", "electricity/dlt645-1997"),
    ]


async def test_named_addresses_are_asked_one_by_one(tmp_path: Path) -> None:
    scope = Scope(addresses=("202611000103", "202611000104", "199800000007"), timeout_s=0.03)
    meters = [simulated("202611000103"), simulated("199800000007", OLD), simulated("202611000105")]
    sightings, progress = await found_on(meters, tmp_path, scope)
    assert [it.address for it in sightings] == ["202611000103", "199800000007"]
    assert (progress[0].done, progress[-1].done, progress[-1].total) == (0, 3, 3)


async def test_an_empty_line_has_nobody_and_a_wrong_address_is_a_mistake(tmp_path: Path) -> None:
    assert (await found_on([], tmp_path))[0] == []
    with pytest.raises(ValueError, match="twelve digits"):
        await found_on([], tmp_path, Scope(addresses=("12",)))
