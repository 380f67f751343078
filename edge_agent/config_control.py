"""What a running gateway says and hears of its settings: at its socket, from the centre, and into the store."""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any

from edge_agent.config_keeper import ConfigKeeper, Unchanged
from edge_agent.config_revision import RevisionError
from edge_agent.config_trial import NotNow, Revision
from edge_agent.control import ControlError
from edge_agent.credential import UplinkError
from edge_agent.recorder import Recorder
from protocols.config_offer import REFUSED, RESULT
from protocols.errors import ProtocolError
from protocols.sync import Event, Lane
from protocols.toml import SettingsError

log = logging.getLogger("edge.config")

_AGAIN_S = 30.0
_REFUSED_EVERY_S = 600.0  # a flood of forged ones is told as one of each kind


class ConfigControl:
    """Connect one gateway's settings with the world; ``run`` it in a task."""

    def __init__(self, keeper: ConfigKeeper, recorder: Recorder, edge_id: str) -> None:
        self._keeper = keeper
        self._recorder = recorder
        self._subject = f"gateway:{edge_id}"
        self._refused_at: dict[str, float] = {}

    @property
    def centre(self) -> int | None:
        """The highest number that the centre has sent, None where none can be taken."""
        return self._keeper.centre

    def as_json(self) -> dict[str, Any]:
        return self._keeper.as_json()

    async def run(self) -> None:
        """Tell what has become of revisions until cancelled."""
        while True:
            self._keeper.news.clear()
            is_all = await self._tell()
            try:
                async with asyncio.timeout(None if is_all else _AGAIN_S):
                    await self._keeper.news.wait()
            except TimeoutError:
                pass

    async def _tell(self) -> bool:
        """Store what has still to be told; False where something of it could not be."""
        reverted = self._keeper.reverted
        detail = {} if reverted is None else {"revision": reverted.number, "reason": reverted.reason}
        await self._recorder.alarm(self._subject, "config_reverted", is_on=reverted is not None, detail=detail)
        for revision in self._keeper.untold():
            try:
                if not await self._recorder.commit(_event(self._subject, revision), Lane.CONTROL):
                    return False
                await self._keeper.told(revision.number)
            except RevisionError as error:
                log.error("%s", error)  # it is told once more, and counts once at the centre
                return False
        return True

    async def answer(self, question: Mapping[str, Any]) -> Any:
        """Apply settings or go back, as ``edge config`` asks."""
        action, by = question.get("action"), str(question.get("by") or "local command")
        number = question.get("revision")
        try:
            if action == "apply":
                text, name = str(question.get("text")), str(question.get("name"))
                made = await self._keeper.apply(text, name, f"{name}, {by}")
            elif action == "revert" and (number is None or type(number) is int):
                made = await self._keeper.revert(number, by)
            else:
                raise ControlError("settings can be applied and reverted, and nothing else")
        except Unchanged:
            return {"revision": self._keeper.book.current, "is_changed": False}
        except SettingsError as error:
            raise ControlError("; ".join(map(str, error.faults))) from None
        except (NotNow, RevisionError) as error:
            raise ControlError(str(error)) from None
        return {"revision": made, "is_changed": True, "window_s": self._keeper.window_s}

    async def came_down(self, message: Mapping[str, Any]) -> None:
        """Take a revision that the centre has sent by the way down."""
        await self.offered(message.get("offer"))

    async def offered(self, told: Any) -> None:
        """Take a revision that the centre offers; one that is not the centre's has no effect and is told of."""
        try:
            await self._keeper.offered(told)
        except ProtocolError as error:
            await self._refuse(error)
        except (UplinkError, RevisionError, SettingsError) as error:
            log.error("settings from the centre are not taken: %s", error)

    async def _refuse(self, error: ProtocolError) -> None:
        log.error("settings that came down are refused: %s", error.detail)
        now = time.monotonic()
        if now - self._refused_at.get(error.kind, -_REFUSED_EVERY_S) >= _REFUSED_EVERY_S:
            self._refused_at[error.kind] = now
            body = {"reason": error.kind, "detail": error.detail[:200]}
            await self._recorder.commit(Event(REFUSED, self._subject, _now_ms(), body), Lane.CONTROL)


def _event(subject: str, revision: Revision) -> Event:
    body = {
        "revision": revision.number,
        "centre": revision.centre,
        "state": revision.state.value,
        "reason": revision.reason,
        "hash": revision.hash,
        "origin": revision.origin,
    }
    return Event(RESULT, subject, revision.ended_at or revision.at, body)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
