"""The uplink by HTTP: one connection to the centre's own door."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp

from edge_agent.credential import Credential, check_url
from edge_agent.transport import MOST_ANSWER_BYTES, Link, Overlong, Reply, Silence
from protocols.access import MAX_RULES_BYTES, PATH_RULES
from protocols.config_offer import MAX_OFFER_BYTES, PATH_CONFIG
from protocols.record import Lane
from protocols.snapshot import LANE_HEADER
from protocols.sync import CONTENT_TYPE, PATH_BATCHES, SIGN_KEY_HEADER

_CONNECT_S = 5.0


class HttpTransport:
    """Opens links by HTTPS, or by HTTP within this machine."""

    def __init__(self, url: str, credential: Credential, public_key: str, timeout_s: float) -> None:
        """Prepare it. Raises: UplinkError for an address that cannot be one."""
        self._url = check_url(url)
        self._credential = credential
        self._public_key = public_key
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(_CONNECT_S, timeout_s))

    def generation(self) -> object:
        return self._credential.generation()

    async def renew(self, link: Link) -> None:
        await self._credential.renew(link)

    def open(self) -> AbstractAsyncContextManager[Link]:
        tls = self._credential.tls()
        session = aiohttp.ClientSession(
            self._url,
            connector=aiohttp.TCPConnector(limit=1, ssl=tls or True),
            headers={
                **self._credential.headers,
                SIGN_KEY_HEADER: self._public_key,
                "Accept-Encoding": "identity",
            },
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return _opened(session, self._url)


@asynccontextmanager
async def _opened(session: aiohttp.ClientSession, url: str) -> AsyncIterator[Link]:
    async with session:
        yield HttpLink(session, url)


class HttpLink:
    """One session; ``url`` is what sentences call the centre by."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def post(self, path: str, body: bytes, *, lane: Lane | None = None) -> Reply:
        headers = {"Content-Type": CONTENT_TYPE if path == PATH_BATCHES else "application/json"}
        if lane is not None:
            headers[LANE_HEADER] = str(int(lane))
        return await self._ask("POST", path, MOST_ANSWER_BYTES, data=body, headers=headers)

    async def rules(self, have: str | None) -> Reply:
        params: Mapping[str, str] = {} if have is None else {"have": have}
        return await self._ask("GET", PATH_RULES, MAX_RULES_BYTES, params=params)

    async def config(self) -> Reply:
        return await self._ask("GET", PATH_CONFIG, MAX_OFFER_BYTES)

    async def _ask(self, method: str, path: str, most_bytes: int, **more: Any) -> Reply:
        try:
            async with self._session.request(method, path, allow_redirects=False, **more) as response:
                content = bytearray()
                async for chunk in response.content.iter_any():
                    content += chunk
                    if len(content) > most_bytes:
                        response.close()
                        raise Overlong("something other than a centre answered, at great length")
                return Reply(response.status, bytes(content), response.headers.get("Retry-After"))
        except TimeoutError:
            raise Silence(f"the centre at {self._url} did not answer in time") from None
        except aiohttp.ClientSSLError as error:
            raise Silence(
                f"what answers at {self._url} is not the centre this gateway is enrolled with: {error}"
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise Silence(
                f"the centre at {self._url} cannot be reached: {str(error) or type(error).__name__}"
            ) from None
