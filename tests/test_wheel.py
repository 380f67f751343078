"""What is installed finds its profiles, tariffs, pages and words, far from any checkout."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

LOOK = """
import drivers.profile, central_server.billing.tariff, central_server, edge_agent
from pathlib import Path
where = Path(central_server.__file__).parent
assert where.is_relative_to(Path.cwd()), where
assert "electricity/eastron-sdm630" in drivers.profile.profile_names()
assert drivers.profile.load_profile("water/cjt188").points
assert "beijing-water-residential" in central_server.billing.tariff.load_tariffs()
assert (where / "templates" / "overview.html").is_file()
assert (where / "static" / "app.css").is_file()
assert (where / "static" / "vendor" / "htmx.min.js").is_file()
assert (where / "locale" / "zh_CN" / "LC_MESSAGES" / "gatehouse.po").is_file()
assert (where / "migrations" / "env.py").is_file()
assert (Path(edge_agent.__file__).parent / "schema" / "0001.sql").is_file()
from drivers.sim.training import training_site
assert training_site(Path.cwd()).devices
import asyncio
from central_server.db import Database
from central_server.migrate import migrate, newest_version
asyncio.run(migrate(Database(f"sqlite:///{Path.cwd()}/new.db")))
print("found everything")
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder that holds the wheel's content and nothing of the checkout."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, ROOT], check=True, timeout=120)
    (wheel,) = folder.glob("*.whl")
    subprocess.run(
        [*pip, "install", "--no-deps", "--no-index", "--target", folder / "site", wheel], check=True, timeout=120
    )
    return folder / "site"


def test_an_installed_wheel_finds_all_its_data(installed: Path) -> None:
    command = [sys.executable, "-c", LOOK]
    done = subprocess.run(
        command,
        cwd=installed,
        env={"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "found everything" in done.stdout


def test_a_wheel_holds_no_tests_and_no_scripts(installed: Path) -> None:
    names = {path.name for path in installed.iterdir()}
    assert {"protocols", "drivers", "edge_agent", "central_server"} <= names
    assert not names & {"tests", "scripts", "config", "docs"}
