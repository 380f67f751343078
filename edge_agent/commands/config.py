"""``edge config``: check settings, put them on trial, list what they were, and go back."""

import getpass
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from drivers.profile import Profile, parse_profile
from edge_agent.commands.shell import NO, WRONG, Json, ask, err, fail, fail_settings, out, print_json, say, settings_of
from edge_agent.commands.table import revisions_table
from edge_agent.config import Settings, load_settings, parse_settings, read_text
from edge_agent.config_change import forbidden
from edge_agent.config_keeper import ConfigKeeper, Unchanged, again, chosen
from edge_agent.config_revision import Held, RevisionError, Revisions
from edge_agent.config_trial import Book, NotNow, Phase, Revision, State
from edge_agent.live import iso_ms
from protocols.toml import SettingsError, parse

_LOOK_S = 0.3
_LONGER_S = 30.0  # for the gateway to begin again, beside the trial itself

app = typer.Typer(help="Check settings before they are used; apply them on trial, and go back.", no_args_is_help=True)

NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait for the end of the trial.")]


@app.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="A settings file, or a device profile (TOML).")], as_json: Json = False
) -> None:
    """Check settings and the profiles they name, or one profile; every fault with line, key and remedy."""
    try:
        found = _load(file)
    except SettingsError as error:
        fail_settings(error, as_json=as_json)
    if isinstance(found, Profile):
        counts = {"points": len(found.points)}
        text = f"profile of '{found.title}', {found.protocol}, {_count(len(found.points), 'point', 'points')}"
    else:
        counts = {"buses": len(found.buses), "devices": len(found.devices)}
        uplink = f"reports to {found.uplink.url}" if found.uplink else "has no uplink: it only stores"
        size = f"{_count(len(found.buses), 'bus', 'buses')}, {_count(len(found.devices), 'device', 'devices')}"
        text = f"gateway '{found.edge_id}', {size}, {uplink}"
    if as_json:
        print_json({"ok": True, **counts, "faults": []})
    else:
        typer.echo(say(f"{file}: {text}. Nothing wrong was found."))


@app.command("apply")
def apply(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="The whole new settings (TOML).")],
    no_wait: NoWait = False,
    as_json: Json = False,
) -> None:
    """Put settings on trial: the gateway begins again with them, and goes back by itself if it is not well in 60 s."""
    settings = settings_of(ctx, as_json=as_json)
    try:
        text = read_text(file)
        new = parse_settings(text, settings.file, str(file))
        if faults := forbidden(text, str(file), settings, new, is_remote=False):
            raise SettingsError(faults)
    except SettingsError as error:
        fail_settings(error, as_json=as_json)
    told = ask(settings, "config", as_json=as_json, action="apply", text=text, name=str(file), by=_by())
    if told is None:
        _stage(settings, lambda keeper: keeper.stage(text, f"{file}, {_by()}"), as_json=as_json)
    else:
        _follow(settings, told, no_wait=no_wait, as_json=as_json)


@app.command("history")
def history(ctx: typer.Context, as_json: Json = False) -> None:
    """List the revisions that are kept, newest first, and what became of each."""
    settings = settings_of(ctx, as_json=as_json)
    book = _book(settings, as_json=as_json)
    rows = [] if book is None else [_row(book, found) for found in reversed(book.revisions)]
    if as_json:
        print_json({"revisions": rows, "phase": book.phase.value if book else None})
    elif rows:
        out.print(revisions_table(rows))
    else:
        out.print(say("There is no revision yet: the first start of the gateway makes one."), markup=False)


@app.command("revert")
def revert(
    ctx: typer.Context,
    revision: Annotated[
        int | None, typer.Argument(help="The revision to go back to; default: end a trial, else the good one before.")
    ] = None,
    no_wait: NoWait = False,
    as_json: Json = False,
) -> None:
    """Go back: end a trial at once, or put an older revision on trial."""
    settings = settings_of(ctx, as_json=as_json)
    told = ask(settings, "config", as_json=as_json, action="revert", revision=revision, by=_by())
    if told is None:
        _stage(settings, lambda keeper: _revert_stopped(keeper, revision), as_json=as_json)
    else:
        _follow(settings, told, no_wait=no_wait, as_json=as_json)


@app.command("show")
def show(
    ctx: typer.Context,
    revision: Annotated[int | None, typer.Argument(help="A revision; default: the one in force.")] = None,
    as_json: Json = False,
) -> None:
    """Print a revision's text, to be changed and applied again."""
    settings = settings_of(ctx, as_json=as_json)
    book = _book(settings, as_json=as_json)
    number = book.current if book is not None and revision is None else revision
    found = None if book is None or number is None else book.get(number)
    if found is None:
        fail("there is no such revision. 'edge config history' lists those that there are.", WRONG, as_json=as_json)
    try:
        text = Revisions(settings.data, settings.file).text(found)
    except SettingsError as error:
        fail_settings(error, as_json=as_json)
    if as_json:
        print_json({"revision": found.number, "text": text})
    else:
        typer.echo(text, nl=False)


def _revert_stopped(keeper: ConfigKeeper, number: int | None) -> int:
    """Go back while no gateway runs. Raises: NotNow, SettingsError, Unchanged, RevisionError."""
    if number is None and keeper.book.phase is not Phase.STEADY:
        keeper.withdraw(_by())
        return keeper.book.good
    wanted = chosen(keeper.book, number)
    text = keeper.revisions.text(wanted)
    parse_settings(text, keeper.settings.file, str(keeper.revisions.place(wanted.number)))
    return keeper.stage(text, again(wanted, _by()))


def _stage(settings: Settings, work: Callable[[ConfigKeeper], int], *, as_json: bool) -> None:
    """Do something with the revisions of a gateway that does not run, and say so."""
    keeper = ConfigKeeper(settings)
    try:
        with keeper.revisions.held():
            keeper.look()
            number = work(keeper)
    except Unchanged:
        _unchanged(keeper.book.current, as_json=as_json)
        return
    except SettingsError as error:
        fail_settings(error, as_json=as_json)
    except Held:
        fail("the gateway is just beginning again. Try once more in a moment.", as_json=as_json)
    except (NotNow, RevisionError) as error:
        fail(str(error), as_json=as_json)
    is_staged = keeper.book.phase is Phase.STAGED
    if as_json:
        print_json({"ok": True, "revision": number, "state": "staged" if is_staged else "steady", "running": False})
    elif is_staged:
        out.print(say(f"The gateway is not running. Revision {number} goes on trial when it starts."), markup=False)
    else:
        out.print(say(f"The gateway is not running. It starts with revision {number}."), markup=False)


def _follow(settings: Settings, told: dict[str, Any], *, no_wait: bool, as_json: bool) -> None:
    """Wait for what becomes of a revision; 1 where it is not confirmed."""
    number = told["revision"]
    if not told["is_changed"]:
        _unchanged(number, as_json=as_json)
        return
    book = _book(settings, as_json=as_json)
    if book is not None and book.phase is Phase.STEADY and number == book.good:
        _tell_end(number, "confirmed", "", as_json=as_json)
        return
    if no_wait:
        if as_json:
            print_json({"ok": True, "revision": number, "state": "trial", "running": True})
        else:
            out.print(say(f"Revision {number} is on trial."), markup=False)
        return
    if not as_json:
        err.print(say(f"Revision {number} is on trial for at most {told['window_s']:.0f} s."), markup=False)
    until = time.monotonic() + told["window_s"] + _LONGER_S
    while time.monotonic() < until:
        found = None if (book := _book(settings, as_json=as_json)) is None else book.get(number)
        if found is not None and found.ended_at is not None:
            _tell_end(number, found.state.value, found.reason, as_json=as_json)
            return
        time.sleep(_LOOK_S)
    fail(f"revision {number} has not ended its trial. Look with 'edge config history'.", as_json=as_json)


def _tell_end(number: int, state: str, reason: str, *, as_json: bool) -> None:
    is_good = state == State.CONFIRMED.value
    if as_json:
        print_json({"ok": is_good, "revision": number, "state": state, "reason": reason, "running": True})
    elif is_good:
        out.print(say(f"Revision {number} is in force."), markup=False)
    else:
        why = f": {reason}" if reason else ""
        err.print(f"edge: {say(f'revision {number} is {state}{why}')}", markup=False, soft_wrap=True)
    if not is_good:
        raise typer.Exit(NO)


def _unchanged(number: int, *, as_json: bool) -> None:
    if as_json:
        print_json({"ok": True, "revision": number, "state": "unchanged"})
    else:
        out.print(
            say(f"These are the settings that run already, as revision {number}. Nothing was changed."), markup=False
        )


def _book(settings: Settings, *, as_json: bool) -> Book | None:
    try:
        return Revisions(settings.data, settings.file).book()
    except RevisionError as error:
        fail(str(error), WRONG, as_json=as_json)


def _row(book: Book, found: Revision) -> dict[str, Any]:
    ended_at = None if found.ended_at is None else iso_ms(found.ended_at)
    return asdict(found) | {
        "state": found.state.value,
        "at": iso_ms(found.at),
        "ended_at": ended_at,
        "is_current": found.number == book.current,
    }


def _by() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in a container
        return "local command"


def _load(file: Path) -> Settings | Profile:
    """Read a file as what it is. Raises: SettingsError."""
    text = read_text(file)
    if "protocol" in parse(text, str(file)).data:
        return parse_profile(text, f"{file.absolute().parent.name}/{file.stem}", str(file))
    return load_settings(file)


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
