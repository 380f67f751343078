"""The running gateway's local socket: one JSON line in, one JSON line out.

The socket file is 0600 in the gateway's data folder; whoever may read the folder's database
may ask here. One thing only can be done through it: open a door, which is recorded first.
"""

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

log = logging.getLogger("edge.control")

_LONGEST_LINE = 4 * 1024 * 1024
# A read may wait for a slow line; a gateway that says nothing for longer has stopped answering.
_PATIENCE_S = 60.0
LONGEST_PATH = 107  # bytes, of a socket's path on Linux
_OWNER = "Use that account, for example: sudo -u OWNER edge ..."

Handler = Callable[[Mapping[str, Any]], Awaitable[Any]]


class ControlError(Exception):
    """The gateway answered, and said no; the text is for a person."""


class NotRunning(Exception):
    """Nobody listens at the socket."""


class ControlServer:
    """Answer questions at a socket until closed."""

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        self._path = path
        self._handlers = handlers
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
                writer.write(json.dumps(await self._answer(line), ensure_ascii=False).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            pass  # the asker has gone, or sent no line
        finally:
            writer.close()

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


class ControlClient:
    """Ask a running gateway."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def ask(self, op: str, **fields: Any) -> Any:
        """Ask one question.

        Raises: NotRunning, ControlError with the gateway's own words.
        """
        try:
            reader, writer = await asyncio.open_unix_connection(self._path, limit=_LONGEST_LINE)
        except PermissionError:
            raise ControlError(f"{self._path}: only its owner may ask the gateway. {_OWNER}") from None
        except OSError as error:
            raise NotRunning(error.strerror or "nobody listens") from None
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
        return _result(line)


def _result(line: bytes) -> Any:
    """Take an answer apart. Raises: ControlError."""
    try:
        answer = json.loads(line)
        if answer["ok"] is True:
            return answer["result"]
        reason = str(answer["error"])
    except (ValueError, KeyError, TypeError):
        raise ControlError("what runs here answers in another way; is the gateway of another version?") from None
    raise ControlError(reason)
