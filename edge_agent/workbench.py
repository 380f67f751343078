"""What an engineer may do on the lines of a running gateway: write, record, search, probe.

A search is the last to get the line: it goes on only when nobody else wants it, one question at a time.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from drivers.base import Driver, Options
from drivers.bus.exchange import Priority
from drivers.bus.owner import Bus
from drivers.bus.settings import BusSettings
from drivers.errors import BusDown, ProfileError
from drivers.profile import Profile, load_profile, profile_names
from drivers.search import Progress, Scope, Sighting
from drivers.search.osdp import ADDRESSES as OSDP_ADDRESSES
from drivers.search.registry import WAYS
from edge_agent.capture import framings, new_head, record
from edge_agent.config import Device
from edge_agent.control import ControlError, Handler, Stream
from edge_agent.probe import Question, examine, protocols_for
from edge_agent.recorder import Recorder
from edge_agent.write import NotWritten, Order, carry_out
from protocols.sync import Lane

_MOST_LISTENERS = 4
_MOST_TRIES = 100
_REST_S = 0.02
_LONGEST_REST_S = 2.0
# Those that the kind of a bus does not name, but that its line carries.
_SEARCHED = {"modbus-tcp": ("modbus",), "osdp": ("osdp",), "ble": ("ble",)}
_SERIAL = ("modbus", "dlt645", "cjt188", "mbus")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the running gateway."""

    settings: BusSettings
    bus: Bus
    devices: tuple[Device, ...]


class Workbench:
    """Answer the questions of ``edge write``, ``capture``, ``scan`` and ``probe``."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._lines: dict[str, Line] = {}
        self._drivers: dict[str, Driver] = {}

    def add(self, settings: BusSettings, bus: Bus, devices: tuple[Device, ...], drivers: Mapping[str, Driver]) -> None:
        """Put a line on it."""
        self._lines[settings.id] = Line(settings, bus, devices)
        self._drivers |= drivers

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return {"write": self._write}

    @property
    def streams(self) -> Mapping[str, Stream]:
        return {"capture": self._capture, "scan": self._scan, "probe": self._probe}

    async def _write(self, question: Mapping[str, Any]) -> Any:
        """Write one point of one device for the engineer who may use this socket."""
        driver = self._drivers.get(str(question.get("device")))
        if driver is None:
            raise ControlError(f"there is no device '{question.get('device')}' in this gateway's settings")
        order = order_of(question)
        try:
            return await carry_out(driver, order, partial(self._recorder.commit, lane=Lane.CONTROL))
        except KeyError:
            raise ControlError(f"'{order.device}' has no point '{order.point}'") from None
        except NotWritten as error:
            raise ControlError(f"'{order.device}' was not written: {error}") from None

    async def _capture(self, question: Mapping[str, Any]) -> AsyncGenerator[Any]:
        line = self._line(question)
        if line.bus.kind == "ble":
            raise ControlError(
                f"'{line.settings.id}' is a radio and no line to record. See 'edge scan {line.settings.id}'."
            )
        if line.bus.tap.count >= _MOST_LISTENERS:
            raise ControlError(f"{_MOST_LISTENERS} recordings of '{line.settings.id}' run already. End one of them.")
        protocols = frozenset(device.profile.protocol for device in line.devices)
        head = new_head(line.settings, framings(line.settings, protocols))
        async with aclosing(record(line.bus.tap, head)) as source:
            async for told in source:
                yield told

    async def _scan(self, question: Mapping[str, Any]) -> AsyncGenerator[Any]:
        line = self._line(question)
        carried = _SEARCHED.get(line.bus.kind, _SERIAL)
        protocols = [str(name) for name in question.get("protocols") or carried]
        if wrong := [name for name in protocols if name not in carried]:
            raise ControlError(f"'{line.settings.id}' carries none of {', '.join(wrong)}. Name another protocol.")
        addresses, timeout_s = question.get("addresses"), question.get("timeout_s")
        if line.bus.kind == "osdp":  # a question in clear would end the session of a device that has one
            known = {it.address: it.id for it in line.devices}
            for address in known if addresses is None else [it for it in addresses if it in known]:
                detail = f"in the settings already: {known[address]}"
                yield {"protocol": "osdp", "found": Sighting("osdp", address, detail)._asdict()}
            addresses = [it for it in addresses or map(str, OSDP_ADDRESSES) if it not in known]
            if not addresses:
                return
        scope = Scope(
            tuple(map(str, addresses)) if addresses else None,
            None if timeout_s is None else float(timeout_s),
            Priority.SEARCH,
        )
        for protocol in protocols:
            found = WAYS[protocol].search(line.bus, scope)
            try:
                async for told in found:
                    yield {"protocol": protocol, **_told(told)}
                    await _leave_room(line.bus)
            except BusDown as error:
                raise ControlError(error.reason) from None
            except ValueError as error:
                raise ControlError(str(error)) from None
            finally:
                if isinstance(found, AsyncGenerator):
                    await found.aclose()

    async def _probe(self, question: Mapping[str, Any]) -> AsyncGenerator[Any]:
        line = self._line(question)
        try:
            asked = question_of(question, line)
            if line.bus.kind == "osdp":
                asked = replace(asked, live=self._live(line, asked.address))
            async with aclosing(examine(line.bus, asked)) as source:
                async for told in source:
                    yield told
        except BusDown as error:
            raise ControlError(error.reason) from None

    def _live(self, line: Line, address: str) -> Driver | None:
        return next((self._drivers[it.id] for it in line.devices if it.address == address), None)

    def _line(self, question: Mapping[str, Any]) -> Line:
        line = self._lines.get(str(question.get("bus")))
        if line is None:
            raise ControlError(f"there is no bus '{question.get('bus')}' in this gateway's settings")
        return line


def order_of(question: Mapping[str, Any]) -> Order:
    """Read an order that JSON has carried.

    Raises: ControlError.
    """
    try:
        expires_at = datetime.fromisoformat(question["expires_at"]).astimezone(UTC)
        password = question.get("password")
        return Order(
            str(question["device"]),
            str(question["point"]),
            Decimal(str(question["value"])),
            str(question["operator"]),
            str(question.get("account") or question["operator"]),
            expires_at,
            None if password is None else str(password),
        )
    except (KeyError, TypeError, ValueError, InvalidOperation):
        raise ControlError("an order names device, point, value, operator and expires_at") from None


def question_of(question: Mapping[str, Any], line: Line) -> Question:
    """Read what is to be probed. Raises: ControlError."""
    address = str(question.get("address"))
    device = next((it for it in line.devices if it.address == address), None)
    try:
        return new_question(
            line.bus.kind,
            address,
            device,
            profile=question.get("profile"),
            protocol=question.get("protocol"),
            tries=min(_MOST_TRIES, int(question.get("tries") or 5)),
            is_all=bool(question.get("is_all")),
        )
    except ProfileError as error:
        raise ControlError(str(error.faults[0])) from None
    except ValueError as error:
        raise ControlError(str(error)) from None


def new_question(
    bus_kind: str,
    address: str,
    device: Device | None,
    *,
    profile: str | None,
    protocol: str | None,
    tries: int,
    is_all: bool,
) -> Question:
    """Choose the profiles to try: the one named, the device's own, and all others of the protocol.

    Raises: ProfileError; ValueError for an address that nothing on such a bus has.
    """
    named = profile
    if named is not None:
        profiles = [load_profile(named)]
    else:
        profiles = all_profiles()
        named = None if device is None else device.profile.name
        if named is not None:
            protocol = protocol or next(it.protocol for it in profiles if it.name == named)
    protocols = protocols_for(bus_kind, address, profiles)
    if named is not None or protocol is not None:
        wanted = protocol or profiles[0].protocol
        protocols = (wanted,)
    if not protocols:
        raise ValueError(
            f"'{address}' is no address of anything on a bus of kind '{bus_kind}'. Write the device's address."
        )
    options = Options() if device is None else device.options
    return Question(address, protocols, tuple(profiles), named, is_all, tries, options)


def all_profiles() -> list[Profile]:
    """Load every profile that is whole; a broken one is the linter's to tell."""
    found = []
    for name in profile_names():
        try:
            found.append(load_profile(name))
        except ProfileError:
            continue
    return found


def _told(told: Progress | Sighting) -> dict[str, Any]:
    if isinstance(told, Progress):
        return {"done": told.done, "total": told.total, "text": told.text}
    return {"found": told._asdict()}


async def _leave_room(bus: Bus) -> None:
    """Wait until the line has been idle for a moment, a while at the most."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _LONGEST_REST_S
    while loop.time() < deadline:
        is_idle = bus.is_idle
        await asyncio.sleep(_REST_S)
        if is_idle and bus.is_idle:
            return
