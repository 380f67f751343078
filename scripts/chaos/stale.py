"""Ask devices whose answers are late at random, and see that no late answer is taken for the next one's.

Each device puts into its answer the number of the question it answers, in a register that looks
like any other: the wire cannot tell two answers apart, only the bus's patience can. A third of the
answers is lost or comes after its timeout, up to the end of the quiet that the bus keeps after one
(timeout and guard, together twice the timeout); every twentieth is damaged as well. The bus and the codecs are the product's; the line
is memory and the time is simulated, so that a million exchanges take minutes.
"""

import argparse
import asyncio
import json
import random
import selectors
import struct
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from drivers.bus.exchange import Exchange, FrameExchange, ModbusRead
from drivers.bus.serial_line import SerialBus
from drivers.bus.settings import SerialSettings
from drivers.errors import DeviceOffline
from protocols import dlt645, modbus
from protocols.framing import scanner

PROTOCOLS = ("rtu", "rtu-over-tcp", "dlt645")
TIMEOUT_S = 0.5
_ENERGY = 0x00010000
_UNITS = 4


class _Jump(selectors.DefaultSelector):
    """Wait for nothing: the loop's time jumps to the next timer."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        self.passed += timeout or 0.0
        return super().select(0)


class SimulatedTime(asyncio.SelectorEventLoop):
    """An event loop whose clock moves only while it would sleep."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.passed


class _Line:
    """A port in memory; ``peer`` says when each part of an answer arrives."""

    def __init__(self, peer: Callable[[bytes], list[tuple[float, bytes]]]) -> None:
        self._peer = peer
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._arrived = asyncio.Event()
        self.last_byte_at = 0.0

    async def write(self, data: bytes) -> None:
        self.last_byte_at = self._loop.time()
        for delay, part in self._peer(data):
            self._loop.call_later(delay, self._take, part)

    async def read(self, deadline: float) -> bytes:
        if not self._buffer:
            self._arrived.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._arrived.wait()
            except TimeoutError:
                return b""
        data, self._buffer = self._buffer, b""
        return data

    def check(self) -> None:
        pass

    def close(self) -> None:
        pass

    def _take(self, part: bytes) -> None:
        self._buffer += part
        self.last_byte_at = self._loop.time()
        self._arrived.set()


class _MemoryBus(SerialBus):
    """The serial bus on a line in memory."""

    def __init__(self, settings: SerialSettings, line: _Line) -> None:
        super().__init__(settings)
        self._line = line

    async def _open(self) -> None:
        self._port = self._line  # type: ignore[assignment]


class Devices:
    """The far end of the line: numbers the questions, and answers some of them late."""

    def __init__(self, protocol: str, seed: int) -> None:
        self._random = random.Random(seed)
        self._protocol = protocol
        self._framing = "dlt645" if protocol == "dlt645" else "modbus-rtu"
        self.asked = 0
        self.late = 0
        self.lost = 0
        self.damaged = 0

    def question(self) -> Exchange:
        """Make a question; those to one device all look alike."""
        number = self._random.randrange(1, _UNITS + 1)
        if self._protocol != "dlt645":
            return ModbusRead(number, modbus.READ_HOLDING, self._random.randrange(8), 2)
        request = dlt645.Frame(f"{number:012d}", dlt645.READ, _ENERGY.to_bytes(4, "little"))

        def accept(frame: dlt645.Frame) -> bytes:
            dlt645.match_response(request, frame)
            return frame.payload

        return FrameExchange("dlt645", request.address, dlt645.encode_frame(request), accept)

    def number(self, payload: bytes) -> int:
        """Read back which question an answer was for."""
        if self._protocol != "dlt645":
            return int(struct.unpack(">I", payload)[0])
        (value,) = dlt645.decode_values(_ENERGY, payload)
        assert value.quantity.value is not None
        return int(value.quantity.value * 100)

    def answer(self, data: bytes) -> list[tuple[float, bytes]]:
        """Say what comes back, and after how many seconds."""
        frames = scanner(self._framing)
        (frame,) = [piece.frame for piece in (*frames.feed(data), *frames.flush()) if piece.frame is not None]
        self.asked += 1
        kind = self._random.random()
        if kind < 0.05:
            self.lost += 1
            return []
        delay = self._random.uniform(0.01, 0.15)
        if kind < 0.35:
            self.late += 1
            # From just in time to the end of the quiet, which counts from the timeout.
            delay = self._random.uniform(0.9, 1.95) * TIMEOUT_S
        return self._parts(self._damaged(self._reply(frame)), delay)

    def _reply(self, frame: Any) -> bytes:
        if self._protocol == "dlt645":
            number = dlt645.encode_value(_ENERGY, Decimal(self.asked % 10**8) / 100)
            return dlt645.encode_read_response(frame.address, _ENERGY, number)
        words = struct.unpack(">2H", struct.pack(">I", self.asked))
        pdu = modbus.encode_read_registers_response(frame.function, words)
        return modbus.encode_rtu(modbus.Frame(frame.device_id, pdu))

    def _damaged(self, reply: bytes) -> bytes:
        """Flip a bit of every twentieth answer, late or not."""
        if self._random.random() >= 0.05:
            return reply
        self.damaged += 1
        bit = self._random.randrange(8 * len(reply))
        return bytes(byte ^ (1 << bit % 8 if place == bit // 8 else 0) for place, byte in enumerate(reply))

    def _parts(self, reply: bytes, delay: float) -> list[tuple[float, bytes]]:
        """Cut an answer as a converter does that sends when its own timer says so."""
        if self._protocol != "rtu-over-tcp" or self._random.random() < 0.5:
            return [(delay, reply)]
        cut = self._random.randrange(1, len(reply))
        return [(delay, reply[:cut]), (delay + self._random.uniform(0, 0.01), reply[cut:])]


async def run(protocol: str, exchanges: int, seed: int, guard_s: float | None) -> dict[str, Any]:
    """Carry out so many exchanges; gives what happened and, last of all, what went wrong."""
    devices = Devices(protocol, seed)
    line = _Line(devices.answer)
    settings = SerialSettings("line", "memory", baudrate=9600, parity="N", timeout_s=TIMEOUT_S, guard_s=guard_s)
    wrong: list[tuple[int, int]] = []
    answered = silent = 0
    async with _MemoryBus(settings, line) as bus:
        for _ in range(exchanges):
            try:
                answer = await bus.execute(devices.question())
            except DeviceOffline:
                silent += 1
                continue
            answered += 1
            if (got := devices.number(answer.payload)) != devices.asked % 10**8:
                wrong.append((devices.asked, got))
        stale = bus.round_trips.stale
    told = {"protocol": protocol, "exchanges": exchanges, "seed": seed, "answered": answered, "silent": silent}
    return {
        **told,
        "late": devices.late,
        "lost": devices.lost,
        "damaged": devices.damaged,
        "stale_seen": stale,
        "wrong": wrong[:10],
    }


def simulate(protocol: str, exchanges: int, seed: int, guard_s: float | None = None) -> dict[str, Any]:
    """Run in simulated time; without the quiet after a timeout (``guard_s`` 0) answers are taken wrongly."""
    with asyncio.Runner(loop_factory=SimulatedTime) as runner:
        return runner.run(run(protocol, exchanges, seed, guard_s))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--protocol", choices=PROTOCOLS, action="append", help="default: all three")
    parser.add_argument("--exchanges", type=int, default=1_000_000, help="for each protocol (default: 1,000,000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print the last line only")
    options = parser.parse_args()
    started = time.monotonic()
    found = []
    for protocol in options.protocol or PROTOCOLS:
        found.append(simulate(protocol, options.exchanges, options.seed))
        if not options.json:
            print(found[-1], flush=True)
    is_well = not any(result["wrong"] for result in found)
    print(json.dumps({"ok": is_well, "results": found, "seconds": round(time.monotonic() - started, 1)}))
    sys.exit(not is_well)


if __name__ == "__main__":
    main()
