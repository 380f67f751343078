"""Devices as pages show them: where they are, how they are, and what they last said."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from central_server.alarms import service as alarms
from central_server.dashboard import words
from central_server.dashboard.show import Show
from central_server.db import Database
from central_server.devices import service as devices
from central_server.devices.service import DeviceView
from central_server.rbac import Actor
from central_server.records import service as records
from central_server.records.store import MeterPlace
from central_server.telemetry import service as telemetry
from central_server.telemetry.service import Value
from protocols.quantity import BELIEVED

_PERIOD_S = 60
_LEAST_STALE_MS = 30_000


@dataclass(frozen=True, slots=True)
class Cell:
    """One live value; ``key`` is its name in the stream, ``states`` the words of its codes as JSON."""

    key: str
    point: str
    name: str
    text: str
    value: Decimal | None
    digits: int | None
    unit: str
    at: int
    quality: int
    states: str
    series_id: int

    @property
    def is_good(self) -> bool:
        return self.quality in BELIEVED


@dataclass(frozen=True, slots=True)
class Card:
    """One device; ``priority`` is that of its gravest lasting alarm, 0 for none."""

    view: DeviceView
    id: int
    name: str
    kind: str
    place: MeterPlace | None
    state: str
    priority: int
    cells: Mapping[str, Cell]
    at: int | None
    stale_ms: int

    @property
    def kind_name(self) -> str:
        return words.KINDS.get(self.kind, self.kind)

    @property
    def headline(self) -> list[Cell]:
        """The values that stand for the device in a list."""
        points = words.HEADLINES.get(self.kind, tuple(self.cells)[:2])
        return [self.cells[point] for point in points if point in self.cells]

    @property
    def is_well(self) -> bool:
        return self.state in ("ok", "unknown") and not self.priority

    @property
    def register(self) -> Cell | None:
        return self.cells.get(words.REGISTERS.get(self.kind, ""))


def cell(value: Value, kind: str, show: Show) -> Cell:
    """Print a value the way the browser will go on printing it."""
    states = {str(code): show.language.gettext(word) for code, word in words.states_of(kind, value.point).items()}
    digits = words.DIGITS.get(value.point)
    text = show.number(value.value, digits)
    if states and value.value is not None and value.value == int(value.value):
        text = states.get(str(int(value.value)), text)
    return Cell(
        key=f"{value.device_id}:{value.point}",
        point=value.point,
        name=words.point_name(value.point, show.language.gettext),
        text=text,
        value=value.value,
        digits=digits,
        unit=show.unit(value.unit),
        at=value.taken_at,
        quality=value.quality,
        states=json.dumps(states, ensure_ascii=False) if states else "",
        series_id=value.series_id,
    )


def stale_ms(state: Mapping[str, Any]) -> int:
    """Say after how long without a reading a value is old: three polls, 30 s at least."""
    period = state.get("period_s")
    seconds = period if isinstance(period, int | float) and period > 0 else _PERIOD_S
    return max(_LEAST_STALE_MS, round(3000 * seconds))


async def list_cards(db: Database, show: Show, actor: Actor) -> list[Card]:
    """Give the devices of the actor's site, those in need of attention first."""
    views = await devices.list_devices(db, actor, show.now)
    values = await telemetry.latest_values(db)
    places = await records.meter_places(db)
    open_subjects = await alarms.open_subjects(db)
    by_device: dict[int, list[Value]] = {}
    for value in values:
        by_device.setdefault(value.device_id, []).append(value)
    return [_card(view, by_device.get(view.device.id, []), places, open_subjects, show) for view in views]


async def one_card(db: Database, device_id: int, show: Show, actor: Actor) -> Card:
    """Give one device. Raises: NotFound, also for one of another site."""
    view = await devices.get_device(db, actor, device_id, show.now)
    values = await telemetry.latest_values(db, device_id)
    return _card(view, values, await records.meter_places(db), await alarms.open_subjects(db), show)


def _card(
    view: DeviceView,
    values: Sequence[Value],
    places: Mapping[tuple[str, str], MeterPlace],
    open_subjects: Mapping[tuple[int | None, str], int],
    show: Show,
) -> Card:
    row = view.device
    cells = {value.point: cell(value, row.kind, show) for value in values}
    priority = open_subjects.get((row.gateway_id, f"device:{row.code}"), 0)
    return Card(
        view=view,
        id=row.id,
        name=row.name or row.code,
        kind=row.kind,
        place=places.get((row.edge_id, row.code)),
        # A fault of its own says more than that its gateway is silent too.
        state="silent" if view.is_silent and not priority else str(view.state.get("state", "unknown")),
        priority=priority,
        cells=cells,
        at=max((each.at for each in cells.values()), default=None),
        stale_ms=stale_ms(view.state),
    )
