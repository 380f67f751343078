"""The Bluetooth adapter as BlueZ describes it on the system's D-Bus, and what to do where it cannot be used."""

import asyncio
from contextlib import suppress
from pathlib import Path

from dbus_fast import BusType, Message, MessageType
from dbus_fast.aio import MessageBus
from dbus_fast.errors import AuthError, DBusError

from drivers.errors import BusDown

RFKILL = Path("/sys/class/rfkill")
_BLUEZ, _ADAPTER = "org.bluez", "org.bluez.Adapter1"
_PROPERTIES, _OBJECTS = "org.freedesktop.DBus.Properties", "org.freedesktop.DBus.ObjectManager"
_ERROR = "org.freedesktop.DBus.Error."
_PATIENCE_S = 5.0

_START = "Install and start it: apt install bluez, systemctl enable --now bluetooth."


class Adapter:
    """One adapter, watched over a connection of its own."""

    def __init__(self, name: str, bus_id: str) -> None:
        self.name = name
        self._bus_id = bus_id
        self._bus: MessageBus | None = None
        self._end: asyncio.Task[None] | None = None

    async def look(self) -> bool:
        """See that the adapter can be used; tells whether it is searching actively.

        Raises: BusDown with the remedy where it cannot be used.
        """
        try:
            async with asyncio.timeout(_PATIENCE_S):
                if self._bus is None or not self._bus.connected:
                    self._bus = await self._connected()
                reply = await self._ask(_PROPERTIES, f"/org/bluez/{self.name}", "GetAll", "s", [_ADAPTER])
                if reply.message_type is MessageType.ERROR:
                    raise BusDown(await self._why(reply))
                return self._is_discovering(reply)
        except TimeoutError:
            raise BusDown(
                f"BlueZ does not answer for the bus '{self._bus_id}'. Restart it: systemctl restart bluetooth."
            ) from None
        except (DBusError, EOFError, OSError) as error:
            self.close()
            raise BusDown(f"The connection to BlueZ was lost ({error}). It is made again by itself.") from None

    def close(self) -> None:
        bus, self._bus = self._bus, None
        if bus is not None:
            with suppress(OSError):
                bus.disconnect()

    async def _connected(self) -> MessageBus:
        bus = MessageBus(bus_type=BusType.SYSTEM)
        try:
            await bus.connect()
            self._end = asyncio.create_task(_end_of(bus))
            return bus
        except (AuthError, PermissionError):
            raise BusDown(self._forbidden()) from None
        except (OSError, EOFError, DBusError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise BusDown(f"There is no system D-Bus to reach Bluetooth by ({reason}). {_START}") from None
        finally:
            if not bus.connected:
                bus.disconnect()

    async def _ask(self, interface: str, path: str, member: str, signature: str, body: list[str]) -> Message:
        assert self._bus is not None
        message = Message(
            destination=_BLUEZ, path=path, interface=interface, member=member, signature=signature, body=body
        )
        reply = await self._bus.call(message)
        assert reply is not None
        return reply

    def _is_discovering(self, reply: Message) -> bool:
        properties = {name: variant.value for name, variant in reply.body[0].items()}
        if not properties.get("Powered", False):
            raise BusDown(self._switched_off())
        if "central" not in properties.get("Roles", ["central"]):
            raise BusDown(f"The Bluetooth adapter '{self.name}' cannot do Bluetooth LE. Plug in one that can.")
        return bool(properties.get("Discovering", False))

    async def _why(self, reply: Message) -> str:
        error = (reply.error_name or "").removeprefix(_ERROR)
        if error == "AccessDenied":
            return self._forbidden()
        if error in ("ServiceUnknown", "NameHasNoOwner") or error.startswith("Spawn") or "NoSuchUnit" in error:
            return f"BlueZ does not run, so the bus '{self._bus_id}' hears nothing. {_START}"
        others = await self._names()
        if others and error in ("UnknownObject", "UnknownMethod", "UnknownInterface", "InvalidArgs"):
            return (
                f"There is no Bluetooth adapter '{self.name}'. There are: {', '.join(others)}. "
                f"Correct 'adapter' of the bus '{self._bus_id}', or plug it in."
            )
        if error in ("UnknownObject", "UnknownMethod", "UnknownInterface", "InvalidArgs"):
            return f"There is no Bluetooth adapter '{self.name}'. Plug one in, or see what the kernel says: dmesg | grep -i blue."
        return f"BlueZ refuses the adapter '{self.name}' ({reply.error_name}). Restart it: systemctl restart bluetooth."

    async def _names(self) -> list[str]:
        reply = await self._ask(_OBJECTS, "/", "GetManagedObjects", "", [])
        if reply.message_type is MessageType.ERROR:
            return []
        return sorted(path.rpartition("/")[2] for path, interfaces in reply.body[0].items() if _ADAPTER in interfaces)

    def _forbidden(self) -> str:
        return (
            "This account may not use Bluetooth. Add it to the group that may, and start again: "
            "usermod -aG bluetooth gatehouse."
        )

    def _switched_off(self) -> str:
        """Say what holds the radio off."""
        match blocked_by():
            case "hard":
                return f"The radio of '{self.name}' is switched off by a switch of the machine. Turn that switch on."
            case "soft":
                return f"The radio of '{self.name}' is blocked. Release it with: rfkill unblock bluetooth."
        return f"The Bluetooth adapter '{self.name}' is switched off. Switch it on with: bluetoothctl power on."


async def _end_of(bus: MessageBus) -> None:
    """Take note of how a connection ends, which the next look tells; unnoted it would be logged as a fault."""
    with suppress(EOFError, OSError, DBusError):
        await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]  # the library left it without types


def blocked_by(root: Path = RFKILL) -> str | None:
    """Say whether the kernel holds Bluetooth off: hard by a switch, soft by a command, None by neither."""
    found: set[str] = set()
    for entry in root.glob("rfkill*"):
        with suppress(OSError):
            if (entry / "type").read_text().strip() == "bluetooth":
                found |= {kind for kind in ("hard", "soft") if (entry / kind).read_text().strip() == "1"}
    return "hard" if "hard" in found else "soft" if found else None
