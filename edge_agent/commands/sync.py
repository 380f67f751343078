"""``edge sync``: have the running gateway send what waits, now."""

import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from edge_agent.commands.shell import NO, Json, ask, err, fail, out, print_json, say, settings_of
from edge_agent.commands.table import delivery_table

app = typer.Typer(help="Send what waits for the centre.", no_args_is_help=True)

_LOOK_S = 0.25
_SETTLED_S = 2.0  # after these a refusal is the answer to this try, not to the one before


@app.callback()
def main() -> None:
    """Send what waits for the centre."""


@app.command("now")
def now(
    ctx: typer.Context,
    wait: Annotated[float, typer.Option("--wait", min=0, max=3600, help="How long to watch it, in seconds.")] = 30.0,
    as_json: Json = False,
) -> None:
    """Try at once, and watch until all that waits at this moment is at the centre; 1 if it is not."""
    settings = settings_of(ctx, as_json=as_json)
    before = ask(settings, "status", as_json=as_json)
    if before is None or ask(settings, "sync", as_json=as_json) is None:
        fail("this gateway does not run, so it sends nothing. Start it with 'edge run'.", NO, as_json=as_json)
    began = time.monotonic()
    after: Mapping[str, Any] = before
    while not _is_done(before, after) and not _is_over(after, time.monotonic() - began, wait):
        time.sleep(_LOOK_S)
        after = ask(settings, "status", as_json=as_json) or after
    is_done, uplink, rows = _is_done(before, after), after["uplink"], _rows(before, after)
    if as_json:
        lanes = {name: {"waited": waited, "left": left} for name, waited, left in rows}
        print_json({"ok": is_done, "lanes": lanes, "state": uplink["state"], "error": uplink["error"]})
    else:
        out.print(delivery_table(rows))
        if not is_done:
            left = sum(row[2] for row in rows)
            err.print(say(uplink["error"] or f"{left} records still wait; it goes on by itself."), markup=False)
    if not is_done:
        raise typer.Exit(NO)


def _rows(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, int, int]]:
    """Give each lane with how many records waited, and how many of these still do."""
    ends = {name: lane["next_seq"] - 1 for name, lane in before["lanes"].items()}
    return [
        (name, end - before["lanes"][name]["acked_seq"], max(0, end - after["lanes"][name]["acked_seq"]))
        for name, end in ends.items()
    ]


def _is_done(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    return after["uplink"]["state"] == "online" and not any(left for _, _, left in _rows(before, after))


def _is_over(status: Mapping[str, Any], seconds: float, wait: float) -> bool:
    is_refused = status["uplink"]["state"] == "refused" and seconds >= _SETTLED_S
    return seconds >= wait or is_refused
