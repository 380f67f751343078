"""All meters of a serial line as one ear: bytes in, for every whole request an answer to compose."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from drivers.sim.answer import Answer, Compose
from drivers.sim.cjt188_meter import answer_cjt188, is_asked_cjt188
from drivers.sim.dlt645_meter import answer_dlt645, is_asked_dlt645
from drivers.sim.modbus_units import answer_rtu, is_asked_rtu
from drivers.sim.simulated import Simulated
from protocols.framing import scanner
from protocols.stream import Found

# What a meter sends back, at an instant of the site's time and of the wall's; None for silence.
_Answer = Callable[[Simulated, Any, int, datetime], Answer | None]
_SPEAKERS: dict[str, tuple[Callable[[Simulated, Any], bool], _Answer]] = {
    "dlt645": (is_asked_dlt645, answer_dlt645),
    "cjt188": (is_asked_cjt188, answer_cjt188),
    "modbus": (is_asked_rtu, answer_rtu),
}


class SerialStation:
    """Find requests in what the line hears; bad frames and noise get no answer, as from a meter."""

    def __init__(
        self, protocol: str, meters: Sequence[Simulated], now_ms: Callable[[], int], now: Callable[[], datetime]
    ) -> None:
        self._scanner = scanner("modbus-rtu" if protocol == "modbus" else protocol)
        self._is_asked, self._answer = _SPEAKERS[protocol]
        self._meters = meters
        self._now_ms = now_ms
        self._now = now

    def feed(self, data: bytes) -> list[Compose]:
        """Take bytes in any portions."""
        return self._requests(self._scanner.feed(data))

    def flush(self) -> list[Compose]:
        """Give up on a request whose bytes have stopped coming."""
        return self._requests(self._scanner.flush())

    def _requests(self, found: Iterable[Found]) -> list[Compose]:
        return [partial(self._compose, piece.frame) for piece in found if piece.frame is not None]

    def _compose(self, request: Any) -> Answer | None:
        asked = [meter for meter in self._meters if self._is_asked(meter, request)]
        answers = [self._answer(meter, request, self._now_ms(), self._now()) for meter in asked]
        told = [answer for answer in answers if answer is not None]
        if len(told) > 1:
            return Answer(_collided([answer.data for answer in told]))
        return told[0] if told else None


def _collided(answers: Sequence[bytes]) -> bytes:
    """Lay answers over each other, each a byte behind the one before: nothing of them can be read any more."""
    wire = bytearray(b"\xff" * (max(map(len, answers)) + len(answers)))
    for delay, data in enumerate(answers):
        for place, byte in enumerate(data):
            wire[delay + place] &= byte
    return bytes(wire)
