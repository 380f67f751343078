"""A key for tests: the same everywhere, so that a database can be opened again."""

from pathlib import Path

from central_server.crypto import Vault

VAULT = Vault(bytes(range(32)))
KEY_FILE = Path("central.key")  # named in settings that are made and never read from a file
