"""The uplink's certificate in use: shown, renewed at two thirds of its life, and explained where it is none."""

import datetime as dt
import ssl
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from edge_agent.credential import UplinkError
from edge_agent.enrolment import renew
from edge_agent.identity import load_identity, tls_file
from edge_agent.transport import Link

_AGAIN_S = 3600.0  # a centre that renews nothing today is asked a thousand times before the end


class Certificate:
    """What ``edge enroll`` has brought, as the uplink's ``Credential``."""

    headers: Mapping[str, str] = {}

    def __init__(self, data: Path, edge_id: str, now: Callable[[], dt.datetime]) -> None:
        self._data = data
        self._edge_id = edge_id
        self._now = now
        self._again_at = 0.0

    def tls(self) -> ssl.SSLContext:
        """Give the TLS that shows it.

        Raises: UplinkError where there is none yet, or none any more.
        """
        identity = load_identity(self._data, self._edge_id)
        if identity is None:
            raise UplinkError(
                "This gateway is not enrolled: it polls, stores and opens doors, and sends nothing. Make a code at the "
                "centre with 'central edge invite', then here: edge enroll URL CODE"
            )
        now = self._now()
        if identity.is_over(now):
            raise UplinkError(
                f"This gateway's certificate ended on {identity.not_after:%Y-%m-%d}: it polls, stores and opens doors, and "
                f"sends nothing. If the clock is right, make a code with 'central edge invite', then here: edge enroll URL CODE"
            )
        return identity.tls(now)

    def generation(self) -> object:
        """Tell one certificate file from the next."""
        try:
            found = tls_file(self._data).stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    async def renew(self, link: Link) -> None:
        """Renew it where it is time.

        Raises: UplinkError; it is tried again in an hour.
        """
        if time.monotonic() < self._again_at:
            return
        self._again_at = time.monotonic() + _AGAIN_S
        identity = load_identity(self._data, self._edge_id)
        if identity is not None and identity.is_due(self._now()):
            await renew(link, self._data, self._edge_id)
