"""A door on a Modbus input module with a reader and a relay."""

from drivers.base import CardRead, DoorStatus, Options, words
from drivers.bus.exchange import ModbusRead, ModbusWrite, Priority
from drivers.bus.owner import Bus
from drivers.errors import DeviceRefused
from drivers.modbus_device import ModbusDevice
from drivers.profile import Profile
from protocols.modbus import READ_INPUT, WRITE_COIL, WRITE_REGISTER

SHORTEST_PULSE_MS, LONGEST_PULSE_MS = 100, 60_000


class ModbusDoor(ModbusDevice):
    """Reads the contacts and the reader; writes the two places that the profile's [relay] lists, nothing else."""

    def __init__(self, profile: Profile, bus: Bus, address: str, options: Options) -> None:
        super().__init__(profile, bus, address, options)
        if (relay := self.link.relay) is not None:
            pulses = range(SHORTEST_PULSE_MS, LONGEST_PULSE_MS + 1)
            bus.permit(int(address), WRITE_REGISTER, relay.pulse_register, pulses)
            bus.permit(int(address), WRITE_COIL, relay.coil, range(1, 2))  # the module lets go by itself

    async def read_door(self) -> DoorStatus:
        """Read the door's contacts, ahead of the polls.

        Raises: as ``read``.
        """
        state = words(self.profile, await self.read(priority=Priority.COMMAND))
        return DoorStatus(
            state.get("doorState"),
            state.get("lockState"),
            state.get("tamper"),
            state.get("fire"),
            state.get("exitButton"),
        )

    async def read_card(self) -> CardRead | None:
        """Read the reader's counter and its last card in one exchange; None for a door without a reader.

        Raises: as ``read``.
        """
        if (card := self.link.card) is None:
            return None
        first = min(card)
        count = max(card.counter, card.bits, card.number + 3) - first + 1
        ask = ModbusRead(int(self.address), READ_INPUT, first, count, self.options.timeout_s)
        payload = (await self.bus.execute(ask, Priority.COMMAND)).payload

        def number(address: int, registers: int = 1) -> int:
            start = 2 * (address - first)
            return int.from_bytes(payload[start : start + 2 * registers], "big")

        return CardRead(number(card.counter), number(card.bits), number(card.number, 4))

    async def open_door(self, pulse_ms: int) -> None:
        """Let the lock go for a moment; the module takes it back, even if this gateway is gone by then.

        Raises: as ``read``; DeviceRefused for a door without a relay. A lost answer is not asked for
        again: the door may have opened.
        """
        if (relay := self.link.relay) is None:
            raise DeviceRefused(f"the profile '{self.profile.name}' lists no [relay]")
        pulse = min(max(pulse_ms, SHORTEST_PULSE_MS), LONGEST_PULSE_MS)
        unit, timeout = int(self.address), self.options.timeout_s
        set_pulse = ModbusWrite(unit, WRITE_REGISTER, relay.pulse_register, pulse, timeout)
        await self.bus.execute(set_pulse, Priority.COMMAND)
        await self.bus.execute(ModbusWrite(unit, WRITE_COIL, relay.coil, 1, timeout), Priority.COMMAND)
