"""Finding Modbus units behind pymodbus's server: whoever answers is there, a refusal counts."""

from drivers.bus.modbus import ModbusTcpBus
from drivers.bus.settings import TcpSettings
from drivers.search import Progress, Scope, Sighting
from drivers.search.modbus import search
from drivers.search.registry import WAYS
from tests.drivers.modbus_server import Unit, modbus_server

UNITS = {3: Unit(holding_words={0: 17}), 7: Unit(input_words={0: 9}), 9: Unit(holding_floats={100: 1.5})}


async def test_every_unit_that_says_anything_is_found() -> None:
    async with (
        modbus_server(UNITS) as port,
        ModbusTcpBus(TcpSettings("scan", "127.0.0.1", port)) as bus,
    ):
        scope = Scope(tuple(map(str, range(1, 11))), timeout_s=0.05)
        told = [it async for it in search(bus, scope)]
    found = {it.address: it.detail for it in told if isinstance(it, Sighting)}
    assert set(found) == {"3", "7", "9"}
    assert found["3"] == "holding register 0 is 17"
    assert found["7"] == "input register 0 is 9"
    assert "illegal data address" in found["9"]
    steps = [it for it in told if isinstance(it, Progress)]
    assert (steps[-1].done, steps[-1].total) == (10, 10)


def test_every_search_knows_the_settings_to_try_first() -> None:
    assert WAYS["dlt645"].settings[0] == (2400, "E")
    assert WAYS["modbus"].search is search
