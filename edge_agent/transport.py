"""What carries the uplink's requests to the centre and its answers back, whatever the network is."""

from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from protocols.record import Lane

MOST_ANSWER_BYTES = 64 * 1024  # a sign-in page may be endless; ours is a line


class Reply(NamedTuple):
    """An answer as it came: an HTTP status and its body, by whichever way."""

    status: int
    body: bytes
    retry_after: str | None = None


class Silence(Exception):
    """No answer has come; the sentence says why."""


class Overlong(Silence):
    """What came is longer than any answer of ours."""


class Link(Protocol):
    """A way to the centre that shows one credential; one request at a time."""

    async def post(self, path: str, body: bytes, *, lane: Lane | None = None) -> Reply:
        """Deliver a body to one of the contract's paths. Raises: Silence."""

    async def rules(self, have: str | None) -> Reply:
        """Ask for the access rules, unless they are those that we have. Raises: Silence."""

    async def config(self) -> Reply:
        """Ask for the settings that the centre offers. Raises: Silence."""


class Transport(Protocol):
    """Opens links."""

    def generation(self) -> object:
        """Give something that changes when a new link would show another credential."""

    def open(self) -> AbstractAsyncContextManager[Link]:
        """Open a link. Raises: UplinkError where there is nothing to knock with."""

    async def renew(self, link: Link) -> None:
        """Renew what is near its end. Raises: UplinkError."""
