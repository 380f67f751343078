"""What the inputs and counters of an I/O module mean at this installation. Pure.

    [device.input.input3]        an input that means something
    means = "leak"               leak, smoke, pump-fault, pump-running, contact or alarm
    invert = true                a contact that opens when it means it
    after_s = 5                  it has to hold for so long before an alarm is raised

    [device.pulse.counter1]      a counter whose pulses are worth something
    register = "volumeTotal"
    weight = 0.01
    unit = "m3"

The profile's own point gives way to one that is named by what it means, so that everything behind
the driver, the counter guard above all, treats it as what it is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from drivers.profile import Point, Profile
from drivers.profile.modbus import Source, modulus
from protocols.quantity import UNITS, canonical_unit
from protocols.toml import Document, Fault, Loc

Means = Literal["leak", "smoke", "pump-fault", "pump-running", "contact", "alarm"]
_REGISTER_UNITS = ("kWh", "m3", "GJ")


class Meaning(NamedTuple):
    """What an input is called, its words for off and on, and the alarm that on raises, None for none."""

    point: str
    off: str
    on: str
    condition: str | None


MEANINGS: Mapping[str, Meaning] = {
    "leak": Meaning("leak", "dry", "wet", "water_leak"),
    "smoke": Meaning("smoke", "clear", "smoke", "smoke"),
    "pump-fault": Meaning("pumpFault", "ok", "fault", "pump_fault"),
    "pump-running": Meaning("pumpRunning", "stopped", "running", None),
    "contact": Meaning("contact", "closed", "open", None),
    "alarm": Meaning("inputAlarm", "off", "on", "input_alarm"),
}


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InputTable(_Table):
    """One input of a module. Units: ``after_s`` seconds."""

    means: Means
    invert: bool = False
    after_s: Annotated[float, Field(ge=0, le=3600)] = 0


class PulseTable(_Table):
    """One counter of a module; ``weight`` of a pulse in ``unit``."""

    register_: Annotated[str, Field(alias="register", pattern=r"^[a-z][A-Za-z0-9]{0,39}$")]
    weight: Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]
    unit: str


@dataclass(frozen=True, slots=True)
class Watched:
    """An input that raises an alarm while it has this word. Units: ``after_s`` seconds."""

    point: str
    source: str
    word: str
    condition: str
    after_s: float


def mapped(
    profile: Profile, inputs: Mapping[str, InputTable], pulses: Mapping[str, PulseTable]
) -> tuple[Profile, tuple[Watched, ...]]:
    """Give the profile of this very installation, and the inputs that raise alarms.

    Two inputs of one meaning are told apart by number: leak, leak2.
    """
    counts: dict[str, int] = {}
    points, watched = [], []
    for point in profile.points:
        if (told := inputs.get(point.name)) is not None:
            meaning = MEANINGS[told.means]
            counts[meaning.point] = counts.get(meaning.point, 0) + 1
            name = meaning.point + (str(counts[meaning.point]) if counts[meaning.point] > 1 else "")
            assert isinstance(point.source, Source)
            source = replace(point.source, is_inverted=told.invert)
            # Code and word stay together: the centre, too, knows 1 as what the input is there to tell.
            points.append(replace(point, name=name, source=source, states={0: meaning.off, 1: meaning.on}))
            if meaning.condition is not None:
                watched.append(Watched(name, point.name, meaning.on, meaning.condition, told.after_s))
        elif (pulse := pulses.get(point.name)) is not None:
            points.append(_register(point, pulse))
        else:
            points.append(point)
    probe = points[[point.name for point in profile.points].index(profile.probe)].name
    return replace(profile, points=tuple(points), probe=probe), tuple(watched)


def _register(point: Point, pulse: PulseTable) -> Point:
    assert isinstance(point.source, Source)
    source = replace(point.source, scale=pulse.weight)
    return replace(
        point, name=pulse.register_, unit=pulse.unit, source=source, is_register=True, modulus=modulus(source)
    )


def faults(
    document: Document,
    loc: Loc,
    profile: Profile,
    inputs: Mapping[str, InputTable],
    pulses: Mapping[str, PulseTable],
) -> Iterator[Fault]:
    """Find what does not go together with the profile."""
    if profile.kind != "io":
        for key in [name for name, tables in (("input", inputs), ("pulse", pulses)) if tables]:
            yield document.fault((*loc, key), f"a device of kind '{profile.kind}' has no {key}s to map", "Remove it.")
        return
    points = {point.name: point for point in profile.points}
    for name in inputs:
        if name not in points or not _is_input(points[name]):
            message = f"the profile '{profile.name}' has no input '{name}'"
            yield document.fault((*loc, "input", name), message, _choice(profile, has_states=True))
    names: list[str] = [name for name in points if name not in pulses and name not in inputs]
    for name, pulse in pulses.items():
        place = (*loc, "pulse", name)
        if name not in points or points[name].states or not isinstance(points[name].source, Source):
            message = f"the profile '{profile.name}' has no counter '{name}'"
            yield document.fault(place, message, _choice(profile, has_states=False))
        if pulse.unit not in UNITS or canonical_unit(pulse.unit) not in _REGISTER_UNITS:
            message = f"pulses are of energy or volume, and '{pulse.unit}' is neither"
            yield document.fault((*place, "unit"), message, "Write kWh, m3, L or GJ.")
        if pulse.register_ in names:
            message = f"there is a point '{pulse.register_}' already"
            yield document.fault((*place, "register"), message, "Give each register a name of its own.")
        names.append(pulse.register_)


def _is_input(point: Point) -> bool:
    """Tell whether a point is a bit that is read and not written."""
    return isinstance(point.source, Source) and point.source.type == "bit" and point.write is None


def _choice(profile: Profile, *, has_states: bool) -> str:
    names = [point.name for point in profile.points if (_is_input(point) if has_states else not point.states)]
    return f"It has: {', '.join(names) or 'none'}."
