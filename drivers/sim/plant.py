"""Builds the devices of a site and remembers where every register stands."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import ROUND_CEILING, Decimal

from drivers.profile import Profile, load_profile
from drivers.sim.door import Door
from drivers.sim.errors import SimError
from drivers.sim.iec62056_meter import ModeCStation
from drivers.sim.io import Driven, Module
from drivers.sim.journal import Journal
from drivers.sim.lift import Lift
from drivers.sim.load import STEP, Load, draw
from drivers.sim.mbus_meter import MbusStation, mbus_station
from drivers.sim.modbus_units import ModbusUnits, raw_value, registers_of
from drivers.sim.model import Base, Electricity, Model, Water
from drivers.sim.simulated import Simulated
from drivers.sim.site import Device, Line, Site
from drivers.sim.station import SerialStation
from drivers.sim.thermal import Gas, Heat, JouleHeat

_HOME_W = (200, 700)
_HOME_L_PER_H = (8, 30)
_HOME_HEAT_W = (500, 2000)
_HOME_GAS_L_PER_H = (20, 80)
_INITIAL_STEPS = 900_000
# At the wall's pace, as a door has it: a quarter turn, and a coil that pulls in.
_TRAVEL_MS = {"valve": 8_000, "relay": 100}


class Plant:
    """All live devices of a site, by the line they are on."""

    def __init__(self, devices: tuple[Simulated, ...], now_ms: Callable[[], int], now: Callable[[], datetime]) -> None:
        self._devices = devices
        self._now_ms = now_ms
        self._now = now

    def station(self, line: Line) -> SerialStation | MbusStation | ModeCStation:
        """Give the meters of a serial line; a line without live ones hears DL/T 645 and stays silent."""
        meters = self._on(line)
        if meters and meters[0].profile.protocol == "mbus":
            return mbus_station(meters, self._now_ms)
        if meters and meters[0].profile.protocol == "iec62056":
            return ModeCStation(meters, self._now_ms)
        return SerialStation(meters[0].profile.protocol if meters else "dlt645", meters, self._now_ms, self._now)

    def units(self, line: Line) -> ModbusUnits:
        """Give the units of a TCP line."""
        return ModbusUnits({int(it.device.address): it for it in self._on(line)}, self._now_ms)

    def registers_at(self, at_ms: int) -> dict[str, Decimal]:
        """Give the billed register of every meter at an instant."""
        shown: dict[str, Decimal] = {}
        for it in self._devices:
            value = it.model.values(at_ms).get(next(iter(it.model.registers), ""))
            if isinstance(value, Decimal):
                shown[it.device.id] = value
        return shown

    def model(self, device: str) -> Model | None:
        """Give a device's inside, for whoever makes something happen to it."""
        return next((it.model for it in self._devices if it.device.id == device), None)

    def _on(self, line: Line) -> list[Simulated]:
        return [it for it in self._devices if it.device.line == line.id and not it.device.dead]


def build_plant(
    site: Site,
    start_ms: int,
    registers: Mapping[str, Decimal],
    journal: Journal,
    now_ms: Callable[[], int],
    now: Callable[[], datetime],
) -> Plant:
    """Build every device, each register at or above all that it has ever shown.

    Shape: ``registers`` from the state file; the journal knows the last value of every meter and
    point, and every door's counter.

    Raises: SimError where a profile asks for what the model does not have.
    """
    devices = []
    for device in site.devices:
        profile = load_profile(device.profile)
        model = _model(site, device, profile, Base(0, start_ms), journal)
        point = next(iter(model.registers), "")
        known = (device.initial, registers.get(device.id), journal.last.get((device.id, point)))
        shown = [value for value in known if value is not None]
        drawn = draw(site.seed, device.id, "initial") % _INITIAL_STEPS
        steps = max((int((value / STEP).to_integral_value(ROUND_CEILING)) for value in shown), default=drawn)
        devices.append(Simulated(device, _model(site, device, profile, Base(steps, start_ms), journal), profile))
        _check_points(devices[-1], start_ms)
    return Plant(tuple(devices), now_ms, now)


def _model(site: Site, device: Device, profile: Profile, base: Base, journal: Journal) -> Model:
    seed = draw(site.seed, device.id)
    if profile.kind == "electricity":
        mean = _mean(device, seed, _HOME_W)
        return Electricity(Load(seed, mean, device.shape), base)
    if profile.kind == "water":
        mean = _mean(device, seed, _HOME_L_PER_H)
        return Water(Load(seed, mean, device.shape, burst_percent=100, group=30), base)
    if profile.kind == "heat":
        heat = Heat(Load(seed, _mean(device, seed, _HOME_HEAT_W), device.shape), base)
        return JouleHeat(heat) if profile.point(profile.probe).canonical_unit == "GJ" else heat
    if profile.kind == "gas":
        return Gas(Load(seed, _mean(device, seed, _HOME_GAS_L_PER_H), device.shape, burst_percent=100, group=30), base)
    if profile.kind in ("io", "valve", "relay"):
        pulses = Load(seed, _mean(device, seed, _HOME_L_PER_H), device.shape, burst_percent=100, group=30)
        travel_ms = _TRAVEL_MS.get(profile.kind)
        return Module(profile, pulses) if travel_ms is None else Driven(profile, pulses, travel_ms * site.speed)
    if profile.kind == "lift":
        return Lift(seed, site.speed, device.floors)
    return Door(seed, site.speed, has_visits=device.visits, counter=journal.cards.get(device.id, 0))


def _mean(device: Device, seed: int, bounds: tuple[int, int]) -> int:
    low, high = bounds
    return low + draw(seed, "mean") % (high - low) if device.mean is None else device.mean


def _check_points(it: Simulated, at_ms: int) -> None:
    """Meet at the start, not in an answer, what a profile names and the model does not have."""
    values = it.model.values(at_ms)
    for register in registers_of(it.profile):
        what = f"'{register.point}', which profile {it.profile.name} names for '{it.device.id}'"
        if register.point not in values:
            raise SimError(f"The simulator has no {what}. Simulate the device with another profile.")
        try:
            raw_value(register, values[register.point])
        except KeyError as error:
            raise SimError(f"The profile has no code for the state {error} of {what}. Add it to 'states'.") from None
