"""An independent Modbus TCP peer: pymodbus's own server."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pymodbus import FramerType
from pymodbus.exceptions import NoSuchIdException
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice


@dataclass
class Unit:
    """What one unit holds: floats and words by address, and discrete inputs from address 0 on."""

    holding_floats: Mapping[int, float] = field(default_factory=dict)
    input_floats: Mapping[int, float] = field(default_factory=dict)
    input_words: Mapping[int, int] = field(default_factory=dict)
    holding_words: Mapping[int, int] = field(default_factory=dict)
    discretes: Sequence[bool] = (False,) * 8

    def device(self, unit_id: int) -> SimDevice:
        spare = SimData(60000, values=0, datatype=DataType.REGISTERS)
        holding = [SimData(at, values=value, datatype=DataType.FLOAT32) for at, value in self.holding_floats.items()]
        holding += [SimData(at, values=value, datatype=DataType.REGISTERS) for at, value in self.holding_words.items()]
        inputs = [SimData(at, values=value, datatype=DataType.FLOAT32) for at, value in self.input_floats.items()]
        inputs += [SimData(at, values=value, datatype=DataType.REGISTERS) for at, value in self.input_words.items()]
        bits = [SimData(0, values=list(self.discretes), datatype=DataType.BITS)]
        coils = [SimData(0, values=[False] * 8, datatype=DataType.BITS)]
        return SimDevice(id=unit_id, simdata=(coils, bits, [*holding, spare], [*inputs, spare]))


class _WithSilence:
    """The server's store, in which an unknown unit is one that never answers."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    async def async_getValues(self, device_id: int, *rest: Any) -> Any:  # noqa: N802 - pymodbus's name
        if device_id not in self._context.device_ids():
            raise NoSuchIdException
        return await self._context.async_getValues(device_id, *rest)


@asynccontextmanager
async def modbus_server(
    units: Mapping[int, Unit], port: int = 0, framer: FramerType = FramerType.SOCKET
) -> AsyncIterator[int]:
    devices = [unit.device(unit_id) for unit_id, unit in units.items()]
    server = ModbusTcpServer(devices, framer=framer, address=("127.0.0.1", port), ignore_missing_devices=True)
    server.context = _WithSilence(server.context)
    await server.serve_forever(background=True)
    assert server.transport is not None
    try:
        yield server.transport.sockets[0].getsockname()[1]
    finally:
        await server.shutdown()
