"""When a device of an OSDP line is taken up and when it is given up. Pure: the caller brings the time.

    AWAY     --answers a poll-->              JOINING
    AWAY     --does not-->                    AWAY, polled again after 1, 2, 4, 8, 10, 10 ... s
    JOINING  --its session stands-->          ONLINE
    JOINING  --8 s later it does not-->       AWAY
    ONLINE   --silent, or the library gives it up--> AWAY

libosdp has only those that are not AWAY: a dead one would take seconds of everybody's line, over
and over again, and one that it has given up it leaves alone for 300 s.
"""

from dataclasses import dataclass
from enum import Enum

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 10.0
_JOIN_S = 8.0


class Stage(Enum):
    AWAY = "away"
    JOINING = "joining"
    ONLINE = "online"


@dataclass(slots=True)
class Watch:
    """One device. Units: ``due_at`` is when to poll it or to give it up, in seconds of one monotonic clock."""

    stage: Stage = Stage.AWAY
    due_at: float = 0.0
    pause_s: float = FIRST_PAUSE_S

    def is_due(self, now: float) -> bool:
        """Tell whether it is to be polled."""
        return self.stage is Stage.AWAY and now >= self.due_at

    def look(self, now: float, *, is_online: bool, is_silent: bool) -> bool:
        """Tell whether it is to be given up; ``is_online`` is the library's word, ``is_silent`` the line's."""
        if self.stage is Stage.JOINING and is_online:
            self.stage, self.pause_s = Stage.ONLINE, FIRST_PAUSE_S
        is_lost = {
            Stage.AWAY: False,
            Stage.JOINING: now >= self.due_at,
            Stage.ONLINE: not is_online or is_silent,
        }[self.stage]
        if is_lost:
            self.stage = Stage.AWAY
            self._wait(now)
        return is_lost

    def polled(self, now: float, *, has_answered: bool) -> None:
        """Take note of a poll; one that answered is to be handed to the library."""
        if has_answered:
            self.stage, self.due_at = Stage.JOINING, now + _JOIN_S
        else:
            self._wait(now)

    def _wait(self, now: float) -> None:
        self.due_at = now + self.pause_s
        self.pause_s = min(2 * self.pause_s, LONGEST_PAUSE_S)
