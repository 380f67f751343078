"""The alarms of an I/O module's inputs: raised when one has meant it for its time, cleared when none does."""

import time
from collections.abc import Sequence

from drivers.base import PointValue, words
from edge_agent.config import Device
from edge_agent.recorder import Recorder


class IoKeeper:
    """Take in what a module answers; a module that does not say leaves its alarms as they are."""

    def __init__(self, device: Device, recorder: Recorder) -> None:
        self.device = device
        self._recorder = recorder
        self._since: dict[str, float] = {}

    async def seen(self, values: Sequence[PointValue]) -> None:
        """Raise and clear what one answer says; commits before it returns."""
        told = words(self.device.profile, values)
        now = time.monotonic()
        known: dict[str, list[str]] = {}
        for watched in self.device.watched:
            word = told.get(watched.point)
            if word is None:
                return  # only a part was read, or answered
            if word != watched.word:
                self._since.pop(watched.point, None)
                known.setdefault(watched.condition, [])
                continue
            since = self._since.setdefault(watched.point, now)
            is_lasting = now - since >= watched.after_s
            known.setdefault(watched.condition, []).extend([watched.source] if is_lasting else [])
        for condition, inputs in known.items():
            detail = {"inputs": inputs}
            await self._recorder.alarm(f"device:{self.device.id}", condition, is_on=bool(inputs), detail=detail)
