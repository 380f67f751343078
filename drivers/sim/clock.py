"""The simulated site's own time, and the few numbers that outlive the simulator.

Time stands still while the simulator is off. The state file always holds an instant that no
answer has passed, so meters go on upwards even after a kill; they then skip a few seconds.
"""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple

from drivers.sim.errors import SimError

_LEASE_S = 5


class State(NamedTuple):
    """Where the site stood: milliseconds since its beginning and each meter's registers."""

    elapsed_ms: int
    registers: dict[str, Decimal]


def read_state(path: Path | None) -> State | None:
    """Read a state file; None where there is none yet.

    Raises: SimError for a file that is not a state.
    """
    if path is None or not path.exists():
        return None
    try:
        data = json.loads(path.read_text())
        return State(int(data["elapsed_ms"]), {meter: Decimal(value) for meter, value in data["registers"].items()})
    except OSError as error:
        raise SimError(f"The state {path} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, AttributeError, InvalidOperation):
        raise SimError(
            f"{path} is not the state of a simulated site. Move it away, or name another file as 'state'."
        ) from None


def write_state(path: Path, state: State) -> None:
    """Replace a state file in one step.

    Raises: SimError where it cannot be written.
    """
    beside = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(
            json.dumps({"elapsed_ms": state.elapsed_ms, "registers": {m: str(v) for m, v in state.registers.items()}})
            + "\n"
        )
        beside.replace(path)
    except OSError as error:
        raise SimError(
            f"The state {path} cannot be written: {error.strerror}. Free some space or name another file."
        ) from None


class SiteClock:
    """Milliseconds of the site's time, ``speed`` times faster than the wall's.

    Shape: ``monotonic`` in seconds; ``registers_at`` gives what every meter shows at an instant.
    """

    def __init__(self, start_ms: int, speed: int, monotonic: Callable[[], float], path: Path | None) -> None:
        self._start_ms = start_ms
        self._speed = speed
        self._monotonic = monotonic
        self._began = monotonic()
        self._path = path
        self._lease_ms = start_ms
        self._last_ms = start_ms
        self.registers_at: Callable[[int], Mapping[str, Decimal]] = lambda _: {}

    def now_ms(self) -> int:
        """Give the site's time, after making sure that a restart will not fall behind it."""
        elapsed = int((self._monotonic() - self._began) * 1000) * self._speed
        self._last_ms = max(self._last_ms, self._start_ms + elapsed)
        if self._path is not None and self._last_ms >= self._lease_ms:
            self._lease_ms = self._last_ms + _LEASE_S * 1000 * self._speed
            self._save(self._lease_ms)
        return self._last_ms

    def close(self) -> None:
        """Note the exact end, so that a clean restart goes on without a skip."""
        if self._path is not None:
            self._save(self._last_ms)

    def _save(self, at_ms: int) -> None:
        if self._path is not None:
            write_state(self._path, State(at_ms, dict(self.registers_at(at_ms))))
