"""Become known to a centre with a one-time code, and renew the certificate before it ends."""

import asyncio
import json
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from edge_agent.command_key import keep_command_key
from edge_agent.credential import UplinkError
from edge_agent.identity import keep_certificate, load_signer, pending_request, trusting
from edge_agent.transport import Link, Silence
from protocols.command import is_command_key
from protocols.enrolment import PATH_AUTHORITY, PATH_ENROL, PATH_RENEW, Code, read_code
from protocols.errors import ProtocolError

_TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=5)
_MOST_BYTES = 64 * 1024


async def enrol(url: str, code_text: str, data: Path, edge_id: str) -> None:
    """Have the centre make this gateway's certificate; may be repeated while the code lasts.

    Raises: UplinkError.
    """
    try:
        code = read_code(code_text)
    except ProtocolError as error:
        raise UplinkError(f"The code cannot be used: {error.detail}. Type it as the centre printed it.") from None
    base = https_url(url)
    authority_pem = await _authority(base, code)
    told = {
        "code": code_text,
        "request": await asyncio.to_thread(pending_request, data, edge_id),
        "sign_key": (await asyncio.to_thread(load_signer, data)).public,
    }
    # The code has proved the centre; a gateway that has no time yet must get in to learn it.
    answer = await _ask(base, PATH_ENROL, told, trusting(authority_pem, is_any_time=True))
    given_id, certificate = answer.get("edge_id"), answer.get("certificate")
    if given_id != edge_id:
        raise UplinkError(
            f"The code is for gateway '{given_id}', and [edge] id here is '{edge_id}'. Correct the settings, or invite "
            f"'{edge_id}' at the centre."
        )
    if is_command_key(key := answer.get("command_key")):  # the key before was perhaps another centre's
        await asyncio.to_thread(keep_command_key, data, str(key))
    await asyncio.to_thread(keep_certificate, data, str(certificate), authority_pem)


async def renew(link: Link, data: Path, edge_id: str) -> None:
    """Have the certificate renewed over a link that the present one opened.

    Raises: UplinkError.
    """
    request = await asyncio.to_thread(pending_request, data, edge_id)
    try:
        reply = await link.post(PATH_RENEW, json.dumps({"request": request}).encode())
    except Silence as error:
        raise UplinkError(str(error)) from None
    answer = _object(_checked(reply.status, reply.body))
    await asyncio.to_thread(keep_certificate, data, str(answer.get("certificate")), None)


def https_url(url: str) -> str:
    """Give a centre's address for gateways. Raises: UplinkError for anything that is not TLS."""
    try:
        parts = urlsplit(url)
        is_right = parts.scheme == "https" and bool(parts.hostname) and parts.path in ("", "/")
        is_right = is_right and parts.username is None and not parts.query and not parts.fragment and parts.port != 0
    except ValueError:
        is_right = False
    if not is_right:
        raise UplinkError(f"'{url}' is not the gateways' address of a centre. Write it as https://centre.example:8471")
    return f"https://{parts.netloc}"


async def _authority(base: str, code: Code) -> str:
    """Fetch the centre's own certificate, and believe it if the code was made for it."""
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE  # whoever answers has to fit the code, nothing is said to it before
    async with aiohttp.ClientSession(base, timeout=_TIMEOUT, connector=aiohttp.TCPConnector(ssl=blind)) as session:
        pem = (await _fetch(session, "GET", PATH_AUTHORITY)).decode("ascii", errors="replace")
    try:
        der = ssl.PEM_cert_to_DER_cert(pem)
    except ValueError:
        der = b""
    if not code.fits(der):
        raise UplinkError(
            f"What answers at {base} is not the centre that made this code. Check the address, and what stands between."
        )
    return pem


async def _ask(base: str, path: str, told: dict[str, Any], context: ssl.SSLContext) -> dict[str, Any]:
    async with aiohttp.ClientSession(base, timeout=_TIMEOUT, connector=aiohttp.TCPConnector(ssl=context)) as session:
        return await _post(session, path, told)


async def _post(session: aiohttp.ClientSession, path: str, told: dict[str, Any]) -> dict[str, Any]:
    return _object(await _fetch(session, "POST", path, json=told))


def _object(content: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise UplinkError("Something other than a centre answered. Check the address.")
    return answer


async def _fetch(session: aiohttp.ClientSession, method: str, path: str, **more: Any) -> bytes:
    try:
        async with session.request(method, path, allow_redirects=False, **more) as response:
            content = bytearray()
            async for chunk in response.content.iter_any():
                content += chunk
                if len(content) > _MOST_BYTES:
                    raise UplinkError("Something other than a centre answered, at great length. Check the address.")
            status = response.status
    except aiohttp.ClientConnectorCertificateError:
        raise UplinkError(
            "The centre's certificate is not made for this address. Use a name that stands in its [gateways] names."
        ) from None
    except TimeoutError:
        raise UplinkError("The centre did not answer in time. Check the address and the network.") from None
    except (aiohttp.ClientError, OSError) as error:
        raise UplinkError(f"The centre cannot be reached: {error}. Check the address and the network.") from None
    return _checked(status, bytes(content))


def _checked(status: int, content: bytes) -> bytes:
    """Give an answer's content. Raises: UplinkError for a refusal, in the centre's words."""
    if status == 200:
        return content
    try:
        reason = str(json.loads(content)["error"]["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        reason = f"something other than a centre answered: HTTP {status}"
    raise UplinkError(reason)
