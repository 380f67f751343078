"""Kills, full disks, bad networks, a returning fleet and power cuts: slices of the campaigns in ``scripts/chaos``."""

import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.chaos import disk, fleet, kill, plant, power, proxy
from scripts.chaos.nursery import Nursery

FAULTS = sorted(plant.FOLDER.glob("*.patch"))


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery("central_server.cli", "scripts.chaos.gateway", "scripts.chaos.power") as nursery:
        yield nursery


def test_what_was_accepted_outlives_kills_of_both_sides(nursery: Nursery) -> None:
    found = kill.campaign(edge=4, centre=1, seed=5, cold_each=1000, nursery=nursery)
    assert found["failed"] == []
    assert found["accepted"] > 100, "there was something to lose"
    assert found["faults"]["centre_killed"] == 1


def test_a_bad_network_loses_nothing_and_is_not_believed(nursery: Nursery) -> None:
    found = proxy.campaign(requests=90, gateways=4, seed=3, nursery=nursery)
    assert found["failed"] == []
    assert found["accepted"] > 100
    assert len(found["faults"]) >= 6, "the network was bad in many ways"


def test_a_centre_on_a_full_disk_asks_for_patience_and_keeps_what_it_acknowledged(
    tmp_path: Path, nursery: Nursery
) -> None:
    if lacking := disk.missing():
        pytest.skip(lacking)
    found = disk.fill_centre(tmp_path / "centre", nursery, 1, random.Random(1))
    assert found["failed"] == []
    assert found["accepted"] > 0


def test_a_fleet_that_comes_back_at_once_is_served(nursery: Nursery) -> None:
    words = ["--gateways=12", "--every=0.5", "--calm=0.3", "--outage=0.2", "--after=0.2"]
    found = fleet.campaign(fleet.options_of(words), nursery)
    assert found["failed"] == []
    assert found["accepted"] > 500


def test_a_power_cut_takes_nothing_that_was_confirmed(nursery: Nursery) -> None:
    if lacking := power.missing():
        pytest.skip(lacking)
    found = power.campaign(cycles=2, control=2, seed=1, nursery=nursery)
    assert found["failed"] == []
    assert found["lost"] == 0
    assert all(found["control"]["lost"].values()), "what is not synced is lost, or this disk is no test"


@pytest.mark.parametrize("patch", FAULTS, ids=lambda patch: patch.stem)
def test_a_planted_fault_still_fits_the_source(patch: Path) -> None:
    if not shutil.which("git"):
        pytest.skip("git is missing (apt-get install git)")
    done = subprocess.run(
        ["git", "apply", "--check", str(patch)], cwd=plant.ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert plant.tests_of(patch), "it says which tests see it"
