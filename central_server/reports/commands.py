"""``central kpi``: the reports' figures for scripts."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, NoReturn

import typer

from central_server.billing.period import parse_period
from central_server.context import open_context
from central_server.errors import CentralError, UsageError
from central_server.rbac import system
from central_server.reports.model import MEASURES, Figure
from central_server.reports.service import Report, months_until, report
from central_server.reports.words import NAMES
from protocols.toml import SettingsError

_NO, _WRONG = 1, 2


def kpi(
    ctx: typer.Context,
    month: Annotated[str | None, typer.Option("--month", help="YYYY-MM; default: the last month that is over.")] = None,
    site: Annotated[str | None, typer.Option("--site", help="A site's code; default: all sites.")] = None,
    months: Annotated[int, typer.Option("--months", min=1, max=24, help="So many months, up to that one.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print repair times, promises kept, inspection, collection and online rate, each as the reports define it."""
    last = (datetime.now(UTC).replace(day=1) - timedelta(days=1)).strftime("%Y-%m") if month is None else month

    async def work() -> Report:
        async with open_context(ctx.obj) as (_, db):
            return await report(db, system("command line"), months_until(parse_period(last), months), site)

    try:
        found = asyncio.run(work())
    except (SettingsError, ValueError) as error:
        _fail("bad_argument", str(error), _WRONG, as_json)
    except CentralError as error:
        _fail(error.key, str(error), _WRONG if isinstance(error, UsageError) else _NO, as_json)
    if as_json:
        typer.echo(json.dumps(to_json(found), ensure_ascii=False))
        return
    for measure in MEASURES:
        values = "".join(f"{_text(each, measure.unit):>14}" for each in found.rows[measure.key])
        typer.echo(f"{NAMES[measure.key]:<42}{values}")


def to_json(found: Report) -> dict[str, object]:
    """Give the figures as ``central kpi --json`` prints them; decimals as text."""
    return {
        "sites": list(found.sites),
        "months": [
            {
                "month": str(month),
                "figures": {
                    measure.key: {
                        "value": None if each.value is None else str(each.value),
                        "unit": measure.unit,
                        "part": each.part,
                        "whole": each.whole,
                    }
                    for measure in MEASURES
                    for each in (found.rows[measure.key][index],)
                },
            }
            for index, month in enumerate(found.months)
        ],
    }


def _text(figure: Figure, unit: str) -> str:
    if figure.value is None:
        return "-"
    return f"{figure.value} %" if unit == "percent" else f"{figure.value / 3_600_000:.1f} h"


def _fail(key: str, message: str, code: int, as_json: bool) -> NoReturn:
    if as_json:
        typer.echo(json.dumps({"error": {"key": key, "message": message, "fields": {}}}, ensure_ascii=False))
    else:
        typer.echo(f"central: {message}", err=True)
    raise typer.Exit(code)
