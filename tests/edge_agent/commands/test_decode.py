"""``edge decode`` for what Bluetooth devices broadcast, as it is typed."""

import json
from typing import Any

from typer.testing import CliRunner, Result

from edge_agent.cli import app

KEY, MAC = "231d39c1d7cc1ab1aee224cd096db932", "54:48:E6:8F:80:A5"
SEALED = "41A47266C95F730011223378237214"


def edge(*args: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, ["decode", *args], input=stdin)


def frames(done: Result) -> list[dict[str, Any]]:
    return [frame for line in done.stdout.splitlines() for frame in json.loads(line)["frames"]]


def test_a_sensor_is_read_as_json_with_exact_numbers() -> None:
    done = edge("bthome", "40 02 C4 09 03 BF 13", "--json")
    assert done.exit_code == 0
    assert frames(done)[0]["values"] == [
        {"name": "temperature", "value": "25.00", "unit": "degC", "quality": "good"},
        {"name": "humidity", "value": "50.55", "unit": "%", "quality": "good"},
    ]


def test_a_sealed_frame_wants_its_key_and_address() -> None:
    for options, kind in (
        ((), "unsupported"),
        (("--key", KEY), "unsupported"),
        (("--key", KEY, "--mac", "54:48:E6:8F:80:A6"), "security"),
        (("--key", KEY[:-2], "--mac", MAC), "security"),
    ):
        done = edge("bthome", *options, SEALED, "--json")
        assert done.exit_code == 1
        assert frames(done)[0]["error"]["kind"] == kind
        assert frames(done)[0]["values"] == []
    done = edge("bthome", "--key", KEY, "--mac", MAC, SEALED, "--json")
    assert (done.exit_code, frames(done)[0]["values"][0]["value"]) == (0, "25.06")


def test_each_advertisement_of_a_recording_is_a_line_of_its_own() -> None:
    done = edge("bthome", "-", "--json", stdin="020106 0416D2FC41\n40 2001\n")
    assert [frame["ok"] for frame in frames(done)] == [False, True]
    assert done.exit_code == 1


def test_a_beacon_is_shown_to_people() -> None:
    shown = edge("beacon", "0201061AFF4C000215414243444546474849404142434445460001 0002F8")
    assert shown.exit_code == 0
    assert "41424344-4546-4748-4940-414243444546" in shown.stdout


def test_a_device_cannot_write_markup_on_the_engineers_terminal() -> None:
    done = edge("bthome", "40 53 0D" + b"[/x] [bold]hi".hex())
    assert done.exit_code == 0
    assert "[/x] [bold]hi" in done.stdout
    assert "\x1b" not in edge("bthome", "40 53 04" + b"\x1b[2J".hex()).stdout
    assert "\x1b" not in edge("bthome", "0509" + b"\x1b[2J".hex() + "0516D2FC4000").stdout
