"""Finding the meters of an M-Bus line: by primary address, or by their identifications.

The search by identification selects with wildcards. Silence ends a branch; one readable answer is
one meter, or several that differ elsewhere; anything else is a collision, and each digit is
tried in the next place. Depth first, because a line has few meters and a branch is mostly empty.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import NamedTuple

from drivers.bus.owner import Bus
from drivers.errors import DeviceBusy, DeviceOffline, DeviceRefused
from drivers.meter.mbus_line import ask_data, ask_reset, ask_select, conversation
from drivers.search import Progress, Scope, Sighting
from protocols.errors import ProtocolError
from protocols.mbus.address import Secondary, manufacturer_letters, parse_secondary
from protocols.mbus.frame import MAX_PRIMARY, SELECTED, decode_frame
from protocols.mbus.header import medium_word
from protocols.mbus.telegram import decode_telegram

_ANYTHING = Secondary("FFFFFFFF", 0xFFFF, 0xFF, 0xFF)
_DIGITS = 8
# The same identification twice: most often two media of one device.
_MEDIA = (0x02, 0x03, 0x04, 0x06, 0x07, 0x08, 0x0A, 0x0C, 0x0D, 0x15, 0x16)
_PROFILES = {
    0x02: "electricity/mbus-generic",
    0x03: "gas/mbus-generic",
    0x04: "heat/mbus-generic",
    0x0C: "heat/mbus-generic",
    0x0D: "heat/mbus-generic",
    0x06: "water/mbus-generic",
    0x07: "water/mbus-generic",
    0x15: "water/mbus-generic",
    0x16: "water/mbus-generic",
}
_SEARCH_TIMEOUT_S = 0.4
# A party that was silent is left alone for a while; by its next turn here that is over.
_PARTIES = 16


async def search(bus: Bus, scope: Scope) -> AsyncIterator[Sighting | Progress]:
    """Search by identification; ``scope.addresses`` are primary addresses or patterns to look at instead.

    Raises: BusDown.
    """
    if scope.addresses is None:
        async for told in search_secondary(bus, scope, _ANYTHING):
            yield told
        return
    primary = [address for address in scope.addresses if len(address) < _DIGITS]
    async for told in search_primary(bus, scope, [int(address) for address in primary]):
        yield told
    for address in scope.addresses:
        if address not in primary:
            async for told in search_secondary(bus, scope, parse_secondary(address)):
                yield told


async def search_primary(
    bus: Bus, scope: Scope, addresses: list[int] | range = range(MAX_PRIMARY + 1)
) -> AsyncIterator[Sighting | Progress]:
    """Ask one primary address after the other for its data.

    Raises: BusDown.
    """
    timeout_s = scope.timeout_s or _SEARCH_TIMEOUT_S
    for done, address in enumerate(addresses):
        yield Progress(done, len(addresses), f"address {address}")
        if (told := await _at(bus, scope, address, timeout_s)) is not None:
            yield told
    if addresses:
        yield Progress(len(addresses), len(addresses), "all addresses")


async def _at(bus: Bus, scope: Scope, address: int, timeout_s: float) -> Sighting | None:
    """Say who stands at a primary address."""
    async with conversation(bus):
        try:
            await bus.execute(ask_reset(address, f"address {address}", timeout_s), scope.priority)
            answer = await bus.execute(ask_data(address, f"address {address}", timeout_s, fcb=True), scope.priority)
        except DeviceOffline as error:
            return (
                Sighting("mbus", str(address), "several meters at this address, or noise") if error.is_broken else None
            )
        except (DeviceRefused, DeviceBusy) as error:
            return Sighting("mbus", str(address), error.reason)
    return _sighting(answer.payload, str(address))


async def search_secondary(bus: Bus, scope: Scope, pattern: Secondary) -> AsyncIterator[Sighting | Progress]:
    """Walk the identifications that fit a pattern.

    Raises: BusDown.
    """
    waiting, done, found = [pattern], 0, set[str]()
    while waiting:
        asked = waiting.pop()
        yield Progress(done, done + len(waiting) + 1, asked.text)
        done += 1
        heard = await _selected(bus, scope, asked, f"search {done % _PARTIES}")
        if heard.frame:
            told = _sighting(heard.frame, asked.text)
            if told.address not in found:
                found.add(told.address)
                yield told
        elif heard.complaint:
            narrower = _narrowed(asked, heard)
            if not narrower:
                yield Sighting("mbus", asked.text, heard.complaint)
            waiting += reversed(narrower)
    yield Progress(done, done, "all identifications")


class _Heard(NamedTuple):
    """What came after a selection: one meter's frame, or why there is none; neither in silence."""

    frame: bytes = b""
    complaint: str = ""
    are_several: bool = False


async def _selected(bus: Bus, scope: Scope, pattern: Secondary, party: str) -> _Heard:
    """Select and ask."""
    timeout_s = scope.timeout_s or _SEARCH_TIMEOUT_S
    several = _Heard(complaint="meters of one identification: they cannot be told apart", are_several=True)
    async with conversation(bus):
        try:
            await bus.execute(ask_select(pattern, party, timeout_s), scope.priority)
        except DeviceOffline as error:
            return several if error.is_broken else _Heard()
        try:
            answer = await bus.execute(ask_data(SELECTED, party, timeout_s, fcb=True, pattern=pattern), scope.priority)
        except DeviceOffline as error:
            return several if error.is_broken else _Heard(complaint="it lets itself be selected and sends no data")
        except (DeviceRefused, DeviceBusy) as error:
            return _Heard(complaint=error.reason)
    return _Heard(answer.payload)


def _narrowed(pattern: Secondary, heard: _Heard) -> list[Secondary]:
    """Split by the first open digit, then by the medium, what several meters fit or one that does not name itself."""
    place = pattern.identification.find("F")
    if place >= 0:
        return [pattern.narrowed(place, digit) for digit in range(10)]
    is_splittable = heard.are_several and pattern.medium == 0xFF
    return [replace(pattern, medium=medium) for medium in _MEDIA] if is_splittable else []


def _sighting(payload: bytes, address: str) -> Sighting:
    try:
        telegram = decode_telegram(decode_frame(payload))
    except ProtocolError as error:
        return Sighting("mbus", address, f"it answers, and its data cannot be read: {error.detail}")
    header = telegram.header
    if header is None or header.own is None:
        return Sighting("mbus", address, "a meter that does not name itself")
    own = header.own
    detail = (
        f"{manufacturer_letters(own.manufacturer)} {own.identification}, {medium_word(own.medium)}, "
        f"version {own.version}, {len(telegram.records)} records"
    )
    profile = _PROFILES.get(own.medium)
    return Sighting("mbus", own.text if len(address) >= _DIGITS else address, detail, profile)
