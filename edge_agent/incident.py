"""What has befallen the store: damaged and salvaged, or found to be a copy; for people, and for the alarm."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from edge_agent.live import iso_ms
from edge_agent.store_file import SEAL_VERSION, LaneState, reading
from protocols.record import Lane

DAMAGED, COPIED = "damaged", "copied"
CONDITIONS = {DAMAGED: "store_damaged", COPIED: "store_copied"}


class Incident(NamedTuple):
    """One thing that happened. Units: ``at`` is milliseconds since 1970 in UTC."""

    at: int
    kind: str
    detail: Mapping[str, Any]
    is_told: bool

    @property
    def sentence(self) -> str:
        """Say what happened and what was done."""
        if self.kind == DAMAGED:
            saved, lost, kept = (self.detail.get(key) for key in ("saved", "lost", "kept_as"))
            return (
                f"the store was damaged: {saved} records were saved, {lost} are lost; the damaged file is kept as {kept}. "
                "Check the disk (smartctl -a, dmesg), and delete that file when it is no longer wanted."
            )
        pending = self.detail.get("pending")
        return f"the store is a copy or was put back from a backup: it began a new epoch, {pending} records are sent first."


def incident_json(found: Sequence[Incident]) -> dict[str, Any] | None:
    """Describe the last one as ``edge status --json`` does, None where there was none."""
    if not found:
        return None
    last = found[-1]
    return {"at": iso_ms(last.at), "kind": last.kind, "sentence": last.sentence, **last.detail}


def add_incident(connection: sqlite3.Connection, now_ms: int, detail: Mapping[str, Any]) -> None:
    """Note what has befallen the store; ``detail`` names its kind."""
    text = json.dumps(detail, ensure_ascii=False)
    connection.execute("INSERT INTO incident (at, detail, is_told) VALUES (?, ?, 0)", (now_ms, text))


def read_incidents(path: Path) -> list[Incident]:
    """Read what has befallen a store, oldest first, whether the service runs or not.

    Raises: StoreError.
    """
    with reading(path) as connection:
        if connection.execute("PRAGMA user_version").fetchone()[0] < SEAL_VERSION:
            return []
        rows = connection.execute("SELECT at, detail, is_told FROM incident ORDER BY id").fetchall()
    found = [(at, _detail(text), bool(is_told)) for at, text, is_told in rows]
    return [
        Incident(at, str(detail["kind"]), detail, is_told)
        for at, detail, is_told in found
        if detail.get("kind") in CONDITIONS
    ]


def mark_told(connection: sqlite3.Connection, _: Mapping[Lane, LaneState]) -> None:
    connection.execute("UPDATE incident SET is_told = 1 WHERE is_told = 0")


def _detail(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
