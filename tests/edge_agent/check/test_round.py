"""A round of checks goes on, whatever one of them does."""

import time
from collections.abc import Iterator
from pathlib import Path

from edge_agent.check.fact.scene import Scene
from edge_agent.check.finding import Check, Finding, Level, Sentence, foreign, ok, warning
from edge_agent.check.round import run_checks
from tests.edge_agent.check.world import World

TITLE = Sentence("Title", "标题")
FINE = Sentence("All is {what}.", "一切{what}。")


def crash(_scene: Scene) -> Iterator[Finding]:
    yield ok(FINE, what="well")
    raise ZeroDivisionError("division by zero")


def hang(_scene: Scene) -> Iterator[Finding]:
    time.sleep(30)
    yield ok(FINE, what="well")


def well(_scene: Scene) -> list[Finding]:
    return [ok(FINE, what="well")]


def test_a_check_that_crashes_or_hangs_is_a_finding_and_the_round_goes_on(tmp_path: Path) -> None:
    checks = [Check(run.__name__, TITLE, run) for run in (crash, hang, well, lambda _: ())]
    heard: list[str] = []
    began = time.monotonic()
    scene = World(tmp_path).scene()
    outcomes = list(run_checks(checks, scene, told=lambda check: heard.append(check.name), seconds=0.2))
    assert time.monotonic() - began < 5, "one that hangs is not waited for"
    assert [it.level for it in outcomes] == [Level.FAILURE, Level.WARNING, Level.OK, None]
    assert heard == [check.name for check in checks]
    crashed, slow = outcomes[0].findings[0], outcomes[1].findings[0]
    assert crashed.text.en == "The check 'crash' failed in itself: ZeroDivisionError: division by zero."
    assert "检查项“crash”自身出错" in crashed.text.zh
    assert "'hang' was not done after 0.2 s" in slow.text.en
    assert crashed.remedy is not None
    assert slow.remedy is not None


def test_what_is_filled_in_is_translated_where_it_is_a_sentence() -> None:
    said = foreign("there is no profile 'a'")
    finding = warning(FINE, TITLE, what=said)
    assert finding.text == ("All is there is no profile 'a'.", "一切没有档案“a”。")
    assert FINE.fill(what="the line is lost").zh == "一切线路已断开。"
    assert finding.text.within("zh") == finding.text.zh
    assert finding.text.within("en") == finding.text.en
