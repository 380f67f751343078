"""What a clerk types and what a script reads."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from central_server.billing.commands import bill_app, tariff_app

BAD = """\
code = "mine"
name = { zh = "我的", en = "Mine" }
unit = "kWh"

[[version]]
valid_from = 2020-01-01
source = "the contract"
kind = "tiered"
tier_period = "month"

[[version.tier]]
from = 0
to = 100
price = "0.5"

[[version.tier]]
from = 90
price = "0.6"
"""


def tariff(*words: str) -> Result:
    return CliRunner().invoke(tariff_app, list(words))


async def bill(folder: Path, *words: str) -> Result:
    key = folder / "data" / "central.key"
    key.parent.mkdir(exist_ok=True)
    key.write_text(base64.b64encode(bytes(range(32))).decode(), encoding="ascii")
    key.chmod(0o600)
    (folder / "central.toml").write_text('[central]\ndatabase = "sqlite:///central.db"\n', encoding="utf-8")
    runner = CliRunner(env={"GATEHOUSE_CENTRAL_CONFIG": str(folder / "central.toml")})
    return await asyncio.to_thread(runner.invoke, bill_app, list(words))


def test_a_quote_gives_tiers_that_sum_to_the_total() -> None:
    result = tariff(
        "quote",
        "beijing-electricity-residential",
        "--use",
        "215.5",
        "--used-before",
        "2800",
        "--on",
        "2026-07-01",
        "--json",
    )
    said = json.loads(result.stdout)
    assert result.exit_code == 0
    assert said["total"] == "112.00"
    assert said["lines"] == [
        {"description": "0 to 2880 kWh", "quantity": "80", "unit": "kWh", "unit_price": "0.4883", "amount": "39.06"},
        {
            "description": "2880 to 4800 kWh",
            "quantity": "135.5",
            "unit": "kWh",
            "unit_price": "0.5383",
            "amount": "72.94",
        },
    ]
    assert said["components"] == []
    assert said["trace"][-1]["exact"] == "112.00365"


def test_a_quote_splits_water_into_its_components() -> None:
    result = tariff(
        "quote", "beijing-water-residential", "--use", "10.5", "--used-before", "176", "--on", "2026-07-01", "--json"
    )
    said = json.loads(result.stdout)
    assert said["total"] == "65.50"
    assert {part["key"]: part["amount"] for part in said["components"]} == {
        "water": "34.74",
        "resource": "16.48",
        "sewage": "14.28",
    }


def test_a_quote_reads_well() -> None:
    result = tariff("quote", "flat-water", "--use", "2.5")
    assert result.exit_code == 0
    assert "2.5 m3 cost 12.50 yuan" in result.stdout


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("flat-watr", "--use", "1"), 2, "there is no tariff 'flat-watr'; did you mean 'flat-water'?"),
        (("flat-water", "--use", "-1"), 2, "--use is a number of zero or more, for example 215.5, not '-1'"),
        (("flat-water", "--use", "1e999999"), 2, "--use is a number"),
        (("flat-water", "--use", f"0.{'1' * 90}"), 2, "--use is a number"),
        (("flat-water", "--use", "NaN"), 2, "--use is a number"),
        (("flat-water", "--use", "ten"), 2, "--use is a number"),
        (("flat-water", "--use", "1", "--used-before", "x"), 2, "--used-before is a number"),
        (("flat-water", "--use", "1", "--on", "soon"), 2, "--on is a day as YYYY-MM-DD, not 'soon'"),
        (
            ("flat-water", "--use", "1", "--on", "1999-01-01"),
            1,
            "tariff 'flat-water' begins on 2020-01-01, after 1999-01-01",
        ),
        (("nowhere.toml", "--use", "1"), 2, "nowhere.toml: No such file or directory."),
        (("flat-water", "--use", "1", "--tariffs", "nowhere"), 2, "nowhere: is not a folder of tariffs"),
    ],
)
def test_a_quote_that_cannot_be_made_says_why(words: tuple[str, ...], code: int, message: str) -> None:
    result = tariff("quote", *words)
    assert (result.exit_code, message in result.stderr) == (code, True), result.output
    as_json = tariff("quote", *words, "--json")
    assert message in json.loads(as_json.stdout)["error"]["message"]


def test_zero_use_is_quoted_at_nothing() -> None:
    said = json.loads(tariff("quote", "flat-water", "--use", "0", "--json").stdout)
    assert (said["total"], said["lines"]) == ("0.00", [])


def test_a_right_tariff_file_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(BAD.replace("from = 90", "from = 100"), encoding="utf-8")
    result = tariff("check", str(tmp_path / "mine.toml"))
    assert (result.exit_code, "nothing wrong was found" in result.stdout) == (0, True)
    assert json.loads(tariff("check", str(tmp_path / "mine.toml"), "--json").stdout)["versions"] == ["2020-01-01"]


def test_a_wrong_tariff_file_is_told_with_line_and_remedy(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(BAD, encoding="utf-8")
    result = tariff("check", str(tmp_path / "mine.toml"))
    assert result.exit_code == 2
    assert (
        "mine.toml:17: version[1].tier[2].from: the tier from 90 overlaps the tier before it, which ends at 100."
        in result.stderr
    )
    said = json.loads(tariff("check", str(tmp_path / "mine.toml"), "--json").stdout)
    assert (said["ok"], said["faults"][0]["line"]) == (False, 17)


def test_tariffs_are_listed() -> None:
    assert "beijing-water-residential" in tariff("list").stdout
    assert {each["code"] for each in json.loads(tariff("list", "--json").stdout)["tariffs"]} >= {
        "flat-water",
        "flat-electricity",
    }


async def test_a_month_is_issued_shown_and_listed(home: Any, tmp_path: Path) -> None:
    await home.town.read(home.electricity, ("2020-10-01T00:15", "0"), ("2020-10-31T23:45", "100.01"))
    await home.town.change("installation", from_at=0)
    result = await bill(tmp_path, "run", "--period", "2020-10", "--json")
    said = json.loads(result.stdout)
    assert result.exit_code == 0, result.output
    assert {"bills", "lines", "total", "parked", "input_hash", "output_hash", "seconds", "metered"} <= set(said)
    assert (said["bills"], said["total"], said["metered"]["kwh"]) == (1, "48.83", "100.01")
    again = await bill(tmp_path, "run", "--period", "2020-10")
    assert "nothing to issue" in again.stdout
    assert "already billed: 1 metering points; no line is issued twice" in again.stdout
    shown = json.loads((await bill(tmp_path, "show", "B-2020-10-0001", "--json")).stdout)
    (line,) = shown["lines"]
    assert {"quantity", "unit", "unit_price", "amount", "trace"} <= set(line)
    assert line["trace"]["closing"]["batch"]["seq"] == 2
    text = (await bill(tmp_path, "show", "B-2020-10-0001")).stdout
    assert "0 to 2880 kWh: 100.01 x 0.4883 = 48.834883" in text
    assert "48.834883 is rounded once to 48.83 yuan" in text
    assert "seq 2 of gw-1" in text
    assert "B-2020-10-0001" in (await bill(tmp_path, "list")).stdout
    assert json.loads((await bill(tmp_path, "list", "--json")).stdout)["total"] == 1


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("run", "--period", "2020"), 2, "'2020' is not a period; write it as YYYY-MM"),
        (("run", "--period", "2020-10", "--through", "2020-10-05"), 2, "says no offset from UTC"),
        (("run", "--period", "2020-10", "--site", "sea"), 2, "There is no site 'sea'."),
        (("run", "--period", "9998-10"), 1, "9998-10 is not over at site 'lake'"),
        (("show", "B-1"), 1, "there is no bill 'B-1'"),
    ],
)
async def test_what_cannot_be_done_is_one_sentence(
    town: Any, tmp_path: Path, words: tuple[str, ...], code: int, message: str
) -> None:
    result = await bill(tmp_path, *words)
    assert (result.exit_code, message in result.stderr, "Traceback" in result.output) == (code, True, False), (
        result.output
    )
    assert message in json.loads((await bill(tmp_path, *words, "--json")).stdout)["error"]["message"]


async def test_a_database_without_tables_is_one_sentence(tmp_path: Path) -> None:
    result = await bill(tmp_path, "list")
    assert (result.exit_code, "Run 'central migrate' first" in result.stderr) == (2, True)


async def test_parked_points_are_told_with_their_reason(home: Any, tmp_path: Path) -> None:
    await home.town.change("installation", from_at=0)
    result = await bill(tmp_path, "run", "--period", "2020-10", "--dry-run")
    assert "parked 1-101-E (unit 1-101): gw-1/em-1 energyImportTotal has no good reading" in result.stdout
    (parked,) = json.loads((await bill(tmp_path, "run", "--period", "2020-10", "--json")).stdout)["parked"]
    assert (parked["account"], parked["key"]) == ("1-101-E", "no_closing_read")
