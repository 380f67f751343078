"""What may be ordered of a device from afar: what its profile lists, and never anything of a lift."""

from collections.abc import Iterator, Mapping
from typing import Any

from drivers.profile import Point, Profile
from protocols.command import DOOR, OPEN, RELAY, SETTING, VALVE, WRITE

# Their meters want a password with every order, which nobody but the engineer beside them has.
_ASKS_PASSWORD = frozenset({"dlt645"})


def kind_of(profile: Profile, action: str, args: Mapping[str, str], *, is_door: bool) -> str | None:
    """Give the class of an action on a device, None where it may not be ordered."""
    if profile.kind == "lift":
        return None
    if action == OPEN:
        return DOOR if is_door and not args else None
    if action != WRITE or set(args) != {"point", "value"}:
        return None
    point = next((it for it in _writable(profile) if it.name == args["point"]), None)
    return None if point is None else _kind(point)


def orderable(profile: Profile, *, is_door: bool) -> list[dict[str, Any]]:
    """List what may be ordered, as the gateway's status tells it."""
    if profile.kind == "lift":
        return []
    opening = [{"action": OPEN, "class": DOOR}] if is_door else []
    return [*opening, *(_described(point) for point in _writable(profile))]


def _writable(profile: Profile) -> Iterator[Point]:
    if profile.protocol not in _ASKS_PASSWORD:
        yield from (point for point in profile.points if point.write is not None)


def _kind(point: Point) -> str:
    if not point.states:
        return SETTING
    return VALVE if "valve" in point.name.lower() else RELAY


def _described(point: Point) -> dict[str, Any]:
    told: dict[str, Any] = {"action": WRITE, "class": _kind(point), "point": point.name, "unit": point.canonical_unit}
    if point.states:
        return {**told, "states": {str(code): word for code, word in point.states.items()}}
    low, high = (point.write.low, point.write.high) if point.write is not None else (None, None)
    return {**told, "min": None if low is None else f"{low:f}", "max": None if high is None else f"{high:f}"}
