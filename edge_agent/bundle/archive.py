"""The archive itself: one ZIP file, readable by its owner only, with a list of all that is in it."""

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edge_agent.agent import VERSION
from edge_agent.bundle.content import Content
from edge_agent.bundle.redact import Scrubber
from edge_agent.check.finding import Sentence

MANIFEST = "manifest.json"
_MODE = 0o600 << 16


def write_archive(path: Path, content: Content, scrubber: Scrubber, edge_id: str, now: datetime) -> dict[str, Any]:
    """Write the archive and give its manifest; a file that is there already is never replaced.

    Raises: OSError.
    """
    files: dict[str, tuple[Sentence, bytes]] = {}
    for part in content.parts:
        if isinstance(part.content, str):
            text = scrubber.text(part.content, is_foreign=part.is_foreign)
        else:
            text = _json(scrubber.document(part.content))
        files[part.name] = (part.what, text.encode())
    manifest = {
        "program": f"Gatehouse {VERSION}",
        "edge_id": edge_id,
        "made_at": now.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "secrets_removed": scrubber.count,
        "left_out": [scrubber.text(line.en) for line in content.left_out],
        "left_out_zh": [scrubber.text(line.zh) for line in content.left_out],
        "files": [
            {"name": name, "what": what.en, "what_zh": what.zh, "bytes": len(data), "sha256": _digest(data)}
            for name, (what, data) in files.items()
        ],
    }
    packed = _packed({MANIFEST: _json(manifest).encode(), **{name: data for name, (_, data) in files.items()}}, now)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(packed)
    return manifest


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _packed(files: Mapping[str, bytes], now: datetime) -> bytes:
    buffer = io.BytesIO()
    # ZIP knows no zone and no year before 1980, which a gateway without a clock may show.
    stamp = max(now.astimezone(UTC).timetuple()[:6], (1980, 1, 1, 0, 0, 0))
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, stamp)
            entry.external_attr = _MODE
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return buffer.getvalue()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"
