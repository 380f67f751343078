"""The access rules in force: the last good snapshot, on disk and in memory, and how fresh it is.

A snapshot replaces the last one only if it is whole, signed by the centre, this gateway's and of a higher version.
Freshness is renewed whenever the centre confirms the very version held here: hearing a centre
whose newer rules cannot be taken does not make the old ones fresher.
"""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge_agent.access import RuleBook, open_book
from edge_agent.credential import UplinkError
from edge_agent.durable_file import write_durably
from protocols.access import are_signed_by, decode_rules, encode_rules, rules_hash, rules_signature
from protocols.access_delta import apply_delta, decode_delta, is_delta
from protocols.errors import ProtocolError

log = logging.getLogger("edge.rules")

RULES_NAME, HEARD_NAME = "access-rules.json", "access-rules.heard"
OFFLINE_S = 30.0
_SAVE_EVERY_S = 60.0
# A clock that shows a day before the rules were issued is not set.
_UNSET_MS = 86_400_000


class RulesRefused(Exception):
    """A snapshot that is not taken, and why; the old one stays."""


class DeltaRefused(RulesRefused):
    """A delta that does not fit what is here: the whole rules are to be asked for."""


class RuleKeeper:
    """Keep one gateway's rules; ``load`` before the first use.

    Shape: ``centre_key`` gives the public key by which the centre signs, as hex, None before it is known;
    ``wall`` is milliseconds UTC, ``monotonic`` seconds.
    """

    def __init__(
        self,
        folder: Path,
        edge_id: str,
        *,
        centre_key: Callable[[], str | None] = lambda: None,
        wall: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = folder / RULES_NAME
        self._heard_path = folder / HEARD_NAME
        self._edge_id = edge_id
        self._centre_key = centre_key
        self._wall = wall
        self._monotonic = monotonic
        self._confirmed = 0.0
        self._saved: float | None = None
        self._heard: float | None = None
        self.book: RuleBook | None = None
        self.decisions = 0

    @property
    def version(self) -> int | None:
        return None if self.book is None else self.book.rules.version

    @property
    def have(self) -> str | None:
        """What the centre is told of these rules: it may answer with what has changed since."""
        return None if self.book is None else f"{self.book.rules.version}/{rules_hash(self.book.rules)}"

    @property
    def silent_s(self) -> float:
        """For how long the centre has not confirmed these rules."""
        return max(0.0, self._monotonic() - self._confirmed)

    @property
    def is_offline(self) -> bool:
        """Whether the centre has not been heard for a while."""
        return self._heard is None or self._monotonic() - self._heard > OFFLINE_S

    def now(self) -> int:
        """Give the instant to decide by: a clock that was never set must not bring back ended tenancies."""
        now = self._wall()
        issued_at = 0 if self.book is None else self.book.rules.issued_at
        return issued_at if now < issued_at - _UNSET_MS else now

    def load(self) -> None:
        """Read the last good snapshot; none is no fault.

        Raises: RulesRefused for a file that cannot be used; then there are no rules.
        """
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise RulesRefused(f"{self._path} cannot be read: {error.strerror}") from None
        book = self._read(data)
        age_s = max(0, self._wall() - self._confirmed_at(book)) / 1000
        self._confirmed = self._monotonic() - age_s
        self.book = book

    async def take(self, data: bytes) -> None:
        """Put a snapshot in force once it is on disk, or what a delta makes of the one that is.

        Raises: RulesRefused; then nothing has changed.
        """
        signature = rules_signature(data)
        if is_delta(data):
            data = await asyncio.to_thread(self._made, data)
        book = await asyncio.to_thread(self._read, data)
        await asyncio.to_thread(self._check_signature, book, signature)
        if self.book is not None:
            old, new = self.book.rules, book.rules
            if new.version < old.version:
                raise RulesRefused(f"version {new.version} is older than version {old.version}, which is in force")
            if new.version == old.version and rules_hash(new) != rules_hash(old):
                raise RulesRefused(f"another version {new.version} than the one in force")
        try:
            await asyncio.to_thread(write_durably, self._path, data)
        except OSError as error:
            raise RulesRefused(f"{self._path} cannot be written: {error.strerror}") from None
        self.book = book
        log.info("access rules version %d: %d cards", book.rules.version, len(book.rules.credentials))
        self._saved = None
        await self.confirm(book.rules.version)

    def hear(self) -> None:
        """Note that the centre has answered something."""
        self._heard = self._monotonic()

    async def confirm(self, version: int | None) -> None:
        """Note which version the centre has for this gateway just now."""
        if version is None or version != self.version:
            return
        now = self._confirmed = self._monotonic()
        if self._saved is not None and now - self._saved < _SAVE_EVERY_S:
            return
        self._saved = now
        document = json.dumps({"version": version, "confirmed_at": self._wall()}).encode()
        try:
            await asyncio.to_thread(write_durably, self._heard_path, document)
        except OSError as error:
            log.warning("%s cannot be written: %s", self._heard_path, error.strerror)

    def as_json(self) -> dict[str, Any]:
        """Describe the rules as ``edge status`` does."""
        age = None if self.book is None else round(self.silent_s, 1)
        return {"rules_version": self.version, "rules_age_s": age, "decisions": self.decisions}

    def _made(self, data: bytes) -> bytes:
        """Give the snapshot that a delta makes. Raises: DeltaRefused."""
        if self.book is None:
            raise DeltaRefused("a delta came, and there are no rules to lay it on")
        try:
            return encode_rules(apply_delta(self.book.rules, decode_delta(data)))
        except (ProtocolError, ValueError) as error:
            raise DeltaRefused(error.detail if isinstance(error, ProtocolError) else str(error)) from None

    def _check_signature(self, book: RuleBook, signature: bytes) -> None:
        """Believe rules that the centre has signed; before its key is known, the way by which they came is all there is.

        Raises: RulesRefused.
        """
        try:
            key = self._centre_key()
        except UplinkError as error:
            raise RulesRefused(str(error)) from None
        if key is not None and not are_signed_by(key, rules_hash(book.rules), signature):
            raise RulesRefused("they are not signed by the centre that this gateway knows")

    def _read(self, data: bytes) -> RuleBook:
        try:
            rules = decode_rules(data)
        except ProtocolError as error:
            raise RulesRefused(error.detail) from None
        if rules.edge_id != self._edge_id:
            raise RulesRefused(f"they are those of gateway '{rules.edge_id}'")
        return open_book(rules)

    def _confirmed_at(self, book: RuleBook) -> int:
        """Say when these rules were last confirmed; without a note, when they were issued."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            noted = json.loads(self._heard_path.read_bytes())
            if noted["version"] == book.rules.version:
                return int(noted["confirmed_at"])
        return book.rules.issued_at
