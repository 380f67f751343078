"""A simulated door: contacts, a reader and a relay, in a doorway that people walk through.

    relay pulsed      unlocked for the pulse; whoever was let in opens the leaf for a moment
    exit button       the same from inside: pressed, unlocked, and through
    open, close       by the exit button, and the leaf is left standing until it is closed
    force             the leaf opens with the lock locked

A door that somebody works by hand has no passers-by of its own any more.
"""

from collections.abc import Mapping

from drivers.sim.load import draw
from drivers.sim.model import Value

DEEDS = ("open", "close", "force", "exit")
_SLOT_MS = 45_000
_PRESSED_MS = 1_000
_UNLOCKED_MS = 6_000
_OPENS_AFTER_MS, _OPEN_MS = 400, 1_500
_LEAST_PULSE_MS = 100
_COUNTER_WRAPS = 0x10000


class Door:
    """A door whose state is a function of the time, and of what has been done to it.

    Units: everything is asked with the site's time in ms; a door lives at the wall's pace whatever its speed.
    """

    def __init__(self, seed: int, speed: int, *, has_visits: bool = True, counter: int = 0) -> None:
        self._seed = seed
        self._speed = speed
        self._has_visits = has_visits
        self.counter = counter
        self.bits = 0
        self.number = 0
        self.pulse_ms = 3_000
        self._pulsed: tuple[int, int] | None = None  # when, and until when
        self._exit_at: int | None = None
        self._is_held = False
        self._is_burning = False
        self._is_tampered = False

    @property
    def registers(self) -> Mapping[str, str]:
        return {}

    def present(self, bits: int, number: int) -> int:
        """Show a card at the reader; gives the counter."""
        self._has_visits = False
        self.counter = (self.counter + 1) % _COUNTER_WRAPS
        self.bits, self.number = bits, number
        return self.counter

    def pulse(self, at_ms: int) -> int:
        """Pulse the relay; gives for how many milliseconds."""
        now = at_ms // self._speed
        self._pulsed = (now, now + max(_LEAST_PULSE_MS, self.pulse_ms))
        return self._pulsed[1] - now

    def do(self, deed: str, at_ms: int) -> None:
        """Do one of ``DEEDS`` to the door."""
        now = at_ms // self._speed
        self._has_visits = False
        if deed in ("open", "exit"):
            self._exit_at = now
        if deed == "close":
            self._exit_at = self._pulsed = None
        self._is_held = deed in ("open", "force") or (self._is_held and deed == "exit")

    def burn(self, *, is_on: bool) -> None:
        """Set the fire contact."""
        self._is_burning = is_on

    def tamper(self, *, is_on: bool) -> None:
        """Set the tamper contact."""
        self._is_tampered = is_on

    def values(self, at_ms: int) -> dict[str, Value]:
        now = at_ms // self._speed
        began = [at for at in (self._visit(now), self._exit_at) if at is not None and at <= now]
        since_exit = now - max(began) if began else None
        is_released = self._pulsed is not None and self._pulsed[0] <= now < self._pulsed[1]
        is_unlocked = is_released or (since_exit is not None and since_exit < _UNLOCKED_MS)
        walks = [since_exit, None if self._pulsed is None else now - self._pulsed[0]]
        # The button is seen for a whole second before the leaf moves, as a slow look needs it.
        is_through = any(
            since is not None and begins <= since < begins + _OPEN_MS
            for since, begins in zip(walks, (_PRESSED_MS, _OPENS_AFTER_MS), strict=True)
        )
        is_waiting = self._exit_at is not None and now - self._exit_at < _PRESSED_MS
        return {
            "doorState": "open" if is_through or (self._is_held and not is_waiting) else "closed",
            "lockState": "unlocked" if is_unlocked or self._is_burning else "locked",
            "tamper": "tampered" if self._is_tampered else "ok",
            "fire": "fire" if self._is_burning else "normal",
            "exitButton": "pressed" if since_exit is not None and since_exit < _PRESSED_MS else "released",
        }

    def _visit(self, now: int) -> int | None:
        """Say when somebody leaves by the exit button in this slot; in every second one, by the seed."""
        slot = now // _SLOT_MS
        if not self._has_visits or not draw(self._seed, "visitor", slot) % 2:
            return None
        return slot * _SLOT_MS + draw(self._seed, "visit", slot) % (_SLOT_MS - _UNLOCKED_MS)
