"""Every command speaks JSON where it is asked to, also when something is wrong."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from edge_agent.cli import app

# What runs until it is stopped and has nothing to tell; 'sim do' answers in JSON always.
MUTE = {"run", "sim serve", "sim do"}
# What is there to help where the settings are wrong goes on without them.
PATIENT = {"doctor", "bundle"}


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    if children := getattr(command, "commands", None):
        for name, child in children.items():
            yield from leaves(child, (*path, name))
    else:
        yield " ".join(path), command


COMMANDS = dict(leaves(typer.main.get_command(app)))
assert len(COMMANDS) > 15
SPEAKING = sorted(set(COMMANDS) - MUTE)


@pytest.mark.parametrize("name", SPEAKING)
def test_every_command_has_json(name: str) -> None:
    assert any("--json" in it.opts for it in COMMANDS[name].params), f"edge {name} --json"


@pytest.mark.parametrize("name", [name for name in SPEAKING if name not in PATIENT])
def test_wrong_settings_or_arguments_are_json_too(name: str) -> None:
    wanted = [it for it in COMMANDS[name].params if it.param_type_name == "argument" and it.required]
    given = [word for it in wanted for word in ["x"] * max(1, it.nargs)]
    done = CliRunner().invoke(app, ["-c", "/nowhere/edge.toml", *name.split(), *given, "--json"])
    assert done.exit_code == 2, done.output
    for line in done.stdout.splitlines():
        assert json.loads(line)["ok"] is False
    assert done.stdout, "nothing was told"
