"""``edge guess-order`` on hex, on a device, and with wrong words."""

import json

import pytest
from typer.testing import CliRunner

from edge_agent.cli import app
from edge_agent.order import readings
from tests.drivers.modbus_server import Unit, modbus_server
from tests.edge_agent.commands.test_scan import edge


def test_the_plausible_order_is_marked() -> None:
    done = CliRunner().invoke(app, ["guess-order", "3333 4365"])
    assert done.exit_code == 0
    (marked,) = [line for line in done.stdout.splitlines() if "->" in line]
    assert marked.split() == ["->", "f32", "CDAB", "229.2"]
    told = json.loads(CliRunner().invoke(app, ["guess-order", "33334365", "--json"]).stdout)
    assert len(told["readings"]) == len(readings([0x3333, 0x4365]))
    assert [row["order"] for row in told["readings"] if row["plausible"]] == ["CDAB"]


def test_nothing_that_stands_out_is_said_so() -> None:
    done = CliRunner().invoke(app, ["guess-order", "00000000"])
    assert done.exit_code == 1
    assert "--expect" in done.stdout


async def test_registers_are_read_from_a_device() -> None:
    async with modbus_server({3: Unit(holding_floats={100: 229.2})}) as port:
        code, stdout, _ = await edge("guess-order", "100", "--from", f"127.0.0.1:{port}", "--unit", "3", "--json")
        assert code == 0
        assert json.loads(stdout)["readings"][0] == {
            "type": "f32",
            "order": "ABCD",
            "value": "229.2",
            "plausible": True,
        }
        code, _, stderr = await edge("guess-order", "4000", "--from", f"127.0.0.1:{port}", "--unit", "3")
        assert (code, "illegal data address" in stderr) == (1, True)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("4366", "--expect", "much"), "is not a number"),
        (("436",), "four hex digits for each"),
        (("436633",), "four hex digits for each"),
        (("70000", "--from", "127.0.0.1:9"), "zero-based address"),
        (("0", "--from", "127.0.0.1:9", "--count", "3"), "1, 2 or 4"),
    ],
)
def test_a_wrong_word_is_met_with_the_right_ones(args: tuple[str, ...], words: str) -> None:
    done = CliRunner().invoke(app, ["guess-order", *args])
    assert done.exit_code == 2
    assert words in done.stderr
