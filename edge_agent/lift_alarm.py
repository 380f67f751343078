"""What is wrong with a lift, look by look. Pure: the caller brings the time.

    lift_entrapment  inferred, by the first of these rules that holds for its time:
        passenger-alarm   the alarm is on, the car stands, and not with open doors at a landing: 10 s
        outside-zone      in normal mode the car stands outside the door zone with closed doors: 60 s
    lift_fault       a fault code, or the car is out of service or recalled from its cabinet
    lift_fire_mode   firemen have the car, or it serves a fire

An entrapment is over when the car moves again or stands at a landing with open doors; an alarm
button that is let go frees nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from drivers.base import CarStatus

PASSENGER_S = 10.0
OUTSIDE_S = 60.0

_OUT = ("out-of-service", "cabinet-recall")
_FIRE = ("firefighter", "fire")


@dataclass(frozen=True, slots=True)
class LiftWatch:
    """What has been seen of a lift. Units: every instant is in seconds of one monotonic clock."""

    seen_at: float | None = None
    passenger_since: float | None = None
    outside_since: float | None = None
    entrapped_by: str | None = None


def look(watch: LiftWatch, car: CarStatus, now: float, *, most_silent_s: float) -> tuple[LiftWatch, Mapping[str, bool]]:
    """Take a look in; gives for each condition whether it holds.

    Units: after a silence of more than ``most_silent_s`` a state counts as new.
    """
    is_unseen = watch.seen_at is None or now - watch.seen_at > most_silent_s
    is_moving = car.direction in ("up", "down")
    is_free = car.door == "open" and car.in_door_zone != "no"
    is_calling = car.passenger_alarm == "on" and not is_moving and not is_free
    is_outside = (
        car.mode == "normal"
        and car.direction in ("none", "stopped")
        and car.in_door_zone == "no"
        and car.door == "closed"
    )
    passenger_since = _since(None if is_unseen else watch.passenger_since, now, is_on=is_calling)
    outside_since = _since(None if is_unseen else watch.outside_since, now, is_on=is_outside)
    by = None if is_moving or is_free else watch.entrapped_by
    if by is None and passenger_since is not None and now - passenger_since >= PASSENGER_S:
        by = "passenger-alarm"
    elif by is None and outside_since is not None and now - outside_since >= OUTSIDE_S:
        by = "outside-zone"
    conditions = {
        "lift_entrapment": by is not None,
        "lift_fault": car.fault_code not in (None, 0) or car.mode in _OUT,
        "lift_fire_mode": car.mode in _FIRE,
    }
    return LiftWatch(now, passenger_since, outside_since, by), conditions


def _since(since: float | None, now: float, *, is_on: bool) -> float | None:
    return (now if since is None else since) if is_on else None
