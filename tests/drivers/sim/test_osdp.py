"""The simulated OSDP line speaks with a controller nobody here wrote: our own codec reads it in the test."""

import os
import time

from drivers.bus.osdp_device import DeviceModel
from drivers.sim.osdp import SimulatedOsdpLine
from protocols.framing import scan
from protocols.osdp import code
from protocols.osdp.field import decode_fields
from protocols.osdp.frame import Frame, encode_command


def ask(fd: int, request: bytes) -> list[Frame]:
    os.write(fd, request)
    data, deadline = b"", time.monotonic() + 0.2
    while time.monotonic() < deadline:
        try:
            data += os.read(fd, 4096)
        except BlockingIOError:
            time.sleep(0.01)
    return [piece.frame for piece in scan("osdp", data) if piece.frame is not None]


def test_only_the_device_that_is_asked_answers_and_a_silent_one_does_not() -> None:
    with SimulatedOsdpLine([DeviceModel(1, None), DeviceModel(2, None)]) as line:
        fd = os.open(line.path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY)
        (poll,) = ask(fd, encode_command(2, code.POLL))
        assert (poll.address, poll.is_reply, poll.name) == (2, True, "ACK")
        (identity,) = ask(fd, encode_command(1, code.ID, b"\0"))
        told = {field.name: field.value for field in decode_fields(identity)}
        assert (told["vendor"], told["serial"]) == ("48414c", "00000001")
        line.doors[1].is_silent = True
        assert ask(fd, encode_command(1, code.POLL)) == []
        os.close(fd)
