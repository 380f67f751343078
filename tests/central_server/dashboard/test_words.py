"""Everything a device can say has a name for people."""

import tomllib
from pathlib import Path

import central_server
from central_server.dashboard import words

PROFILES = sorted((Path(central_server.__file__).parents[1] / "config" / "devices").glob("*/*.toml"))


def test_every_point_of_every_profile_has_a_name() -> None:
    points = {each["name"] for path in PROFILES for each in tomllib.loads(path.read_text())["point"]}
    assert points
    assert sorted(points - set(words.POINTS)) == []


def test_every_state_code_of_every_profile_has_a_word() -> None:
    missing = []
    for path in PROFILES:
        profile = tomllib.loads(path.read_text())
        for each in profile["point"]:
            codes = {int(code) for code in each.get("states", {})}
            known = set(words.STATES.get((profile["kind"], each["name"]), {}))
            missing += [(path.name, each["name"], code) for code in sorted(codes - known)]
    assert missing == []


def test_every_kind_of_profile_has_a_name_and_a_headline() -> None:
    kinds = {tomllib.loads(path.read_text())["kind"] for path in PROFILES}
    assert kinds <= set(words.KINDS)
    assert kinds <= set(words.HEADLINES)
