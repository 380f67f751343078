"""What a new revision of the settings may not change: pure."""

from collections.abc import Iterator

from edge_agent.config import Settings
from protocols.toml import Fault, Loc, parse


def forbidden(text: str, name: str, now: Settings, new: Settings, *, is_remote: bool) -> list[Fault]:
    """Give a fault for every change that is not to be made in this way; ``name`` is what faults call the settings.

    A gateway that is another one, or has another data folder, is a new gateway. Whoever is at the centre may
    besides not say where the centre is: a slip there could be mended only on site.
    """
    document = parse(text, name)
    return [document.fault(loc, message, remedy) for loc, message, remedy in _changes(now, new, is_remote=is_remote)]


def _changes(now: Settings, new: Settings, *, is_remote: bool) -> Iterator[tuple[Loc, str, str]]:
    if new.edge_id != now.edge_id:
        message = f"this gateway is '{now.edge_id}', and its store and its certificate are"
        yield ("edge", "id"), message, "Leave the id as it is; another gateway has a data folder of its own."
    if new.data != now.data:
        message = "the data folder holds the readings and these revisions"
        yield ("edge", "data"), message, "Leave it; to move it stop the gateway, move the folder, change the file."
    if is_remote and new.uplink != now.uplink:
        message = "where the centre is cannot be changed from the centre"
        yield ("uplink",), message, "Leave [uplink] as it is; change it on site with 'edge config apply'."
