"""The store, opened for a look that leaves no trace."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from edge_agent.check.fact.text import is_there

_BUSY_S = 1.0


@contextlib.contextmanager
def open_store(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a store read-only, whether its gateway runs or not. Raises: sqlite3.Error."""
    # Without a -wal nobody has the store open; immutable then needs no right to write in the folder.
    idle = not is_there(path.with_name(path.name + "-wal"))
    uri = f"file:{quote(str(path.absolute()))}?mode=ro{'&immutable=1' if idle else ''}"
    with contextlib.closing(sqlite3.connect(uri, _BUSY_S, uri=True, isolation_level=None)) as connection:
        yield connection
