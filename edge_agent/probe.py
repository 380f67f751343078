"""Finding out whether one device lives, what it is, how fast it answers and which profiles fit it.

Works on an open bus, the running gateway's or one's own, and only ever reads.
"""

import asyncio
import statistics
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from drivers.base import Driver, Options
from drivers.bus.exchange import ModbusIdentity, Priority
from drivers.bus.owner import Bus
from drivers.errors import DeviceBusy, DeviceError, DeviceOffline, DeviceRefused, ProfileError
from drivers.factory import complaint, create_driver
from drivers.profile import Profile, load_profile
from drivers.search import Scope, Sighting
from drivers.search.registry import WAYS
from edge_agent.fit import FITS, MISFIT, PARTLY, UNCLEAR, Fit, judge, telling_points
from protocols.modbus_identity import BASIC, OBJECTS, REGULAR, decode_identity_response

_RANKS = {FITS: 0, PARTLY: 1, UNCLEAR: 2, MISFIT: 3}
# A session with these is the bus's own, and who they are they say themselves.
_BROADCAST = frozenset({"bthome", "beacon", "ble-lock"})
_SELF_TOLD = frozenset({"osdp", *_BROADCAST})
_MOST_LOST = 3
_MOST_PARTS = 8


@dataclass(frozen=True, slots=True)
class Question:
    """Whom to ask, as what.

    Shape: ``protocols`` in the order in which they are tried; ``profiles`` those that may fit;
    ``named`` the one that somebody has said the device has; where it fits, others are tried only for ``is_all``. ``live`` is the driver of a device whose session must not be disturbed: it
    is asked through that alone.
    """

    address: str
    protocols: tuple[str, ...]
    profiles: tuple[Profile, ...]
    named: str | None = None
    is_all: bool = False
    tries: int = 5
    options: Options = field(default_factory=Options)
    live: Driver | None = None


@dataclass(slots=True)
class _Pulse:
    times: list[float] = field(default_factory=list)
    lost: int = 0
    error: str | None = None

    def as_json(self) -> dict[str, Any]:
        told = {"tries": len(self.times) + self.lost, "answered": len(self.times), "lost": self.lost}
        shown = [round(1000 * it, 1) for it in self.times]
        return {
            **told,
            "min_ms": min(shown, default=None),
            "median_ms": round(statistics.median(shown), 1) if shown else None,
            "max_ms": max(shown, default=None),
        }


def protocols_for(bus_kind: str, address: str, profiles: Sequence[Profile]) -> tuple[str, ...]:
    """Name the protocols that a bus carries and that have such an address, the likely ones first."""
    found = {profile.protocol for profile in profiles if complaint(profile, bus_kind, address) is None}
    if found & _BROADCAST:
        return ("ble",)  # who advertises says what it is
    order = ("modbus", "dlt645", "cjt188", "mbus", "osdp")
    return tuple(name for name in order if name in found)


async def examine(bus: Bus, question: Question) -> AsyncGenerator[dict[str, Any]]:
    """Tell ``{"progress": text}`` now and then, and ``{"report": ...}`` at the end.

    Raises: BusDown.
    """
    address = question.address
    sighting: Sighting | None = None
    for protocol in question.protocols if question.live is None else ():
        yield {"progress": f"asking {address} as {protocol}"}
        if (sighting := await _sighting(bus, protocol, address)) is not None:
            break
    protocol = question.protocols[0] if sighting is None else sighting.protocol
    identity = await _modbus_identity(bus, int(address)) if protocol == "modbus" and sighting is not None else {}
    drivers = list(_drivers(bus, question, protocol)) if question.live is None else [question.live]
    # A protocol without a search is tried through the profile that was named.
    is_searched = protocol in WAYS and question.live is None
    pulse = _Pulse()
    if drivers and (sighting is not None or not is_searched):
        yield {"progress": "measuring round trips"}
        pulse = await _pulse(_likely(bus, question, drivers, sighting), question.tries)
    is_alive = sighting is not None or bool(pulse.times)
    fits: list[Fit] = []
    if is_alive and protocol not in _SELF_TOLD:
        for driver in sorted(drivers, key=lambda driver: driver.profile.name != question.named):
            yield {"progress": f"trying {driver.profile.name}"}
            fits.append(await try_profile(driver))
            if not question.is_all and (fits[-1].profile, fits[-1].verdict) == (question.named, FITS):
                break
    # Of two that fit as well, the one that tells more: a three-phase meter answers a single-phase profile, too.
    sizes = {driver.profile.name: len(driver.profile.points) for driver in drivers}
    fits.sort(
        key=lambda fit: (
            _RANKS[fit.verdict],
            fit.profile != question.named,
            -fit.score,
            -sizes[fit.profile],
            fit.profile,
        )
    )
    hint = None if sighting is None else sighting.profile_hint
    yield {
        "report": {
            "alive": is_alive,
            "address": address,
            "protocol": protocol,
            "said": None if sighting is None else sighting.detail,
            "identity": identity,
            "hint": hint,
            "round_trip": pulse.as_json(),
            "error": pulse.error,
            "profiles": [_fit_json(fit) for fit in fits],
            "advice": advice(question.named, hint, fits) if is_alive else None,
        }
    }


def advice(named: str | None, hint: str | None, fits: Sequence[Fit]) -> str | None:
    """Say in one sentence what to do about the profile; None where the named one fits."""
    best = next((fit for fit in fits if fit.verdict == FITS), None)
    mine = next((fit for fit in fits if fit.profile == named), None)
    if mine is not None and mine.verdict == MISFIT:
        reasons = " and ".join(mine.reasons[:2]) or "too little of it is answered"
        others = best.profile if best is not None else hint if hint != named else None
        if mine.remedy is not None:
            remedy = mine.remedy
        elif others is not None:
            remedy = f"Take '{others}', which fits"
        else:
            remedy = "Take the register map of this very model, and see single values with 'edge guess-order'"
        return f"The profile {named} does not fit: {reasons}. {remedy}."
    if mine is not None and mine.verdict == UNCLEAR:
        return f"Nothing speaks against the profile {named}, and nothing for it: every value is zero. Probe again under load."
    if mine is not None:
        return None
    if best is not None:
        return f"Take the profile '{best.profile}'."
    if hint is not None:
        return f"Take the profile '{hint}'."
    if fits:
        return (
            "No profile fits. Take the register map of this very model, and see single values with 'edge guess-order'."
        )
    return None


async def try_profile(driver: Driver) -> Fit:
    """Read a few telling points by a profile and judge them.

    Raises: BusDown.
    """
    profile = driver.profile
    try:
        return judge(profile, await driver.read(telling_points(profile), Priority.COMMAND))
    except DeviceRefused as error:
        return judge(profile, error.partial, None if error.partial else error.reason)
    except (DeviceOffline, DeviceBusy) as error:
        return judge(profile, error.partial, None if error.partial else error.reason)


async def _sighting(bus: Bus, protocol: str, address: str) -> Sighting | None:
    way = "ble" if protocol in _BROADCAST else protocol
    if way not in WAYS:
        return None
    try:
        async for told in WAYS[way].search(bus, Scope((address,), None, Priority.COMMAND)):
            if isinstance(told, Sighting):
                return told
    except ValueError:
        return None  # not an address of this protocol
    return None


async def _modbus_identity(bus: Bus, unit: int) -> dict[str, str]:
    """Ask a unit who it is; many do not say."""
    found: dict[str, str] = {}
    for level in (REGULAR, BASIC):
        place: int | None = 0
        try:
            for _ in range(_MOST_PARTS):
                answer = await bus.execute(ModbusIdentity(unit, level, place or 0), Priority.COMMAND)
                part = decode_identity_response(answer.payload)
                found |= {OBJECTS.get(number, f"object {number}"): text for number, text in part.texts.items()}
                place = part.next_object
                if place is None:
                    break
        except DeviceOffline:
            break
        except DeviceError:
            continue
        break
    return found


def _drivers(bus: Bus, question: Question, protocol: str) -> Iterator[Driver]:
    """Make the drivers of the profiles that could stand there; none of them may write."""
    if protocol in _SELF_TOLD:
        return
    for profile in question.profiles:
        if profile.protocol != protocol or complaint(profile, bus.kind, question.address) is not None:
            continue
        try:
            with bus.without_permits():
                yield create_driver(profile, bus, question.address, question.options)
        except ProfileError:
            continue


def _likely(bus: Bus, question: Question, drivers: Sequence[Driver], sighting: Sighting | None) -> Driver:
    """Choose by what the device said of itself, whichever profile is to be tried: its question gets an answer."""
    hint = None if sighting is None else sighting.profile_hint
    if hint is None or complaint(load_profile(hint), bus.kind, question.address) is not None:
        return drivers[0]
    with bus.without_permits():
        return create_driver(load_profile(hint), bus, question.address, question.options)


async def _pulse(driver: Driver, tries: int) -> _Pulse:
    """Ask one question several times; a device that never answers is not asked them all."""
    pulse = _Pulse()
    loop = asyncio.get_running_loop()
    for _ in range(tries):
        began = loop.time()
        try:
            await driver.probe(Priority.COMMAND)
        except DeviceOffline as error:
            pulse.lost, pulse.error = pulse.lost + 1, error.reason
            if pulse.lost >= _MOST_LOST and not pulse.times:
                break
        else:
            pulse.times.append(loop.time() - began)
    return pulse


def _fit_json(fit: Fit) -> dict[str, Any]:
    return {
        "profile": fit.profile,
        "verdict": fit.verdict,
        "score": fit.score,
        "reasons": list(fit.reasons),
        "remedy": fit.remedy,
    }
