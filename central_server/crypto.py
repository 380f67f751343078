"""Personal columns: sealed with AES-256-GCM before they reach the database, found again by a keyed hash.

A sealed value is ``01 | key id 4 | nonce 12 | ciphertext and tag``; the column's name is bound to it,
so that a phone number cannot be moved into the place of a name. The key is a file beside the
database, made at the first start, readable by the server alone; without it nothing can be opened.
"""

import base64
import hashlib
import hmac
import os
import re
import secrets
import stat
import unicodedata
from pathlib import Path
from typing import Any, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import LargeBinary
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeDecorator

from central_server.errors import UsageError
from central_server.private_file import write_private

_FORMAT = b"\x01"
_KEY_BYTES, _NONCE_BYTES, _ID_BYTES = 32, 12, 4
# Where an engine keeps its vault; a column type sees the engine's dialect and nothing else.
_ATTRIBUTE = "gatehouse_vault"


class Vault:
    """What seals and opens; one key, of 32 random bytes, from which commands have their own as well."""

    def __init__(self, key: bytes) -> None:
        if len(key) != _KEY_BYTES:
            raise ValueError(f"a key has {_KEY_BYTES} bytes, not {len(key)}")
        self._sealing = AESGCM(hmac.digest(key, b"seal", "sha256"))
        self._finding = hmac.digest(key, b"find", "sha256")
        self.command_seed = hmac.digest(key, b"command", "sha256")
        self._id = hashlib.sha256(key).digest()[:_ID_BYTES]

    @classmethod
    def make(cls) -> Self:
        """Make one with a new key that is kept nowhere."""
        return cls(secrets.token_bytes(_KEY_BYTES))

    def seal(self, text: str, purpose: str) -> bytes:
        """Seal a text for one column."""
        nonce = os.urandom(_NONCE_BYTES)
        return _FORMAT + self._id + nonce + self._sealing.encrypt(nonce, text.encode(), purpose.encode())

    def open(self, sealed: bytes, purpose: str) -> str:
        """Open what was sealed for the same column. Raises: UsageError for another key or changed bytes."""
        head = len(_FORMAT) + _ID_BYTES
        nonce, rest = sealed[head : head + _NONCE_BYTES], sealed[head + _NONCE_BYTES :]
        try:
            if sealed[:head] != _FORMAT + self._id:
                raise InvalidTag
            return self._sealing.decrypt(nonce, rest, purpose.encode()).decode()
        except (InvalidTag, ValueError):
            text = "{what} cannot be opened: the key file is not the one it was sealed with, or the bytes were changed."
            raise UsageError("sealed_otherwise", text, what=purpose) from None

    def blind(self, text: str, kind: str) -> str:
        """Hash a text so that it can be looked for and not read; spaces, case and width do not count."""
        plain = re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).casefold()
        return hmac.new(self._finding, f"{kind}:{plain}".encode(), "sha256").hexdigest()[:32]


class Sealed(TypeDecorator[str]):
    """A text column that is sealed in the database and plain in the program; ``purpose`` names the column."""

    impl = LargeBinary
    cache_ok = True

    def __init__(self, purpose: str) -> None:
        super().__init__()
        self.purpose = purpose

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        return None if value is None else vault_of(dialect).seal(value, self.purpose)

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else vault_of(dialect).open(bytes(value), self.purpose)


def blind(connection: AsyncConnection, text: str, kind: str) -> str:
    """Hash a text as the look-up column of a kind keeps it: "name", "phone", "phone4", "plate", "card"."""
    return vault_of(connection.dialect).blind(text, kind)


def give_vault(dialect: Dialect, vault: Vault) -> None:
    """Let the sealed columns of an engine use a vault."""
    setattr(dialect, _ATTRIBUTE, vault)


def vault_of(dialect: Dialect) -> Vault:
    """Give the vault of an engine. Raises: UsageError where there is none."""
    vault = getattr(dialect, _ATTRIBUTE, None)
    if not isinstance(vault, Vault):
        raise UsageError("no_key", "Personal data cannot be opened without the key file. Restore it, or name it.")
    return vault


def load_vault(path: Path, *, may_make: bool) -> Vault:
    """Read the key file; make it where there is nothing yet that another key has sealed.

    Raises: UsageError for a file that is missing, open to others or no key.
    """
    if may_make and not path.exists():
        _make_key(path)
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            text = "The key file {file} can be read by others. Run: chmod 600 {file}"
            raise UsageError("key_open", text, file=str(path))
        return Vault(base64.b64decode(path.read_text(encoding="ascii").strip(), validate=True))
    except FileNotFoundError:
        text = (
            "The key file {file} is missing. Without it names and phone numbers cannot be read. "
            "Restore it from the backup, or name its place as key_file in the settings."
        )
        raise UsageError("key_missing", text, file=str(path)) from None
    except (OSError, ValueError) as error:
        text = "The key file {file} cannot be used: {reason}. Restore it from the backup."
        raise UsageError("key_broken", text, file=str(path), reason=str(error)) from None


def _make_key(path: Path) -> None:
    key = base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode() + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(path, lambda: key)
    except OSError as error:
        text = "The key file {file} cannot be made: {reason}. Make its folder, or name another place as key_file."
        raise UsageError("key_unwritable", text, file=str(path), reason=error.strerror or str(error)) from None
