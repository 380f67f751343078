"""``edge doctor``: look at everything around the gateway and say what to do about it."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from edge_agent.check import CHECKS
from edge_agent.check.fact.look import look
from edge_agent.check.fact.scene import Scene
from edge_agent.check.finding import Check, Finding, Level, Sentence
from edge_agent.check.round import Outcome, run_checks
from edge_agent.commands.shell import NO, WRONG, Json, err, fail, language, out, print_json, speak

_HEADS = {
    Level.FAILURE: (Sentence("Failures", "故障"), "bold red"),
    Level.WARNING: (Sentence("Warnings", "警告"), "yellow"),
    Level.NOTE: (Sentence("Worth knowing", "提示"), "cyan"),
    Level.OK: (Sentence("Fine", "正常"), "green"),
}
_NOT_HERE = Sentence("Nothing to look at here", "此处无需检查")
_LOOKING = Sentence("looking around", "正在收集信息")
_SUM = Sentence(
    "{checks} checks in {seconds} s: {failure} failed, {warning} with warnings, {note} to know, {ok} fine, "
    "{none} had nothing to look at.",
    "{checks} 项检查，用时 {seconds} 秒：故障 {failure}，警告 {warning}，提示 {note}，正常 {ok}，无需检查 {none}。",
)
_UNKNOWN = Sentence("there is no check '{name}'. There are: {names}.", "没有检查项“{name}”。可选：{names}。")


def doctor(
    ctx: typer.Context,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", metavar="NAME", help="Only this check; may be given again.", autocompletion=lambda: _NAMES
        ),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say of what is fine too what was seen.")] = False,
    lang: Annotated[str | None, typer.Option("--lang", help="en or zh; default: as the environment says.")] = None,
    as_json: Json = False,
) -> None:
    """Find what is wrong with settings, ports, lines, devices, clock, disk and uplink; 1 if anything fails."""
    if lang is not None:
        speak(lang)
    _, outcomes = examine(ctx.find_root().params.get("config"), _chosen(only, as_json=as_json), is_quiet=as_json)
    if as_json:
        print_json(as_document(outcomes))
    else:
        _show(outcomes, is_verbose=verbose or only is not None)
    if any(outcome.level is Level.FAILURE for outcome in outcomes):
        raise typer.Exit(NO)


def examine(config: Path | None, checks: Sequence[Check], *, is_quiet: bool) -> tuple[Scene, list[Outcome]]:
    """Look around and run checks, with a bar for people."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=err, disable=is_quiet or not err.is_terminal, transient=True) as bars:
        bar = bars.add_task(_LOOKING.within(language()), total=len(checks))
        scene = look(config, lambda what: bars.update(bar, description=f"{_LOOKING.within(language())}: {what}"))

        def told(check: Check) -> None:
            bars.update(bar, description=check.title.within(language()))

        outcomes = []
        for outcome in run_checks(checks, scene, told=told):
            outcomes.append(outcome)
            bars.advance(bar)
        return scene, outcomes


def as_document(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Describe the outcomes as JSON: English, and beside it the Chinese."""
    counts = _counts(outcomes)
    return {
        "ok": not counts[Level.FAILURE.value],
        "counts": counts,
        "checks": [
            {
                "name": outcome.check.name,
                "title": outcome.check.title.en,
                "title_zh": outcome.check.title.zh,
                "level": None if outcome.level is None else outcome.level.value,
                "seconds": round(outcome.seconds, 3),
                "findings": [_finding(finding) for finding in outcome.findings],
            }
            for outcome in outcomes
        ],
    }


_NAMES = [check.name for check in CHECKS]


def _chosen(only: Sequence[str] | None, *, as_json: bool) -> list[Check]:
    known = {check.name: check for check in CHECKS}
    for name in only or ():
        if name not in known:
            text = _UNKNOWN.fill(name=name, names=", ".join(known))
            fail(text.en if as_json else text.within(language()), WRONG, as_json=as_json)
    return [check for check in CHECKS if not only or check.name in only]


def _counts(outcomes: Sequence[Outcome]) -> dict[str, int]:
    found = Counter("none" if outcome.level is None else outcome.level.value for outcome in outcomes)
    return {name: found[name] for name in (*(level.value for level in Level), "none")}


def _finding(finding: Finding) -> dict[str, Any]:
    remedy = finding.remedy
    return {
        "level": finding.level.value,
        "text": finding.text.en,
        "text_zh": finding.text.zh,
        "remedy": None if remedy is None else remedy.en,
        "remedy_zh": None if remedy is None else remedy.zh,
    }


def _show(outcomes: Sequence[Outcome], *, is_verbose: bool) -> None:
    tongue = language()
    for level, (head, style) in _HEADS.items():
        rows = [(it.check, finding) for it in outcomes for finding in it.findings if finding.level is level]
        # A check with a fault says enough by it; what else it saw is for those who ask.
        if level is Level.OK and not is_verbose:
            names = [it.check.title.within(tongue) for it in outcomes if it.level is Level.OK]
            _list(head, style, names)
        elif rows:
            out.print(Text(head.within(tongue), style=style))
            out.print(Padding(_table(rows, style, tongue), (0, 0, 1, 2)))
    _list(_NOT_HERE, "dim", [it.check.title.within(tongue) for it in outcomes if it.level is None])
    total = _SUM.fill(checks=len(outcomes), seconds=f"{sum(it.seconds for it in outcomes):.1f}", **_counts(outcomes))
    out.print(Text(total.within(tongue)))


def _table(rows: Sequence[tuple[Check, Finding]], style: str, tongue: str) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check, finding in rows:
        lines = [Text(finding.text.within(tongue))]
        if finding.remedy is not None:
            lines.append(Text(f"-> {finding.remedy.within(tongue)}", style="bold"))
        table.add_row(Text(check.name, style=style), Group(*lines))
    return table


def _list(head: Sentence, style: str, names: Sequence[str]) -> None:
    if names:
        tongue = language()
        out.print(Text(head.within(tongue), style=style))
        out.print(Padding(Text(("、" if tongue == "zh" else ", ").join(names)), (0, 0, 1, 2)))
