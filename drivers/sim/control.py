"""The desk of a simulated site: one JSON line in, one JSON line out, and something has happened.

    {"do": ["present", "door-1", "26:b40288"]}  ->  {"ok": true, "door": "door-1", "what": "card", ...}

A card is in the journal before it can be read at the door and before the answer.
"""

import asyncio
import json
import os
import socket
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from drivers.sim.door import DEEDS, Door
from drivers.sim.errors import SimError
from drivers.sim.io import Module
from drivers.sim.journal import Happened, Journal
from drivers.sim.lift import MISHAPS, Lift
from drivers.sim.plant import Plant

USAGE = (
    "present DOOR BITS:HEX | open DOOR | close DOOR | force DOOR | exit DOOR | fire DOOR on|off | "
    "tamper DOOR on|off | lift LIFT entrap|fire|normal | lift LIFT fault CODE | input MODULE INPUT on|off"
)
_MOST_FAULT = 0xFFFF
_PATIENCE_S = 10.0

Told = dict[str, Any]


class Control:
    """Serve the desk until closed."""

    def __init__(
        self, path: Path, plant: Plant, journal: Journal, now_ms: Callable[[], int], now: Callable[[], datetime]
    ) -> None:
        self._path = path
        self._plant = plant
        self._journal = journal
        self._now_ms = now_ms
        self._now = now
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen, for the owner of the process only.

        Raises: SimError.
        """
        before = os.umask(0o177)
        try:
            self._path.unlink(missing_ok=True)
            self._server = await asyncio.start_unix_server(self._serve, self._path)
        except OSError as error:
            reason = error.strerror or str(error)
            raise SimError(f"The socket {self._path} cannot be opened: {reason}. Choose another --control.") from None
        finally:
            os.umask(before)

    def close(self) -> None:
        """Stop listening and remove the socket; safe to repeat."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(json.dumps(self._answer(line)).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            pass  # the asker has gone, or sent no line
        finally:
            writer.close()

    def _answer(self, line: bytes) -> Told:
        try:
            words = json.loads(line)["do"]
            told = self._do([str(word) for word in words])
        except (ValueError, KeyError, TypeError):
            return {"ok": False, "error": f"not understood. Say: {USAGE}"}
        except SimError as error:
            return {"ok": False, "error": str(error)}
        at = self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {"ok": True, **told, "at": at}

    def _do(self, words: Sequence[str]) -> Told:
        match words:
            case ["present", door, card]:
                return self._present(door, card)
            case [deed, door] if deed in DEEDS:
                self._door(door).do(deed, self._now_ms())
                return {"door": door, "what": deed}
            case [("fire" | "tamper") as what, door, ("on" | "off") as state]:
                model = self._door(door)
                (model.burn if what == "fire" else model.tamper)(is_on=state == "on")
                return {"door": door, "what": what, "state": state}
            case ["lift", lift, "fault", code] if code.isdecimal() and 0 < int(code) <= _MOST_FAULT:
                self._lift(lift).happen("fault", self._now_ms(), int(code))
                return {"lift": lift, "what": "fault", "code": int(code)}
            case ["lift", lift, what] if what in MISHAPS and what != "fault":
                self._lift(lift).happen(what, self._now_ms())
                return {"lift": lift, "what": what}
            case ["input", module, point, ("on" | "off") as state]:
                self._module(module, point).set(point, state)
                return {"module": module, "what": point, "state": state}
        raise ValueError

    def _present(self, door: str, card: str) -> Told:
        model = self._door(door)
        size, _, text = card.partition(":")
        bits, number = int(size), int(text, 16)
        if not (1 <= bits <= 64 and 0 <= number < 1 << bits):
            raise SimError(f"{text} is not a card of {size} bits. Write BITS:HEX, such as 26:b40288.")
        shown: dict[str, int | str] = {"bits": bits, "number": f"{number:x}"}
        shown["counter"] = model.present(bits, number)
        # No await since the counter moved: nobody has seen it yet.
        self._journal.write([Happened(door, "card", shown)])
        return {"door": door, "what": "card", **shown}

    def _door(self, name: str) -> Door:
        model = self._plant.model(name)
        if not isinstance(model, Door):
            raise SimError(f"There is no door '{name}' in this site.")
        return model

    def _module(self, name: str, point: str) -> Module:
        model = self._plant.model(name)
        if not isinstance(model, Module):
            raise SimError(f"There is no I/O module '{name}' in this site.")
        if point not in model.inputs:
            raise SimError(f"The module '{name}' has no input '{point}'. It has: {', '.join(model.inputs)}.")
        return model

    def _lift(self, name: str) -> Lift:
        model = self._plant.model(name)
        if not isinstance(model, Lift):
            raise SimError(f"There is no lift '{name}' in this site.")
        return model


def ask(path: Path, words: Sequence[str]) -> Told:
    """Have something happen at a running site.

    Raises: SimError where nobody listens.
    """
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_PATIENCE_S)
            connection.connect(str(path))
            connection.sendall(json.dumps({"do": list(words)}).encode() + b"\n")
            with connection.makefile("rb") as file:
                answer = json.loads(file.readline())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it gave no answer"
        raise SimError(f"No simulated site answers at {path}: {reason}. Start it with --control {path}.") from None
    return dict(answer)
