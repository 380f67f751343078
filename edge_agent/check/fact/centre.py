"""What answers at the centre's address."""

import http.client
import json
import socket
import ssl
import time
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from edge_agent.check.fact.scene import Centre
from protocols.enrolment import PATH_AUTHORITY

# What the centre answers to anybody: on this machine its health, at the gateways' own door its certificate.
_PATHS = {"http": "/healthz", "https": PATH_AUTHORITY}
_MOST_BYTES = 4096


def ask_centre(url: str, seconds: float, tls: ssl.SSLContext | None = None) -> Centre:
    """Ask once for what anybody may hear, without a secret and without following anybody elsewhere.

    Shape: ``tls`` is the gateway's own; without one whoever answers is not judged, and nothing is said to it.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(host, parts.port, timeout=seconds, context=tls or _blind())
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=seconds)
    try:
        connection.request("GET", _PATHS[parts.scheme])
        answer = connection.getresponse()
        body = answer.read(_MOST_BYTES)
        asked_at = time.time()
    except ssl.SSLError as error:
        return Centre("tls", location=error.reason or str(error))
    except socket.gaierror:
        return Centre("name")
    except ConnectionRefusedError:
        return Centre("refused")
    except TimeoutError:
        return Centre("silent")
    except (OSError, http.client.HTTPException) as error:
        return Centre(str(error) or type(error).__name__)
    finally:
        connection.close()
    return Centre(
        None,
        answer.status,
        answer.headers.get_content_type(),
        _is_ours(body),
        _offset_s(answer.headers.get("Date"), asked_at),
        answer.headers.get("Location", ""),
    )


def _blind() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _is_ours(body: bytes) -> bool:
    if body.startswith(b"-----BEGIN CERTIFICATE-----"):
        return True
    try:
        return isinstance(json.loads(body), dict)
    except ValueError:
        return False


def _offset_s(date: str | None, now: float) -> float | None:
    """Give the centre's clock minus ours; the header is to the second, half of one is its mean."""
    try:
        return None if date is None else parsedate_to_datetime(date).timestamp() + 0.5 - now
    except ValueError:
        return None
