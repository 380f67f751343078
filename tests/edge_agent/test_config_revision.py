"""Revisions on disk: a power cut at any write leaves settings that run, and the file a person edits still counts."""

from collections.abc import Callable
from pathlib import Path

import pytest

from edge_agent.config import load_settings
from edge_agent.config_keeper import ConfigKeeper
from edge_agent.config_revision import BOOK, Held, RevisionError, Revisions, settings_in_force
from edge_agent.config_trial import INTERRUPTED, Phase, State
from edge_agent.durable_file import write_durably
from protocols.toml import SettingsError
from tests.edge_agent.test_config import GOOD, write

OTHER = GOOD.replace("timeout_ms = 500", "timeout_ms = 400")
BAD = GOOD.replace("host =", "hots =")


class PowerCut(Exception):
    pass


def cut_after(writes: int, *, is_done: bool) -> Callable[[Path, bytes], None]:
    """Give a disk that dies at a write, before or after it reached the disk."""
    left = [writes]

    def write_or_die(path: Path, data: bytes) -> None:
        left[0] -= 1
        if left[0] >= 0 or is_done:
            write_durably(path, data)
        if left[0] < 0:
            raise PowerCut

    return write_or_die


def keeper(file: Path, disk: Callable[[Path, bytes], None] = write_durably) -> ConfigKeeper:
    settings = load_settings(file)
    return ConfigKeeper(settings, Revisions(settings.data, settings.file, disk))


def started(file: Path, disk: Callable[[Path, bytes], None] = write_durably) -> ConfigKeeper:
    found = keeper(file, disk)
    with found.held():
        found.begin()
    return found


def timeout_ms(found: ConfigKeeper) -> float:
    return 1000 * next(bus.timeout_s for bus in found.settings.buses if bus.id == "line-1")


async def live_through(file: Path, disk: Callable[[Path, bytes], None]) -> None:
    """Start, apply, begin again."""
    found = started(file, disk)
    await found.apply(OTHER, "other.toml", "here")
    found.resume()


async def test_a_power_cut_at_any_write_of_an_apply_leaves_settings_that_run(tmp_path: Path) -> None:
    seen = set()
    for writes in range(6):
        for is_done in (False, True):
            folder = tmp_path / f"{writes}{is_done}"
            folder.mkdir()
            file = write(folder, GOOD)
            try:
                await live_through(file, cut_after(writes, is_done=is_done))
                is_cut = False
            except PowerCut:
                is_cut = True
            again = started(file)
            phase = again.book.phase
            assert timeout_ms(again) == (400 if phase is Phase.TRIAL else 500)
            good = again.book.get(again.book.good)
            assert good is not None
            assert again.revisions.text(good) == GOOD
            seen.add((is_cut, phase, again.book.newest.state))
            third = started(file)
            assert timeout_ms(third) == 500, "who is cut off on trial is not tried a second time"
            assert third.book.phase is Phase.STEADY
    assert (True, Phase.TRIAL, State.TRIAL) in seen, "what was only staged has its trial at the next start"
    assert (False, Phase.STEADY, State.REVERTED) in seen


async def test_what_is_confirmed_stays_and_what_was_interrupted_says_so(tmp_path: Path) -> None:
    file = write(tmp_path, GOOD)
    await live_through(file, write_durably)
    again = started(file)
    assert (again.book.newest.state, again.book.newest.reason) == (State.REVERTED, INTERRUPTED)
    assert settings_in_force(file) == load_settings(file)


def test_commands_see_the_revision_in_force_until_a_person_edits_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, GOOD)
    found = started(file)
    found.stage(OTHER, "here")
    assert settings_in_force(file).buses[1].timeout_s == 0.4
    assert settings_in_force(file).store_path == load_settings(file).store_path
    edited = write(tmp_path, GOOD.replace("timeout_ms = 500", "timeout_ms = 300"))
    assert settings_in_force(edited).buses[1].timeout_s == 0.3
    again = started(edited)
    assert timeout_ms(again) == 300
    assert [it.state for it in again.book.revisions] == [State.CONFIRMED, State.REPLACED, State.CONFIRMED]


async def test_bad_settings_change_nothing_and_are_named_by_file_line_and_remedy(tmp_path: Path) -> None:
    found = started(write(tmp_path, GOOD))
    before = (found.revisions.folder / BOOK).read_bytes()
    for text, told in (
        (BAD, "new.toml:11: bus"),
        (GOOD.replace('id = "gw-1"', 'id = "gw-2"'), "new.toml:2: edge.id"),
        (GOOD.replace('id = "gw-1"', 'id = "gw-1"\ndata = "elsewhere"'), "new.toml:3: edge.data"),
    ):
        with pytest.raises(SettingsError, match=told):
            await found.apply(text, "new.toml", "here")
    assert (found.revisions.folder / BOOK).read_bytes() == before
    assert not found.changed.is_set()


def test_a_revision_that_was_changed_on_disk_is_left_for_the_last_good_one(tmp_path: Path) -> None:
    file = write(tmp_path, GOOD)
    found = started(file)
    number = found.stage(OTHER, "here")
    found.revisions.place(number).write_text(OTHER + "\n# changed")
    again = started(file)
    assert timeout_ms(again) == 500
    assert "changed on disk" in again.book.newest.reason


def test_a_damaged_book_and_a_full_disk_do_not_keep_a_gateway_from_starting(tmp_path: Path) -> None:
    file = write(tmp_path, GOOD)
    found = started(file)
    (found.revisions.folder / BOOK).write_text('{"format": 1')
    again = started(file)
    assert (again.book.newest.number, timeout_ms(again)) == (2, 500)

    def full(_path: Path, _data: bytes) -> None:
        raise OSError(28, "No space left on device")

    again.stage(OTHER, "here")
    third = started(file, full)
    assert timeout_ms(third) == 500
    with pytest.raises(RevisionError):
        third.stage(OTHER, "here")
    assert started(file).book.phase is Phase.TRIAL


def test_two_do_not_work_with_the_same_revisions(tmp_path: Path) -> None:
    found = started(write(tmp_path, GOOD))
    with found.revisions.held(), pytest.raises(Held, match="Wait a moment"), found.revisions.held():
        pass
