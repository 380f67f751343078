"""``central tariff`` and ``central bill``: check and quote prices, issue and explain bills."""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from central_server.billing.model import Tariff, price
from central_server.billing.money import plain, yuan
from central_server.billing.period import parse_instant, parse_period
from central_server.billing.run import RunResult
from central_server.billing.service import get_bill, list_bills, run_bills
from central_server.billing.tariff import load_tariff, load_tariffs, nearest
from central_server.billing.text import bill_lines, page_lines, run_lines, tier_lines
from central_server.billing.trace import priced_json
from central_server.billing.view import BillPage, BillView, Wanted
from central_server.context import open_context
from central_server.db import Database
from central_server.errors import CentralError, UsageError
from central_server.rbac import system
from protocols.toml import SettingsError

tariff_app = typer.Typer(name="tariff", help="Check tariff files and quote prices.", no_args_is_help=True)
bill_app = typer.Typer(name="bill", help="Issue bills and show why they amount to what they do.", no_args_is_help=True)

_NO, _WRONG = 1, 2

T = TypeVar("T")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
TariffFolder = Annotated[
    Path | None,
    typer.Option("--tariffs", help="Folder of tariff files; default: GATEHOUSE_TARIFFS, else the ones in the box."),
]


@tariff_app.command("check")
def check(file: Annotated[Path, typer.Argument(help="A tariff file (TOML).")], as_json: Json = False) -> None:
    """Check a tariff file; every fault with its line and remedy."""
    try:
        tariff = load_tariff(file)
    except SettingsError as error:
        if as_json:
            _print_json({"ok": False, "faults": [fault._asdict() for fault in error.faults]})
        else:
            typer.echo(str(error), err=True)
        raise typer.Exit(_WRONG) from None
    versions = [version.valid_from.isoformat() for version in tariff.versions]
    if as_json:
        _print_json({"ok": True, "code": tariff.code, "unit": tariff.unit, "versions": versions, "faults": []})
    else:
        typer.echo(f"{file}: '{tariff.code}' prices {tariff.unit} from {', '.join(versions)}; nothing wrong was found.")


@tariff_app.command("list")
def list_(folder: TariffFolder = None, as_json: Json = False) -> None:
    """List the tariffs that a run can use."""
    tariffs = _tariffs(folder, as_json)
    if as_json:
        _print_json(
            {
                "tariffs": [
                    {"code": each.code, "unit": each.unit, "name": each.name._asdict()} for each in tariffs.values()
                ]
            }
        )
    else:
        _echo(f"{each.code:<36} {each.unit:<4} {each.name.en}" for each in tariffs.values())


@tariff_app.command("quote")
def quote(
    tariff: Annotated[str, typer.Argument(help="A tariff's code, or a tariff file.")],
    use: Annotated[str, typer.Option("--use", help="The use to price, in the tariff's unit.")],
    used_before: Annotated[str, typer.Option("--used-before", help="Use so far in the tier period.")] = "0",
    on: Annotated[
        str | None, typer.Option("--on", help="The day whose prices apply (YYYY-MM-DD); default: today.")
    ] = None,
    folder: TariffFolder = None,
    as_json: Json = False,
) -> None:
    """Price a use without issuing anything."""
    found = _tariff(tariff, folder, as_json)
    amounts = _amount(use, "--use", as_json), _amount(used_before, "--used-before", as_json)
    day = _day(on, as_json)
    version = found.version_on(day)
    if version is None:
        _fail(
            as_json,
            _NO,
            "tariff_not_in_force",
            f"tariff '{found.code}' begins on {found.versions[0].valid_from}, after {day}",
        )
    priced = price(version, *amounts, day)
    said = priced_json(priced)
    if not as_json:
        typer.echo(
            f"{found.code} of {version.valid_from}: {plain(amounts[0])} {found.unit} cost {yuan(priced.total_fen)} yuan"
        )
        _echo(tier_lines(said, found.unit))
        return
    head = {"step": "tariff", "code": found.code, "version": version.valid_from.isoformat(), "digest": version.digest}
    trace: list[dict[str, Any]] = [{**head, "tier_period": version.tier_period, "used_before": plain(amounts[1])}]
    trace.extend({"step": "tier", **tier} for tier in said["tiers"])
    trace.append({"step": "rounding", **said["rounding"]})
    lines = [
        {
            "description": _span(tier, found.unit),
            "quantity": tier["quantity"],
            "unit": found.unit,
            "unit_price": tier["price"],
            "amount": tier["amount"],
        }
        for tier in said["tiers"]
    ]
    _print_json({"lines": lines, "components": said["components"], "total": said["total"], "trace": trace})


@bill_app.command("run")
def run(
    ctx: typer.Context,
    period: Annotated[str, typer.Option("--period", help="The month to bill, YYYY-MM.")],
    site: Annotated[str | None, typer.Option("--site", help="A site's code; default: all sites.")] = None,
    through: Annotated[str | None, typer.Option("--through", help="Close at this instant: an interim bill.")] = None,
    is_dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be issued; write nothing.")] = False,
    folder: TariffFolder = None,
    as_json: Json = False,
) -> None:
    """Issue the bills of a month. Running it again issues nothing twice."""
    started = time.monotonic()
    try:
        month = parse_period(period)
        until = None if through is None else parse_instant(through)
    except ValueError as error:
        _fail(as_json, _WRONG, "bad_argument", str(error))
    tariffs = _tariffs(folder, as_json)

    async def work(db: Database) -> RunResult:
        return await run_bills(
            db,
            month,
            tariffs=tariffs,
            now=datetime.now(UTC),
            site=site,
            through=until,
            is_dry_run=is_dry_run,
            actor=system("command line"),
        )

    result = _on_database(ctx, as_json, work)
    seconds = f"{time.monotonic() - started:.3f}"
    if as_json:
        _print_json({**result.to_json(), "seconds": float(seconds)})
    else:
        _echo(run_lines(result, seconds))


@bill_app.command("show")
def show(
    ctx: typer.Context,
    number: Annotated[str, typer.Argument(help="A bill's number, for example B-2026-10-0203.")],
    as_json: Json = False,
) -> None:
    """Show a bill with the evidence under every line."""

    async def work(db: Database) -> BillView | None:
        async with db.read() as conn:
            return await get_bill(conn, system("command line"), number)

    found = _on_database(ctx, as_json, work)
    if found is None:
        _fail(as_json, _NO, "unknown_bill", f"there is no bill '{number}'; list them with 'central bill list'")
    if as_json:
        _print_json(found.to_json())
    else:
        _echo(bill_lines(found))


@bill_app.command("list")
def list_issued(
    ctx: typer.Context,
    search: Annotated[str, typer.Argument(help="Words in number, unit or owner.")] = "",
    period: Annotated[str | None, typer.Option("--period", help="Only this month, YYYY-MM.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000)] = 50,
    offset: Annotated[int, typer.Option("--offset", min=0)] = 0,
    as_json: Json = False,
) -> None:
    """List issued bills, newest first."""

    async def work(db: Database) -> BillPage:
        async with db.read() as conn:
            return await list_bills(conn, system("command line"), Wanted(search, period), limit=limit, offset=offset)

    page = _on_database(ctx, as_json, work)
    if as_json:
        _print_json({"total": page.total, "bills": [each.to_json() for each in page.items]})
    else:
        _echo(page_lines(page))


def _on_database(ctx: typer.Context, as_json: bool, work: Callable[[Database], Coroutine[Any, Any, T]]) -> T:
    """Run a use case on the configured database; a refusal ends the command with its sentence."""

    async def opened() -> T:
        async with open_context(ctx.obj) as (_, db):
            return await work(db)

    try:
        return asyncio.run(opened())
    except SettingsError as error:
        _fail(as_json, _WRONG, "bad_settings", str(error))
    except CentralError as error:
        code = _WRONG if isinstance(error, UsageError) else _NO
        _fail(as_json, code, error.key, str(error), {name: str(value) for name, value in error.fields.items()})


def _tariffs(folder: Path | None, as_json: bool) -> Mapping[str, Tariff]:
    try:
        return load_tariffs(folder)
    except SettingsError as error:
        _fail(as_json, _WRONG, "bad_tariff", str(error))


def _tariff(name: str, folder: Path | None, as_json: bool) -> Tariff:
    if name.endswith(".toml"):
        try:
            return load_tariff(Path(name))
        except SettingsError as error:
            _fail(as_json, _WRONG, "bad_tariff", str(error))
    tariffs = _tariffs(folder, as_json)
    if name not in tariffs:
        near = nearest(name, tariffs)
        hint = f"did you mean '{near}'?" if near else f"the known ones are {', '.join(tariffs)}"
        _fail(as_json, _WRONG, "unknown_tariff", f"there is no tariff '{name}'; {hint}")
    return tariffs[name]


def _amount(text: str, option: str, as_json: bool) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0 or abs(amount.adjusted()) > 12 or len(amount.as_tuple().digits) > 40:
        _fail(as_json, _WRONG, "bad_argument", f"{option} is a number of zero or more, for example 215.5, not '{text}'")
    return amount


def _day(text: str | None, as_json: bool) -> date:
    if text is None:
        return datetime.now().astimezone().date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        _fail(as_json, _WRONG, "bad_argument", f"--on is a day as YYYY-MM-DD, not '{text}'")


def _span(tier: Mapping[str, Any], unit: str) -> str:
    return f"{tier['from']} to {tier['to']} {unit}" if tier["to"] else f"above {tier['from']} {unit}"


def _fail(
    as_json: bool, code: int, key: str, message: str, fields: Mapping[str, str] = MappingProxyType({})
) -> NoReturn:
    if as_json:
        _print_json({"error": {"key": key, "message": message, "fields": dict(fields)}})
    else:
        typer.echo(message, err=True)
    raise typer.Exit(code)


def _print_json(value: Mapping[str, Any]) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False))


def _echo(lines: Iterable[str]) -> None:
    for each in lines:
        typer.echo(each)
