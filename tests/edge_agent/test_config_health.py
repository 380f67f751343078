"""Whether a gateway is as well as before: what was well must be again, and nothing more."""

from dataclasses import replace
from typing import Any

from edge_agent.config_health import Health, Verdict, health_of, is_known, judge, well_now

BEFORE = Health(frozenset({"line-1", "tcp-1"}), frozenset({"em-1", "em-2"}), frozenset({"em-1", "em-2", "em-3"}), True)
BUSES, DEVICES = ["line-1", "tcp-1"], ["em-1", "em-2", "em-3"]


def verdict(now: Health, *, before: Health | None = BEFORE, is_over: bool = True, **new: Any) -> tuple[Verdict, str]:
    buses, devices = new.get("buses", BUSES), new.get("devices", DEVICES)
    return judge(before, now, buses, devices, is_over=is_over, has_uplink=new.get("has_uplink", True))


def test_as_well_as_before_is_well_at_once_though_a_meter_that_was_dead_is_dead() -> None:
    assert verdict(BEFORE, is_over=False) == (Verdict.WELL, "")


def test_what_is_missing_is_waited_for_and_then_named() -> None:
    now = Health(frozenset({"line-1"}), frozenset({"em-2"}), frozenset(DEVICES), False)
    assert verdict(now, is_over=False)[0] is Verdict.WAIT
    assert verdict(now) == (Verdict.UNWELL, "not up: tcp-1; no answer from em-1; the centre is not reached")


def test_what_was_taken_out_is_not_missed() -> None:
    now = Health(frozenset({"line-1"}), frozenset({"em-2"}), frozenset({"em-2"}), False)
    assert verdict(now, buses=["line-1"], devices=["em-2", "em-9"], has_uplink=False) == (Verdict.WELL, "")


def test_a_device_whose_turn_has_not_come_on_a_slow_line_is_not_called_silent() -> None:
    now = replace(BEFORE, devices=frozenset({"em-2"}), asked=frozenset({"em-2"}))
    assert verdict(now, is_over=False)[0] is Verdict.WAIT
    assert verdict(now)[0] is Verdict.WELL


def test_where_nothing_ran_before_it_is_enough_to_run() -> None:
    nothing = Health(frozenset(), frozenset(), frozenset(), False)
    assert verdict(nothing, before=None, is_over=False)[0] is Verdict.WAIT
    assert verdict(nothing, before=None)[0] is Verdict.WELL
    assert verdict(replace(nothing, devices=frozenset({"em-1"})), before=None, is_over=False)[0] is Verdict.WELL


def test_a_device_that_answered_once_since_the_start_counts_though_it_was_silent_just_now() -> None:
    def row(name: str, state: str, at: str | None, error: str | None = None) -> dict[str, Any]:
        return {"id": name, "state": state, "last_ok_at": at, "error": error}

    status = {
        "buses": [{"id": "line-1", "state": "up"}, {"id": "tcp-1", "state": "down"}],
        "devices": [
            row("em-1", "offline", "2026-11-23T00:00:00.000Z", "no answer"),
            row("em-2", "unknown", None, "no answer"),
            row("em-3", "unknown", None),
        ],
        "uplink": {"state": "online"},
    }
    assert health_of(status) == Health(frozenset({"line-1"}), frozenset({"em-1"}), frozenset({"em-1", "em-2"}), True)
    assert well_now(status).devices == frozenset(), "and before a change only what answers just then is asked for"


def test_shortly_after_a_start_nobody_knows_what_is_well_until_everything_had_its_turn() -> None:
    def status(uptime_s: float, error: str | None, uplink: str = "online") -> dict[str, Any]:
        silent = {"id": "em-2", "state": "unknown", "last_ok_at": None, "error": error}
        devices = [{"id": "em-1", "state": "ok", "last_ok_at": "2026-11-23T20:00:00Z", "error": None}, silent]
        return {"uptime_s": uptime_s, "buses": [], "devices": devices, "uplink": {"state": uplink}}

    assert not is_known(status(1, None), 45)
    assert is_known(status(1, "no answer"), 45)
    assert not is_known(status(1, "no answer", "connecting"), 45)
    assert is_known(status(1, "no answer", "none"), 45)
    assert is_known(status(45, None, "connecting"), 45), "what has been silent for so long is silent"
