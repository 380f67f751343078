"""A line that answers from a recording: each question gets the answers it got then, in their order, round and round.

Some frames carry a number that is another each time: a Modbus TCP transaction, a CJ/T 188 serial number,
the toggling bit of M-Bus. A question is known without it, and the answer is given the present one.
"""

import asyncio
import os
import tempfile
import tty
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from edge_agent.capture_file import Chunk
from edge_agent.replay import Json, decode_chunks, exchanges
from protocols import cjt188
from protocols.errors import ProtocolError
from protocols.framing import FRAMINGS, scanner
from protocols.mbus.frame import FCB
from protocols.stream import FrameScanner

_LONGEST_PAUSE_S = 1.0
_SHORT_FRAME, _LONG_FRAME = 0x10, 0x68


class ServeError(Exception):
    """The line cannot be made; the sentence says why."""


class Part(NamedTuple):
    """A part of an answer. Units: ``after_s`` is seconds after the question, or after the part before."""

    after_s: float
    data: bytes


@dataclass(slots=True)
class Answers:
    """What one question was answered, each time it was asked; empty for silence."""

    told: list[tuple[Part, ...]] = field(default_factory=list)
    place: int = 0

    def next(self) -> tuple[Part, ...]:
        parts = self.told[self.place % len(self.told)]
        self.place += 1
        return parts


Book = Mapping[tuple[str, bytes], Answers]


def answers(chunks: Sequence[Chunk], protocols: Sequence[str]) -> dict[tuple[str, bytes], Answers]:
    """Collect the questions of a recording with their answers; of a line listened to, by what the frames say."""
    book: dict[tuple[str, bytes], Answers] = {}
    decoded = decode_chunks(chunks, protocols)
    if any(chunk.is_out for chunk in chunks):
        for exchange in exchanges(chunks):
            _learn_exchange(exchange, protocols, book)
    else:
        _learn_overheard(decoded, book)
    return {question: told for question, told in book.items() if any(told.told)}


def _learn_exchange(
    exchange: Sequence[Chunk], protocols: Sequence[str], book: dict[tuple[str, bytes], Answers]
) -> None:
    sent = b"".join(chunk.data for chunk in exchange if chunk.is_out)
    questions = [told for told in decode_chunks([Chunk(0.0, True, sent)], protocols) if told.get("ok")]
    if len(questions) > 1:  # several were under way at once
        _learn_overheard(decode_chunks(exchange, protocols), book)
        return
    if not questions:
        return
    question = questions[0]
    at = max(chunk.t for chunk in exchange if chunk.is_out)
    parts: list[Part] = []
    echo = sent
    for chunk in exchange:
        if chunk.is_out:
            continue
        data = chunk.data
        if echo and data.startswith(echo):  # the adapter's, not the device's
            data, echo = data[len(echo) :], b""
        if data:
            parts.append(Part(min(_LONGEST_PAUSE_S, max(0.0, chunk.t - at)), data))
            at = chunk.t
    _note(book, question, tuple(parts))


def _learn_overheard(decoded: Sequence[Json], book: dict[tuple[str, bytes], Answers]) -> None:
    asked: list[Json] = []
    for told in decoded:
        if "noise" in told:
            continue
        is_answer = told["header"].get("is_response", told["header"].get("is_reply", told["dir"] == "in"))
        if not is_answer:
            asked.append(told)
            continue
        number = told["header"].get("transaction")
        question = next((it for it in reversed(asked) if it["header"].get("transaction") == number), None)
        if question is not None:
            asked.remove(question)
            pause = min(_LONGEST_PAUSE_S, max(0.0, told["t"] - question["t"]))
            _note(book, question, (Part(pause, bytes.fromhex(told["hex"])),))


def _note(book: dict[tuple[str, bytes], Answers], question: Json, parts: tuple[Part, ...]) -> None:
    protocol, data = question["protocol"], bytes.fromhex(question["hex"])
    book.setdefault((protocol, _key(protocol, data)), Answers()).told.append(parts)


def _key(protocol: str, data: bytes) -> bytes:
    """Give a question without what is another each time it is asked."""
    if protocol == "modbus-tcp":
        return data[2:]
    if protocol == "mbus" and data[:1] == bytes((_SHORT_FRAME,)):
        return bytes((data[0], data[1] & ~FCB, data[2]))
    if protocol == "mbus" and data[:1] == bytes((_LONG_FRAME,)):
        return data[:4] + bytes((data[4] & ~FCB,)) + data[5:-2]
    if protocol == "cjt188":
        with suppress(ProtocolError):
            frame = cjt188.decode_frame(data.lstrip(bytes((cjt188.WAKE_UP,))))
            return cjt188.encode_frame(_with_number(frame, 0), 0)
    return data


def _renewed(protocol: str, question: bytes, answer: bytes) -> bytes:
    """Give an answer the number of the present question."""
    if protocol == "modbus-tcp":
        return question[:2] + answer[2:]
    if protocol == "cjt188":
        with suppress(ProtocolError):
            asked = cjt188.decode_frame(question.lstrip(bytes((cjt188.WAKE_UP,))))
            bare = answer.lstrip(bytes((cjt188.WAKE_UP,)))
            told = cjt188.decode_frame(bare)
            if asked.ser is not None and told.ser is not None:
                return cjt188.encode_frame(_with_number(told, asked.ser), len(answer) - len(bare))
    return answer


def _with_number(frame: cjt188.Frame, number: int) -> cjt188.Frame:
    if frame.ser is None:
        return frame
    place = 0 if len(frame.data) == 3 and frame.is_error else 2
    return replace(frame, data=frame.data[:place] + bytes((number,)) + frame.data[place + 1 :])


class RecordedLine:
    """Take bytes, give the answers of the questions in them."""

    def __init__(self, book: Book, protocols: Sequence[str]) -> None:
        self._book = book
        self._protocols = [name for name in protocols if name in FRAMINGS]
        self._scanners: dict[str, FrameScanner] = {name: scanner(name) for name in self._protocols}

    def feed(self, data: bytes) -> list[tuple[Part, ...]]:
        """Give the answers to what is whole now."""
        found = []
        for protocol, line in self._scanners.items():
            for piece in line.feed(data):
                answers = self._book.get((protocol, _key(protocol, piece.data))) if piece.frame is not None else None
                if answers is not None:
                    parts = answers.next()
                    found.append(tuple(Part(it.after_s, _renewed(protocol, piece.data, it.data)) for it in parts))
        return found


async def serve_tcp(line: RecordedLine, port: int, ready: Callable[[str], None]) -> None:
    """Answer at a port of this machine until cancelled.

    Raises: ServeError.
    """

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(4096):
                for parts in line.feed(data):
                    for part in parts:
                        await asyncio.sleep(part.after_s)
                        writer.write(part.data)
                        await writer.drain()
        writer.close()

    try:
        server = await asyncio.start_server(talk, "127.0.0.1", port)
    except OSError as error:
        raise ServeError(f"port {port} cannot be had: {error.strerror}. Name another port.") from None
    async with server:
        ready(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await server.serve_forever()


async def serve_pty(line: RecordedLine, path: Path | None, ready: Callable[[str], None]) -> None:
    """Answer at a pseudo-terminal until cancelled; ``path`` becomes a link to it.

    Raises: ServeError.
    """
    link = path or Path(tempfile.mkdtemp(prefix="gatehouse-replay-")) / "line"
    if link.exists() and not link.is_symlink():
        raise ServeError(f"{link} is there already and is no link. Name another path.")
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    def readable() -> None:
        with suppress(BlockingIOError):
            heard.put_nowait(os.read(master, 4096))

    loop = asyncio.get_running_loop()
    try:
        try:
            link.unlink(missing_ok=True)
            link.symlink_to(os.ttyname(slave))
        except OSError as error:
            raise ServeError(f"{link} cannot be made: {error.strerror}. Name another path.") from None
        loop.add_reader(master, readable)
        ready(str(link))
        while True:
            for parts in line.feed(await heard.get()):
                for part in parts:
                    await asyncio.sleep(part.after_s)
                    with suppress(BlockingIOError):
                        os.write(master, part.data)
    finally:
        loop.remove_reader(master)
        link.unlink(missing_ok=True)
        os.close(master)
        os.close(slave)
