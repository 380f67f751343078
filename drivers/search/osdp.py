"""OSDP devices on a line, by a poll of every address and the identity of whoever answers.

A poll with sequence number 0 is what every controller begins with: a device answers it in clear,
or refuses it because it wants a secure channel. Neither changes anything in it.
"""

from collections.abc import AsyncIterator

from drivers.bus.exchange import FrameExchange
from drivers.bus.owner import Bus
from drivers.errors import DeviceError, DeviceOffline, DeviceRefused
from drivers.search import Progress, Scope, Sighting
from protocols.errors import MalformedFrame, ProtocolError
from protocols.osdp import code
from protocols.osdp.field import decode_fields
from protocols.osdp.frame import Frame, decode_frame, encode_command, encode_frame

ADDRESSES = range(127)
_TIMEOUT_S = 0.25  # the standard gives a device 0.2 s to answer
_HINT = "access/generic-osdp"


async def search(bus: Bus, scope: Scope) -> AsyncIterator[Sighting | Progress]:
    """Poll the addresses one by one.

    Raises: BusDown; ValueError for an address that OSDP does not have.
    """
    addresses = list(ADDRESSES) if scope.addresses is None else list(map(_address, scope.addresses))
    for done, address in enumerate(addresses):
        yield Progress(done, len(addresses), f"OSDP address {address}")
        if await _answers(bus, scope, address):
            yield Sighting("osdp", str(address), await _identity(bus, scope, address), _HINT)
    yield Progress(len(addresses), len(addresses), "OSDP")


def _address(text: str) -> int:
    if not text.isdecimal() or int(text) not in ADDRESSES:
        raise ValueError(f"'{text}' is not an OSDP address; write a number from 0 to 126")
    return int(text)


async def _answers(bus: Bus, scope: Scope, address: int) -> bool:
    try:
        await _ask(bus, scope, address, code.POLL, b"", 0)
    except DeviceOffline as error:
        return error.is_broken  # something answers, though not so that it could be read
    except DeviceRefused:
        pass  # it lives, and wants a secure channel
    return True


async def _identity(bus: Bus, scope: Scope, address: int) -> str:
    """Say what a device tells of itself in clear."""
    try:
        told = {
            field.name: str(field.value) for field in decode_fields(await _ask(bus, scope, address, code.ID, b"\0", 1))
        }
        abilities = decode_fields(await _ask(bus, scope, address, code.CAP, b"\0", 2))
    except DeviceRefused as error:
        return f"answers, and tells nothing in clear ({error.reason})"
    except DeviceError:
        return "answers its address, but not to a question who it is; two devices may share it"
    except ProtocolError as error:
        return f"answers with an identity that is none ({error.detail})"
    found = {field.name: str(field.value) for field in abilities}
    text = "vendor {vendor}, model {model}, version {version}, serial {serial}, firmware {firmware}".format(**told)
    if found.get("security") != "1":
        return f"{text}; has no secure channel"
    return f"{text}; uses the default key" if found.get("defaultKey") == "in-use" else text


async def _ask(bus: Bus, scope: Scope, address: int, number: int, data: bytes, sequence: int) -> Frame:
    """Ask in clear and give the answer that fits."""

    def accept(frame: Frame) -> bytes:
        if not frame.is_reply or frame.address != address:
            raise MalformedFrame("an answer of another device")
        if frame.code == code.NAK:
            decode_fields(frame)  # raises its reason
        return encode_frame(frame)

    exchange = FrameExchange(
        framing="osdp",
        party=f"OSDP address {address}",
        request=encode_command(address, number, data, sequence=sequence),
        accept=accept,
        timeout_s=scope.timeout_s or _TIMEOUT_S,
        idle_s=0.02,
    )
    return decode_frame((await bus.execute(exchange, scope.priority)).payload)
