"""The rules in force: never an older one, never another's, never a broken one; and how fresh they are."""

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.rules import HEARD_NAME, RULES_NAME, DeltaRefused, RuleKeeper, RulesRefused
from protocols.access import Credential, Rules, encode_rules, rules_hash, sign_rules
from protocols.access_delta import delta_between, encode_delta

RULES = Rules("gw-1", 5, 1_790_000_000_000, "Asia/Shanghai", fresh_for_s=3600, credentials=(Credential("a", 26, "1"),))


class Clock:
    def __init__(self) -> None:
        self.wall = 1_790_000_100_000
        self.monotonic = 1000.0

    def pass_s(self, seconds: float) -> None:
        self.wall += round(seconds * 1000)
        self.monotonic += seconds

    def keeper(self, folder: Path) -> RuleKeeper:
        found = RuleKeeper(folder, "gw-1", wall=lambda: self.wall, monotonic=lambda: self.monotonic)
        found.load()
        return found


async def test_good_rules_survive_a_restart_in_a_file_of_our_own(tmp_path: Path) -> None:
    clock = Clock()
    keeper = clock.keeper(tmp_path)
    assert keeper.version is None
    await keeper.take(encode_rules(RULES))
    assert stat.S_IMODE((tmp_path / RULES_NAME).stat().st_mode) == 0o600
    again = Clock().keeper(tmp_path)
    assert again.book is not None
    assert again.book.rules == RULES


async def test_what_is_not_newer_not_ours_or_not_whole_is_refused_and_the_old_stays(tmp_path: Path) -> None:
    keeper = Clock().keeper(tmp_path)
    await keeper.take(encode_rules(RULES))
    before = (tmp_path / RULES_NAME).read_bytes()
    for wrong, why in (
        (encode_rules(replace(RULES, version=4)), "version 4 is older than version 5"),
        (encode_rules(replace(RULES, credentials=())), "another version 5"),
        (encode_rules(replace(RULES, edge_id="gw-2", version=9)), "those of gateway 'gw-2'"),
        (before[:-1], "not JSON"),
        (before.replace(b'"version":5', b'"version":6'), "does not fit"),
    ):
        with pytest.raises(RulesRefused, match=why):
            await keeper.take(wrong)
        assert keeper.version == 5
        assert (tmp_path / RULES_NAME).read_bytes() == before
    await keeper.take(before)
    await keeper.take(encode_rules(replace(RULES, version=6)))
    assert keeper.version == 6


async def test_rules_that_the_centre_has_not_signed_are_refused_once_its_key_is_known(tmp_path: Path) -> None:
    centre, stranger = (Ed25519PrivateKey.from_private_bytes(seed * 32) for seed in (b"c", b"s"))
    known: list[str | None] = [None]
    keeper = RuleKeeper(tmp_path, "gw-1", centre_key=lambda: known[0])
    await keeper.take(encode_rules(RULES))
    known[0] = centre.public_key().public_bytes_raw().hex()
    newer = replace(RULES, version=6, credentials=(*RULES.credentials, Credential("b", 26, "2")))
    whole, delta, digest = encode_rules(newer), encode_delta(delta_between(RULES, newer)), rules_hash(newer)
    for wrong in (
        whole,
        delta,
        sign_rules(whole, digest, stranger.sign),
        sign_rules(delta, digest, stranger.sign),
        sign_rules(whole, rules_hash(RULES), centre.sign),
        sign_rules(whole, digest, centre.sign)[:-2] + b'","x":1}',
    ):
        with pytest.raises(RulesRefused, match="not signed by the centre"):
            await keeper.take(wrong)
        assert keeper.version == 5
        assert (tmp_path / RULES_NAME).read_bytes() == encode_rules(RULES)
    await keeper.take(sign_rules(delta, digest, centre.sign))
    assert keeper.version == 6
    await keeper.take(sign_rules(whole, digest, centre.sign))
    with pytest.raises(RulesRefused, match="older"):
        await keeper.take(sign_rules(encode_rules(RULES), rules_hash(RULES), centre.sign))
    assert RuleKeeper(tmp_path, "gw-1").load() is None, "what was kept is read again"


async def test_a_broken_file_is_told_and_gives_no_rules(tmp_path: Path) -> None:
    (tmp_path / RULES_NAME).write_bytes(encode_rules(RULES)[:-9])
    keeper = RuleKeeper(tmp_path, "gw-1")
    with pytest.raises(RulesRefused):
        keeper.load()
    assert keeper.book is None


async def test_rules_age_until_the_centre_confirms_the_very_version_and_over_a_restart(tmp_path: Path) -> None:
    clock = Clock()
    keeper = clock.keeper(tmp_path)
    await keeper.take(encode_rules(RULES))
    clock.pass_s(100)
    assert keeper.silent_s == 100
    await keeper.confirm(6)
    await keeper.confirm(None)
    assert keeper.silent_s == 100, "another version is no confirmation of this one"
    await keeper.confirm(5)
    assert keeper.silent_s == 0
    clock.pass_s(30)
    await keeper.confirm(5)  # noted coarsely, so the file still says 30 s ago
    clock.pass_s(1000)
    assert clock.keeper(tmp_path).silent_s == 1030
    (tmp_path / HEARD_NAME).write_text("{}")
    assert clock.keeper(tmp_path).silent_s == (clock.wall - RULES.issued_at) / 1000, "then from when they were issued"
    assert json.loads((tmp_path / RULES_NAME).read_bytes())["rules"]["version"] == 5


async def test_the_centre_is_offline_half_a_minute_after_its_last_word(tmp_path: Path) -> None:
    clock = Clock()
    keeper = clock.keeper(tmp_path)
    assert keeper.is_offline
    keeper.hear()
    clock.pass_s(30)
    assert not keeper.is_offline
    clock.pass_s(0.1)
    assert keeper.is_offline


async def test_a_clock_that_was_never_set_does_not_bring_back_ended_tenancies(tmp_path: Path) -> None:
    clock = Clock()
    keeper = clock.keeper(tmp_path)
    await keeper.take(encode_rules(RULES))
    assert keeper.now() == clock.wall
    clock.wall = 5_000
    assert keeper.now() == RULES.issued_at


async def test_a_delta_is_in_force_and_on_disk_as_the_whole_would_be(tmp_path: Path) -> None:
    keeper = Clock().keeper(tmp_path)
    newer = replace(RULES, version=6, credentials=(*RULES.credentials, Credential("b", 26, "2")))
    delta = encode_delta(delta_between(RULES, newer))
    with pytest.raises(DeltaRefused, match="no rules"):
        await keeper.take(delta)
    await keeper.take(encode_rules(RULES))
    assert keeper.have == f"5/{rules_hash(RULES)}"
    await keeper.take(delta)
    assert (tmp_path / RULES_NAME).read_bytes() == encode_rules(newer)
    with pytest.raises(DeltaRefused, match="other rules"):
        await keeper.take(delta)
    with pytest.raises(RulesRefused, match="older"):
        await keeper.take(encode_delta(delta_between(newer, RULES)))
    assert Clock().keeper(tmp_path).version == keeper.version == 6
