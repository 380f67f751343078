"""Everything a device can say has a name for people."""

import tomllib
from pathlib import Path

import central_server
from central_server.dashboard import words

PROFILES = sorted((Path(central_server.__file__).parents[1] / "config" / "devices").glob("*/*.toml"))


def test_every_point_of_every_profile_has_a_name() -> None:
    points = {each["name"] for path in PROFILES for each in tomllib.loads(path.read_text())["point"]}
    assert points
    assert sorted(point for point in points if words.point_name(point, str) == point) == []


def test_the_second_of_a_sort_is_named_and_worded_like_the_first() -> None:
    assert words.point_name("leak2", str) == f"{words.POINTS['leak']} 2"
    assert words.states_of("io", "leak2") == words.states_of("io", "leak") != {}
    assert words.point_name("somethingOfAMaker7", str) == "somethingOfAMaker7"


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
