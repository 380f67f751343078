"""The one key whose commands this gateway carries out: learnt with its certificate, or at the centre's first word."""

from pathlib import Path

from edge_agent.credential import UplinkError
from edge_agent.durable_file import private_folder, write_durably
from edge_agent.identity import FOLDER
from protocols.command import is_command_key

_FILE = "command.key"


def load_command_key(data: Path) -> str | None:
    """Read the centre's public command key; None where none was ever told.

    Raises: UplinkError.
    """
    path = data / FOLDER / _FILE
    try:
        found = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UplinkError(_broken(path, str(error))) from None
    if not is_command_key(found):
        raise UplinkError(_broken(path, "it holds no key"))
    return found


def keep_command_key(data: Path, key: str) -> None:
    """Believe this key from now on. Raises: UplinkError."""
    path = data / FOLDER / _FILE
    try:
        private_folder(path.parent)
        write_durably(path, key.encode() + b"\n")
    except OSError as error:
        raise UplinkError(_broken(path, error.strerror or str(error))) from None


def _broken(path: Path, reason: str) -> str:
    return f"{path}: the centre's command key cannot be used ({reason}). Delete the file: the centre tells it again."
