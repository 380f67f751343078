"""What is wrong at a door, look by look. Pure: the caller brings the time.

    door_forced       it opened, and neither a grant, the exit button nor a fire had released it
    door_held_open    it has been open for longer than its rule allows; a fire stops that clock
    door_tamper       the module's housing is open
    door_default_key  the line to the reader is protected only by a key that everybody knows
    door_power        the module says that its power fails

Each lasts until its cause is over; a forced door is forced until it is closed again.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from drivers.base import DoorStatus

# From the end of a pulse, or from the button, to the leaf leaving its frame.
GRACE_S = 5.0
# After a longer silence nobody knows how the door came to be open; that the module was silent is told already.
_MOST_SILENT_S = 5.0


@dataclass(frozen=True, slots=True)
class DoorWatch:
    """What has been seen of a door. Units: every instant is in seconds of one monotonic clock."""

    seen_at: float | None = None
    is_open: bool = False
    is_forced: bool = False
    open_since: float = 0.0
    exit_at: float | None = None
    fire_at: float | None = None


def look(
    watch: DoorWatch, door: DoorStatus, now: float, *, released_until: float | None, held_open_s: float
) -> tuple[DoorWatch, Mapping[str, bool]]:
    """Take a look in; gives for each condition that the module tells of whether it holds.

    Units: ``released_until`` is when the last pulse ended or will end, None before the first.
    """
    exit_at = now if door.exit_button == "pressed" else watch.exit_at
    fire_at = now if door.fire == "fire" else watch.fire_at
    is_open = watch.is_open if door.door is None else door.door == "open"
    has_opened = is_open and not watch.is_open
    is_unseen = watch.seen_at is None or now - watch.seen_at > _MOST_SILENT_S
    is_legitimate = any(at is not None and now <= at + GRACE_S for at in (exit_at, fire_at, released_until))
    is_forced = is_open and (watch.is_forced or (has_opened and not is_unseen and not is_legitimate))
    open_since = now if has_opened or door.fire == "fire" else watch.open_since
    conditions = {
        "door_forced": is_forced,
        "door_held_open": is_open and now - open_since > held_open_s,
    }
    if door.tamper is not None:
        conditions["door_tamper"] = door.tamper == "tampered"
    if door.key is not None:
        conditions["door_default_key"] = door.key == "default"
    if door.power is not None:
        conditions["door_power"] = door.power == "failed"
    return DoorWatch(now, is_open, is_forced, open_since, exit_at, fire_at), conditions
