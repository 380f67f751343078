"""``central mqtt``: the files of a broker, written by what is typed, and what is said where they cannot be."""

import ssl
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from central_server.cli import app
from central_server.sync.broker import ACL, BROKER_DAYS, CA, CERTIFICATE, CONF, KEY
from central_server.sync.broker_commands import mqtt_app

GATEWAYS = '[gateways]\nlisten = "127.0.0.1:8471"\nnames = ["centre.example"]\n'
MQTT = '[mqtt]\nurl = "mqtts://broker.example:8899"\n'


def typed(folder: Path, settings: str, *words: str) -> Result:
    config = folder / "central.toml"
    config.write_text(settings)
    return CliRunner().invoke(app, ["-c", str(config), *words])


def test_the_files_bind_each_gateway_to_its_name_and_show_the_broker_s(tmp_path: Path) -> None:
    assert typed(tmp_path, GATEWAYS + MQTT, "migrate").exit_code == 0
    folder = tmp_path / "out"
    done = typed(tmp_path, GATEWAYS + MQTT, "mqtt", "broker", str(folder), "--there", "/etc/there")
    assert done.exit_code == 0, done.output
    assert "mosquitto -c /etc/there/mosquitto.conf" in done.stdout
    conf, acl = (folder / CONF).read_text(), (folder / ACL).read_text()
    assert "listener 8899" in conf
    assert "require_certificate true\nuse_identity_as_username true" in conf
    assert "keyfile /etc/there/broker.key" in conf
    assert "pattern write gatehouse/%u/batches" in acl
    assert "pattern write gatehouse/%u/answers" not in acl
    assert CliRunner().invoke(mqtt_app, ["acl"]).stdout == acl
    assert (folder / KEY).stat().st_mode & 0o077 == 0
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(folder / CA)
    context.load_cert_chain(folder / CERTIFICATE, folder / KEY)
    assert BROKER_DAYS == 365


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (GATEWAYS, "There is no broker in"),
        (MQTT, "gateways at a broker need certificates"),
        (GATEWAYS + MQTT.replace("mqtts", "mqtt"), "nothing goes there in clear"),
        (GATEWAYS + MQTT.replace("mqtts", "https"), "is not a broker's address"),
    ],
)
def test_settings_without_a_safe_broker_are_refused_in_words(tmp_path: Path, settings: str, said: str) -> None:
    typed(tmp_path, GATEWAYS, "migrate")
    refused = typed(tmp_path, settings, "mqtt", "broker", str(tmp_path / "out"))
    assert refused.exit_code == 2
    assert said in refused.output
    assert not (tmp_path / "out").exists()
