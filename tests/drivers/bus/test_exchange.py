"""A question that only some devices answer: who are you? On both transports."""

from pathlib import Path

import pytest

from drivers.bus.exchange import ModbusIdentity
from drivers.bus.modbus import ModbusTcpBus
from drivers.bus.serial_line import SerialBus
from drivers.bus.settings import SerialSettings, TcpSettings
from drivers.errors import DeviceOffline, DeviceRefused
from protocols.modbus import Frame, decode_tcp, encode_rtu, encode_tcp
from protocols.modbus_identity import decode_identity_response, encode_identity_request, encode_identity_response
from tests.drivers.modbus_server import Unit, modbus_server
from tests.drivers.peer import Reply, pty_peer, tcp_peer

TEXTS = {0: "Eastron", 1: "SDM630", 2: "1.2"}


async def test_a_device_says_who_it_is_on_a_serial_line_in_two_pieces(tmp_path: Path) -> None:
    def answer(request: bytes, frame: Frame) -> Reply:
        assert frame.pdu == encode_identity_request()
        whole = encode_rtu(Frame(frame.device_id, encode_identity_response(TEXTS)))
        return [(0, whole[:9]), (0.02, whole[9:])]

    async with (
        pty_peer("modbus-rtu", answer, tmp_path) as peer,
        SerialBus(SerialSettings("line-1", peer.path, 9600, parity="N", timeout_s=0.5)) as bus,
    ):
        told = await bus.execute(ModbusIdentity(7))
    assert decode_identity_response(told.payload).texts == TEXTS


async def test_a_device_that_does_not_know_the_question_refuses_it(tmp_path: Path) -> None:
    def answer(request: bytes, frame: Frame) -> Reply:
        return [(0, encode_rtu(Frame(frame.device_id, bytes.fromhex("ab01"))))]

    async with (
        pty_peer("modbus-rtu", answer, tmp_path) as peer,
        SerialBus(SerialSettings("line-1", peer.path, 9600, parity="N", timeout_s=0.5)) as bus,
    ):
        with pytest.raises(DeviceRefused, match="exception 1"):
            await bus.execute(ModbusIdentity(7))


async def test_a_device_says_who_it_is_over_tcp_and_half_a_text_is_no_answer() -> None:
    whole = encode_identity_response(TEXTS)
    said = [whole, whole[:-1]]

    def answer(request: bytes) -> Reply:
        asked = decode_tcp(request)
        return [(0, encode_tcp(Frame(asked.device_id, said.pop(0), asked.transaction)))]

    async with tcp_peer(answer) as port, ModbusTcpBus(TcpSettings("tcp-1", "127.0.0.1", port)) as bus:
        told = await bus.execute(ModbusIdentity(7))
        assert decode_identity_response(told.payload).texts == TEXTS
        with pytest.raises(DeviceOffline, match="ends inside an object"):
            await bus.execute(ModbusIdentity(7))


async def test_another_hands_server_without_a_name_says_so() -> None:
    async with (
        modbus_server({1: Unit(holding_words={0: 17})}) as port,
        ModbusTcpBus(TcpSettings("tcp-1", "127.0.0.1", port)) as bus,
    ):
        told = await bus.execute(ModbusIdentity(1))
    assert decode_identity_response(told.payload).texts == {}
