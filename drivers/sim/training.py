"""The site for people without one: what is simulated when no file is named."""

from pathlib import Path

from drivers.sim.site import Site, parse_site

TRAINING_FILE = Path(__file__).with_name("training.toml")


def training_site(folder: Path) -> Site:
    """Give the built-in site, with its ptys, journal and state in a folder of the caller's."""
    return parse_site(TRAINING_FILE.read_text(encoding="utf-8"), str(TRAINING_FILE), folder)
