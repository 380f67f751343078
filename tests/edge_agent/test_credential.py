"""The gateway's secret stays on this machine and out of others' sight."""

from pathlib import Path

import pytest

from edge_agent.credential import UplinkError, check_url, read_secret


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8470",
        "http://localhost:8470/",
        "http://[::1]:8470",
        "https://127.8.9.1",
        "https://centre.example:8471",
        "mqtt://127.0.0.1:1883",
        "mqtts://broker.example",
    ],
)
def test_this_machine_in_clear_and_any_by_tls_are_taken(url: str) -> None:
    assert check_url(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url", ["http://192.168.1.9:8470", "http://centre.example", "http://127.0.0.1.example", "http://[fe80::1]"]
)
def test_another_machine_is_refused_with_the_remedy(url: str) -> None:
    with pytest.raises(UplinkError, match=r"another machine.*such as https://"):
        check_url(url)


def test_a_broker_of_another_machine_is_reached_by_tls_or_not_at_all() -> None:
    with pytest.raises(UplinkError, match=r"another machine.*Write mqtts://10\.0\.0\.5:8883"):
        check_url("mqtt://10.0.0.5:1883")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8470",
        "ftp://127.0.0.1",
        "http://",
        "http://127.0.0.1:x",
        "http://127.0.0.1/api",
        "http://a:b@127.0.0.1",
    ],
)
def test_what_is_no_plain_address_is_refused(url: str) -> None:
    with pytest.raises(UplinkError, match=r"Write it as http://127\.0\.0\.1:8470"):
        check_url(url)


def test_a_secret_is_read_from_a_file_of_the_owners_own(tmp_path: Path) -> None:
    path = tmp_path / "gw-1.secret"
    path.write_text("s3cret-token\n")
    path.chmod(0o600)
    assert read_secret(path) == "s3cret-token"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_secret_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "gw-1.secret"
    path.write_text("s3cret-token")
    path.chmod(mode)
    with pytest.raises(UplinkError, match=f"mode {mode:04o}.*chmod 600"):
        read_secret(path)


@pytest.mark.parametrize("content", [b"", b"\n", b"two words", b"a\nb", b"\xff\xfe", b"x" * 5000])
def test_a_file_that_holds_no_secret_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "gw-1.secret"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(UplinkError, match="not a secret"):
        read_secret(path)


def test_a_missing_secret_says_where_one_comes_from(tmp_path: Path) -> None:
    with pytest.raises(UplinkError, match="central edge invite"):
        read_secret(tmp_path / "none")
    with pytest.raises(UplinkError):
        read_secret(tmp_path)
