"""Who advertises around a Bluetooth adapter, and what of; nobody is asked for anything."""

import asyncio
import math
from collections.abc import AsyncIterator, Iterator

from drivers.bus.ble import BleBus, Heard
from drivers.bus.owner import Bus
from drivers.errors import BusDown
from drivers.search import Progress, Scope, Sighting
from drivers.sensor.address import beacon_name, check_mac
from protocols.ble.advertisement import Advertisement, mac_bytes
from protocols.ble.beacon import (
    EddystoneEid,
    EddystoneSealedTlm,
    EddystoneTlm,
    EddystoneUid,
    EddystoneUrl,
    IBeacon,
    beacon,
)
from protocols.ble.bthome import SERVICES, decode, open_envelope
from protocols.errors import ProtocolError

LISTEN_S = 15.0
STRANGER = "ble"
_STEP_S = 0.5
_SETTLED_S = 2.0  # a device tells itself in several frames
# measurand -> the profile that reads it, the most telling first
_PROFILES = {
    "leak": "sensor/bthome-leak",
    "smoke": "sensor/bthome-smoke",
    "door": "sensor/bthome-door",
    "window": "sensor/shelly-blu-door-window",
    "motion": "sensor/bthome-motion",
    "humidity": "sensor/bthome-thermometer",
    "temperature": "sensor/bthome-thermometer",
}


class _Device:
    """What one address has said so far."""

    def __init__(self, heard: Heard) -> None:
        self.first = heard.monotonic
        self.is_told = False
        self.frames: dict[tuple[str, str], Advertisement] = {}

    def add(self, heard: Heard) -> None:
        told = heard.advertisement
        for service, data in told.service_data.items():
            self.frames[service, data[:1].hex() if service == "feaa" else ""] = told
        for company in told.manufacturer_data:
            self.frames["maker", f"{company:04x}"] = told
        self.frames["", ""] = told  # the last of all


async def search(bus: Bus, scope: Scope) -> AsyncIterator[Sighting | Progress]:
    """Listen for a while; who is there is told when it has had the time to say who it is.

    Raises: BusDown; ValueError for an address that is none.
    """
    assert isinstance(bus, BleBus)
    for address in scope.addresses or ():
        check_mac(address)
    wanted = None if scope.addresses is None else {address.upper() for address in scope.addresses}
    found: dict[str, _Device] = {}

    def hear(heard: Heard) -> None:
        address = heard.advertisement.address
        if wanted is None or address in wanted:
            found.setdefault(address, _Device(heard)).add(heard)

    listen_s = scope.timeout_s or LISTEN_S
    steps = max(1, round(listen_s / _STEP_S))
    stop = bus.listen(hear)
    try:
        for step in range(steps):
            yield Progress(step, steps, f"{len(found)} heard")
            await asyncio.sleep(listen_s / steps)
            if bus.error is not None:
                raise BusDown(bus.error)
            for sighting in _ripe(found, asyncio.get_running_loop().time() - _SETTLED_S):
                yield sighting
    finally:
        stop()
    for sighting in _ripe(found, math.inf):
        yield sighting
    yield Progress(steps, steps, "")


def _ripe(found: dict[str, _Device], before: float) -> Iterator[Sighting]:
    """Tell who has had time enough; telephones and other strangers come last, behind what can be read."""
    for address, device in found.items():
        if device.is_told or device.first > before:
            continue
        told = list(describe(address, list(device.frames.values())))
        if before == math.inf or told[0].protocol != STRANGER:
            device.is_told = True
            yield from told


def describe(address: str, frames: list[Advertisement]) -> Iterator[Sighting]:
    """Say what a device is by what it has said, the last frame at the end."""
    rssi = frames[-1].rssi
    strength = "" if rssi is None else f", {rssi} dBm"
    name = next((frame.local_name for frame in reversed(frames) if frame.local_name), None)
    called = f" '{name}'" if name else ""
    sensed: dict[str, Sighting] = {}
    for frame in frames:
        for told in (*_bthome(address, frame), *_beacon(address, frame)):
            sensed[told.detail] = told
    if not sensed:
        makers = ", ".join(f"maker {company:04X}" for frame in frames[-1:] for company in frame.manufacturer_data)
        services = ", ".join(f"service {uuid}" for uuid in frames[-1].service_data)
        what = ", ".join(part for part in (makers, services) if part) or "says nothing of itself"
        sensed[what] = Sighting(STRANGER, address, what)
    for protocol in dict.fromkeys(told.protocol for told in sensed.values()):
        same = [told for told in sensed.values() if told.protocol == protocol]
        hint = next((told.profile_hint for told in same if told.profile_hint), None)
        detail = "; ".join(told.detail for told in same)
        yield Sighting(protocol, same[0].address, f"{detail}{called}{strength}", hint)


def _bthome(address: str, frame: Advertisement) -> Iterator[Sighting]:
    for service in SERVICES:
        data = frame.service_data.get(service)
        if data is None:
            continue
        try:
            envelope = open_envelope(service, data)
            if envelope.is_encrypted:
                detail = f"BTHome v{envelope.version}, encrypted: needs a key_file"
                yield Sighting("bthome", address, detail)
                continue
            read = decode(service, data, mac=mac_bytes(address))
        except ProtocolError as error:
            yield Sighting("bthome", address, f"BTHome that cannot be read ({error.detail})")
            continue
        said = [f"{it.label} {it.text or it.value} {it.unit}".strip() for it in read.values]
        said += [it.label for it in read.events]
        names = {it.name for it in read.values}
        hint = next((profile for name, profile in _PROFILES.items() if name in names), None)
        yield Sighting("bthome", address, f"BTHome v{read.version}: {', '.join(said) or 'no value'}", hint)


def _beacon(address: str, frame: Advertisement) -> Iterator[Sighting]:
    try:
        told = beacon(frame)
    except ProtocolError as error:
        yield Sighting("beacon", address, f"a damaged beacon ({error.detail})")
        return
    match told:
        case IBeacon():
            yield Sighting("beacon", address, f"iBeacon {beacon_name(told)}", "beacon/ibeacon")
        case EddystoneUid():
            yield Sighting("beacon", address, f"Eddystone {beacon_name(told)}", "beacon/eddystone")
        case EddystoneTlm():
            yield Sighting("beacon", address, "Eddystone with telemetry", "beacon/eddystone")
        case EddystoneSealedTlm():
            yield Sighting("beacon", address, "Eddystone with sealed telemetry", "beacon/eddystone")
        case EddystoneEid():
            yield Sighting("beacon", address, "Eddystone with an identifier that changes")
        case EddystoneUrl(url=url):
            yield Sighting("beacon", address, f"Eddystone {url}", "beacon/eddystone")
