"""A key for tests: the same everywhere, so that a database can be opened again."""

import base64
from pathlib import Path

from central_server.crypto import Vault

_KEY = bytes(range(32))
VAULT = Vault(_KEY)
KEY_FILE = Path("central.key")  # named in settings that are made and never read from a file


def write_key(folder: Path) -> None:
    """Put the key where a centre with its settings in this folder looks for it."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    (folder / "data" / "central.key").touch(mode=0o600)
    (folder / "data" / "central.key").write_bytes(base64.b64encode(_KEY))
