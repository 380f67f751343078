"""The running gateway's local socket: one JSON line in, one JSON line out.

The socket file is 0600 in the gateway's data folder; whoever may read the folder's database
may ask here. What is done through it, a door opened or a point written, is recorded first. A few
questions are answered by many lines, each marked as ``more``, until one side has had enough.
"""

import asyncio
import json
import logging
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

log = logging.getLogger("edge.control")

_LONGEST_LINE = 4 * 1024 * 1024
# A read may wait for a slow line; a gateway that says nothing for longer has stopped answering.
_PATIENCE_S = 60.0
LONGEST_PATH = 107  # bytes, of a socket's path on Linux
_OWNER = "Use that account, for example: sudo -u OWNER edge ..."

Handler = Callable[[Mapping[str, Any]], Awaitable[Any]]
Stream = Callable[[Mapping[str, Any]], AsyncGenerator[Any]]


class ControlError(Exception):
    """The gateway answered, and said no; the text is for a person."""


class NotRunning(Exception):
    """Nobody listens at the socket."""


class ControlServer:
    """Answer questions at a socket until closed."""

    def __init__(
        self, path: Path, handlers: Mapping[str, Handler], streams: Mapping[str, Stream] = MappingProxyType({})
    ) -> None:
        self._path = path
        self._handlers = handlers
        self._streams = streams
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen; a socket left by a killed gateway is replaced.

        Raises: ControlError.
        """
        before = os.umask(0o177)
        try:
            self._path.unlink(missing_ok=True)
            self._server = await asyncio.start_unix_server(self._serve, self._path, limit=_LONGEST_LINE)
        except OSError as error:
            reason = error.strerror or str(error)
            raise ControlError(
                f"{self._path}: the local socket cannot be opened ({reason}). Choose another [edge] data folder."
            ) from None
        finally:
            os.umask(before)

    async def close(self) -> None:
        """Stop listening and remove the socket."""
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                if (stream := self._stream_of(line)) is not None:
                    await self._follow(stream, reader, writer)
                    break
                writer.write(_line(await self._answer(line)))
                await writer.drain()
        except (ConnectionError, ValueError):
            pass  # the asker has gone, or sent no line
        finally:
            writer.close()

    def _stream_of(self, line: bytes) -> AsyncGenerator[Any] | None:
        try:
            question = json.loads(line)
            return self._streams[question["op"]](question)
        except (ValueError, KeyError, TypeError):
            return None

    async def _follow(
        self, stream: AsyncGenerator[Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Tell until the stream ends or the asker leaves, who says nothing more before."""
        async with asyncio.TaskGroup() as tasks:
            telling = tasks.create_task(self._tell(stream, writer))
            leaving = tasks.create_task(_left(reader))
            await asyncio.wait((telling, leaving), return_when=asyncio.FIRST_COMPLETED)
            telling.cancel()
            leaving.cancel()

    async def _tell(self, stream: AsyncGenerator[Any], writer: asyncio.StreamWriter) -> None:
        end: dict[str, Any] = {"ok": True, "result": None}
        try:
            async with aclosing(stream):
                async for item in stream:
                    writer.write(_line({"ok": True, "more": True, "result": item}))
                    await writer.drain()
        except ControlError as error:
            end = {"ok": False, "error": str(error)}
        except ConnectionError:
            return
        except Exception:  # the request's boundary
            log.exception("a fault in this program, in a stream")
            end = {"ok": False, "error": "the gateway met a fault in its own program; its log has it"}
        with suppress(ConnectionError):
            writer.write(_line(end))
            await writer.drain()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            question = json.loads(line)
            handler = self._handlers[question["op"]]
        except (ValueError, KeyError, TypeError):
            return {
                "ok": False,
                "error": "this gateway does not know that question; is the command of another version?",
            }
        try:
            return {"ok": True, "result": await handler(question)}
        except ControlError as error:
            return {"ok": False, "error": str(error)}
        except Exception:  # the request's boundary
            log.exception("a fault in this program, asked for %s", question["op"])
            return {"ok": False, "error": "the gateway met a fault in its own program; its log has it"}


async def _left(reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionError):
        await reader.read()


def _line(answer: Mapping[str, Any]) -> bytes:
    return json.dumps(answer, ensure_ascii=False).encode() + b"\n"


class ControlClient:
    """Ask a running gateway."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def ask(self, op: str, **fields: Any) -> Any:
        """Ask one question.

        Raises: NotRunning, ControlError with the gateway's own words.
        """
        reader, writer = await self._connect()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                writer.write(json.dumps({"op": op, **fields}).encode() + b"\n")
                await writer.drain()
                line = await reader.readline()
        except TimeoutError:
            raise ControlError(f"the gateway has not answered for {_PATIENCE_S:g} s. Look into its log.") from None
        except (OSError, ValueError):
            line = b""
        finally:
            writer.close()
        if not line:
            raise NotRunning("the gateway stopped while it was asked")
        return _result(_answered(line))

    async def follow(self, op: str, **fields: Any) -> AsyncGenerator[Any]:
        """Ask one question and give what is told until the gateway ends it; close it to have it end.

        Raises: as ``ask``.
        """
        reader, writer = await self._connect()
        try:
            writer.write(json.dumps({"op": op, **fields}).encode() + b"\n")
            await writer.drain()
            while True:
                try:
                    line = await reader.readline()
                except (OSError, ValueError):
                    line = b""
                if not line:
                    raise NotRunning("the gateway stopped while it was asked")
                answer = _answered(line)
                result = _result(answer)
                if not answer.get("more"):
                    return
                yield result
        except OSError:
            raise NotRunning("the gateway stopped while it was asked") from None
        finally:
            writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            return await asyncio.open_unix_connection(self._path, limit=_LONGEST_LINE)
        except PermissionError:
            raise ControlError(f"{self._path}: only its owner may ask the gateway. {_OWNER}") from None
        except OSError as error:
            raise NotRunning(error.strerror or "nobody listens") from None


_OTHER = "what runs here answers in another way; is the gateway of another version?"


def _answered(line: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(line)
    except ValueError:
        raise ControlError(_OTHER) from None
    if not isinstance(answer, dict):
        raise ControlError(_OTHER)
    return answer


def _result(answer: Mapping[str, Any]) -> Any:
    """Take an answer apart. Raises: ControlError."""
    try:
        if answer["ok"] is True:
            return answer["result"]
        reason = str(answer["error"])
    except KeyError:
        raise ControlError(_OTHER) from None
    raise ControlError(reason)
