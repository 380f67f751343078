"""Settings: every fault with its file, line, key and remedy."""

import tomllib
from pathlib import Path

import pytest

from central_server.config import ENVIRONMENT, _Central, find_config, is_loopback, load_config
from central_server.context import open_context
from central_server.errors import UsageError
from protocols.toml import SettingsError

EXAMPLE = Path(__file__).resolve().parents[2] / "config" / "central.example.toml"


def written(folder: Path, text: str) -> Path:
    path = folder / "central.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_settings_left_out_have_their_defaults(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, ""))
    assert (config.host, config.port, config.language, config.zone) == ("127.0.0.1", 8470, "zh", "Asia/Shanghai")
    assert config.database == f"sqlite:///{tmp_path}/data/central.db"


def test_a_relative_database_starts_at_the_settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "etc").mkdir()
    written(tmp_path / "etc", '[central]\ndatabase = "sqlite:///../var/c.db"')
    assert load_config(Path("etc/central.toml")).database == f"sqlite:///{tmp_path}/var/c.db"


@pytest.mark.parametrize("url", ["sqlite:////srv/c.db", "postgresql://me@db/gatehouse"])
def test_a_whole_address_stays_as_it_is(tmp_path: Path, url: str) -> None:
    assert load_config(written(tmp_path, f'[central]\ndatabase = "{url}"')).database == url


def test_the_example_shows_every_setting_with_its_default(tmp_path: Path) -> None:
    shown = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))["central"]
    assert shown == {name: field.default for name, field in _Central.model_fields.items()}
    load_config(EXAMPLE)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "[::]", "example.org", ""])
def test_an_address_for_others_is_refused_with_the_reason_and_the_remedy(tmp_path: Path, host: str) -> None:
    path = written(tmp_path, f'[central]\n\nlisten = "{host}:8470"')
    with pytest.raises(SettingsError) as caught:
        load_config(path)
    text = str(caught.value)
    assert text.startswith(f"{path}:3: central.listen:")
    assert "no certificates yet" in text
    assert "write 127.0.0.1" in text


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_addresses_of_this_machine_alone_are_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('[central]\nlisten = "127.0.0.1"', 2, "is not an address and a port"),
        ('[central]\nlisten = "127.0.0.1:99999"', 2, "is not an address and a port"),
        ('[central]\nlanguage = "fr"', 2, "'zh' or 'en'"),
        ('[central]\nzone = "Mars/Olympus"', 2, "is not a time zone"),
        ('[central]\nzone = "../../etc/passwd"', 2, "is not a time zone"),
        ('[central]\n\nlissten = "127.0.0.1:1"', 3, "Did you mean 'listen'?"),
        ("[centrall]", 1, "Did you mean 'central'?"),
        ("[central]\nlisten = ]\n", 2, "not valid TOML"),
    ],
)
def test_a_fault_names_its_line_and_what_is_wrong(tmp_path: Path, text: str, line: int, words: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        load_config(path)
    assert str(caught.value).startswith(f"{path}:{line}:")
    assert words in str(caught.value)


def test_a_missing_file_says_where_to_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    with pytest.raises(SettingsError, match=r"config/central\.example\.toml"):
        find_config(None)
    with pytest.raises(SettingsError, match="No such file"):
        load_config(tmp_path / "nowhere.toml")


def test_the_file_named_comes_before_the_environment_and_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    here = written(tmp_path, "")
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    assert find_config(None).resolve() == here
    monkeypatch.setenv(ENVIRONMENT, "/from/environment.toml")
    assert find_config(None) == Path("/from/environment.toml")
    assert find_config(Path("named.toml")) == Path("named.toml")


async def test_a_command_is_told_of_a_database_that_is_not_ready(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="central migrate"):
        async with open_context(written(tmp_path, "")):
            pass
    async with open_context(tmp_path / "central.toml", must_be_current=False) as (config, db):
        assert db.path == tmp_path / "data" / "central.db"
        assert config.port == 8470
