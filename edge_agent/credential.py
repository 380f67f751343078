"""Where the centre is and what the gateway shows to be let in."""

import ipaddress
import os
import ssl
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from edge_agent.transport import Link

_LONGEST_SECRET = 1024


class UplinkError(Exception):
    """An [uplink] setting that cannot be used, and the remedy."""


def check_url(url: str) -> str:
    """Give the centre's address without a slash at its end.

    Without TLS the secret would cross a network in clear, so http is for a centre on this machine only.

    Raises: UplinkError.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise UplinkError(
            f"[uplink] url '{url}' is not an address: {error}. Write it as http://127.0.0.1:8470"
        ) from None
    if parts.scheme not in ("http", "https", "mqtt", "mqtts") or not host:
        raise UplinkError(f"[uplink] url '{url}' is not an http address. Write it as http://127.0.0.1:8470")
    if parts.username is not None or parts.query or parts.fragment or parts.path not in ("", "/"):
        raise UplinkError(f"[uplink] url '{url}' has more than a host and a port. Write it as http://127.0.0.1:8470")
    if parts.scheme == "mqtt" and not _is_loopback(host):
        raise UplinkError(
            f"[uplink] url: '{host}' is another machine, and nothing goes there in clear. Write mqtts://{host}:8883"
        )
    if parts.scheme == "http" and not _is_loopback(host):
        raise UplinkError(
            f"[uplink] url: '{host}' is another machine, and nothing goes there in clear. Write the address that the "
            f"centre's [gateways] listens on, such as https://{host}:8471, and enrol with 'edge enroll'."
        )
    return f"{parts.scheme}://{parts.netloc}"


def read_secret(path: Path) -> str:
    """Read the gateway's secret from a file that only its owner can read.

    Raises: UplinkError.
    """
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            content = file.read(_LONGEST_SECRET + 1) if stat.S_ISREG(found.st_mode) else b""
    except OSError as error:
        raise UplinkError(
            f"{path}: the secret cannot be read ({error.strerror}). Make one at the centre with "
            f"'central edge invite SITE --id EDGE_ID --secret-file {path.name}' and put it there."
        ) from None
    if not stat.S_ISREG(found.st_mode):
        raise UplinkError(f"{path}: the secret is not in a regular file. Name the file that holds it.")
    if found.st_mode & 0o077:
        raise UplinkError(
            f"{path}: others can read the secret (mode {stat.S_IMODE(found.st_mode):04o}). Close it with: chmod 600 {path}"
        )
    secret = content.decode("ascii", errors="replace").strip()
    if not secret or len(content) > _LONGEST_SECRET or not all("!" <= character <= "~" for character in secret):
        raise UplinkError(
            f"{path}: this is not a secret: one line of printable characters. Copy it anew from the centre."
        )
    return secret


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Credential(Protocol):
    """How the centre knows this gateway."""

    @property
    def headers(self) -> Mapping[str, str]:
        """What every request shows."""

    def tls(self) -> ssl.SSLContext | None:
        """Give the TLS of a new connection, None for one within this machine. Raises: UplinkError."""

    def generation(self) -> object:
        """Give something that changes when a new connection would show another credential."""

    async def renew(self, link: Link) -> None:
        """Renew what is near its end. Raises: UplinkError."""


class Secret:
    """A secret that both know, for a centre on this machine."""

    def __init__(self, edge_id: str, secret: str) -> None:
        self.headers = {"Authorization": f"Gateway {edge_id}:{secret}"}

    def tls(self) -> ssl.SSLContext | None:
        return None

    def generation(self) -> object:
        return None

    async def renew(self, link: Link) -> None:
        return
