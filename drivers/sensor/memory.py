"""What a sensor's counter had reached, kept over a restart of the gateway: a recording is refused then as well.

Shape: JSON, mode 0600; one that is lost or damaged is begun anew with the next frame that is believed.
"""

import json
import logging
import os
from pathlib import Path

from protocols.ble.bthome_guard import Seen

log = logging.getLogger("edge.ble")

_LONGEST = 65_536


def recall(path: Path) -> Seen:
    """Give what was kept, or what nobody knows yet."""
    try:
        with path.open("rb") as file:
            kept = json.loads(file.read(_LONGEST))
        young = frozenset((int(counter), bytes.fromhex(mic)) for counter, mic in kept["young"])
        return Seen(int(kept["counter"]), bytes.fromhex(kept["mic"]), young=young)
    except FileNotFoundError:
        return Seen()
    except (OSError, ValueError, TypeError, KeyError) as error:
        log.warning("%s: the counter of this sensor cannot be read (%s), so the next frame is believed", path, error)
        return Seen()


def keep(path: Path, seen: Seen) -> None:
    """Keep what is known, all of it or what was there before; a disk that refuses costs no reading."""
    young = sorted((counter, mic.hex()) for counter, mic in seen.young)
    text = json.dumps({"counter": seen.counter, "mic": seen.mic.hex(), "young": young})
    new = path.with_name(f"{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w") as file:
            file.write(text)
        new.replace(path)
    except OSError as error:
        log.warning("%s: the counter of this sensor cannot be kept (%s)", path, error.strerror)
