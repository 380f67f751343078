"""Whoever listens to a line hears both directions, and is not heard himself."""

from pathlib import Path

from drivers.bus.exchange import ModbusRead
from drivers.bus.modbus import ModbusTcpBus
from drivers.bus.settings import TcpSettings
from drivers.bus.tap import Piece, Tap
from drivers.factory import create_driver
from drivers.profile import load_profile
from tests.drivers.dlt645_site import line_of, simulated
from tests.drivers.modbus_server import Unit, modbus_server

METER = "202611000103"


def joined(pieces: list[Piece], *, is_out: bool) -> bytes:
    return b"".join(piece.data for piece in pieces if piece.is_out == is_out)


async def test_a_serial_line_is_heard_in_both_directions_while_somebody_listens(tmp_path: Path) -> None:
    pieces: list[Piece] = []
    async with line_of([simulated(METER)], tmp_path) as (bus, peer):
        driver = create_driver(load_profile("electricity/dlt645-2007"), bus, METER)
        await driver.read(["energyImportTotal"])
        bus.tap.listen(pieces.append)
        await driver.read(["voltageL1"])
        bus.tap.leave(pieces.append)
        await driver.read(["freq"])
    sent = joined(pieces, is_out=True)
    assert sent.endswith(peer.requests[1]), "the question asked meanwhile, and no other"
    assert len(peer.requests) == 3
    assert joined(pieces, is_out=False).endswith(b"\x16")
    assert [piece.at for piece in pieces] == sorted(piece.at for piece in pieces)


async def test_a_modbus_tcp_bus_is_heard_message_by_message() -> None:
    pieces: list[Piece] = []
    async with (
        modbus_server({1: Unit(holding_words={0: 17, 1: 18})}) as port,
        ModbusTcpBus(TcpSettings("tcp-1", "127.0.0.1", port, pipeline=2)) as bus,
    ):
        bus.tap.listen(pieces.append)
        await bus.read_all([ModbusRead(1, 3, 0, 1), ModbusRead(1, 3, 1, 1)])
    assert len([piece for piece in pieces if piece.is_out]) == 2
    assert joined(pieces, is_out=True)[6:12] == bytes.fromhex("010300000001")
    assert joined(pieces, is_out=False)[6:11] == bytes.fromhex("0103020011")


def test_nobody_is_told_after_the_last_has_left() -> None:
    tap, first, second = Tap(), list[Piece](), list[Piece]()
    assert tap.hear is None
    tap.listen(first.append)
    tap.listen(second.append)
    tap.leave(first.append)
    assert tap.hear is not None
    tap.hear(b"x", True)
    assert (first, [piece.data for piece in second]) == ([], [b"x"])
    tap.leave(second.append)
    assert tap.hear is None
