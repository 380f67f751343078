"""What the shell offers where a device, a bus, a point or a profile is to be named; never an error."""

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from drivers.errors import ProfileError
from drivers.profile import load_profile, profile_names
from drivers.search.registry import WAYS
from edge_agent.config import ENVIRONMENT, PLACES


def devices(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer the devices of the settings, each with its name."""
    rows = _rows(ctx, "device")
    return [(row["id"], str(row.get("name", ""))) for row in rows if row["id"].startswith(incomplete)]


def buses(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer the buses of the settings, each with where it is."""
    rows = _rows(ctx, "bus")
    return [(row["id"], str(row.get("host", row.get("port", "")))) for row in rows if row["id"].startswith(incomplete)]


def places(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer devices and buses."""
    return [*devices(ctx, incomplete), *buses(ctx, incomplete)]


def points(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer the points of the device that is named before."""
    return [name for name in _points(ctx, only_writable=False) if name.startswith(incomplete)]


def writable_points(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer the points of the device that may be written."""
    return [name for name in _points(ctx, only_writable=True) if name.startswith(incomplete)]


def words(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer the states of the point that is named before."""
    profile = _profile(ctx)
    for point in profile.points if profile is not None else ():
        if point.name == ctx.params.get("point"):
            return [word for word in point.states.values() if word.startswith(incomplete)]
    return []


def profiles(incomplete: str) -> list[str]:
    """Offer the profiles there are."""
    return [name for name in profile_names() if name.startswith(incomplete)]


def protocols(incomplete: str) -> list[str]:
    """Offer the protocols that can be searched for."""
    return [name for name in WAYS if name.startswith(incomplete)]


def _points(ctx: typer.Context, *, only_writable: bool) -> Iterator[str]:
    profile = _profile(ctx)
    for point in profile.points if profile is not None else ():
        if point.write is not None or not only_writable:
            yield point.name


def _profile(ctx: typer.Context) -> Any:
    wanted = ctx.params.get("device")
    for row in _rows(ctx, "device"):
        if row["id"] == wanted:
            try:
                return load_profile(str(row.get("profile")))
            except ProfileError:
                return None
    return None


def _rows(ctx: typer.Context, table: str) -> list[dict[str, Any]]:
    """Read the settings' tables without judging them: half a file still has its names."""
    try:
        found = tomllib.loads(_file(ctx).read_text(encoding="utf-8")).get(table, [])
    except (OSError, ValueError):
        return []
    return [row for row in found if isinstance(row, dict) and isinstance(row.get("id"), str)]


def _file(ctx: typer.Context) -> Path:
    named = ctx.find_root().params.get("config") or os.environ.get(ENVIRONMENT)
    if named:
        return Path(named).expanduser()
    return next((place for place in PLACES if place.exists()), PLACES[0])
