"""The centre's settings: one TOML file, every fault with its line."""

import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from protocols.toml import Fault, SettingsError, faults, parse

ENVIRONMENT = "GATEHOUSE_CENTRAL_CONFIG"
PLACES = (Path("central.toml"), Path("/etc/gatehouse/central.toml"))


@dataclass(frozen=True, slots=True)
class Config:
    """Settings in force; ``database`` is an address with an absolute path, as is ``key_file``; ``broker`` is one of MQTT."""

    file: Path
    host: str
    port: int
    database: str
    language: str
    zone: str
    key_file: Path
    door: "Door | None" = None
    broker: str | None = None


@dataclass(frozen=True, slots=True)
class Door:
    """Where gateways of other machines are let in, by TLS; ``names`` are what they know the centre by."""

    host: str
    port: int
    names: tuple[str, ...]
    authority: Path


def _any_address(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not host or not colon or not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise ValueError(f"'{text}' is not an address and a port, such as 0.0.0.0:8471")
    return text


def _address(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise ValueError(f"'{text}' is not an address and a port, such as 127.0.0.1:8470")
    if not is_loopback(host.strip("[]")):
        raise ValueError(
            f"'{host}' is not an address of this machine alone. This version has no certificates yet and listens on "
            "loopback only; write 127.0.0.1, and let a proxy with TLS on this machine serve the pages to others"
        )
    return text


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"'{text}' is not a time zone; write one such as Asia/Shanghai") from None
    return text


def _database_url(text: str) -> str:
    if not text.startswith(("sqlite:///", "postgresql://")):
        raise ValueError(f"'{text}' is no database for this; write sqlite:///data/central.db or postgresql://...")
    return text


def _broker_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("mqtt", "mqtts") or parts.path not in ("", "/") or parts.username is not None:
        raise ValueError(f"'{text}' is not a broker's address; write it as mqtts://broker.example:8883")
    if parts.scheme == "mqtt" and not is_loopback(host):
        raise ValueError(f"'{host}' is another machine, and nothing goes there in clear; write mqtts://{host}:8883")
    return f"{parts.scheme}://{parts.netloc}"


class _Central(BaseModel):
    model_config = ConfigDict(extra="forbid")

    listen: Annotated[str, AfterValidator(_address)] = "127.0.0.1:8470"
    database: Annotated[str, AfterValidator(_database_url)] = "sqlite:///data/central.db"
    language: Literal["zh", "en"] = "zh"
    zone: Annotated[str, AfterValidator(_zone)] = "Asia/Shanghai"
    key_file: Annotated[str, Field(min_length=1)] = "data/central.key"


class _Gateways(BaseModel):
    model_config = ConfigDict(extra="forbid")

    listen: Annotated[str, AfterValidator(_any_address)]
    names: Annotated[list[Annotated[str, Field(min_length=1, max_length=253)]], Field(min_length=1)]
    authority: Annotated[str, Field(min_length=1)] = "data/authority"


class _Mqtt(BaseModel):
    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, AfterValidator(_broker_url)]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    central: _Central = _Central()
    gateways: _Gateways | None = None
    mqtt: _Mqtt | None = None


_KNOWN = {
    "": list(_File.model_fields),
    "central": list(_Central.model_fields),
    "gateways": list(_Gateways.model_fields),
    "mqtt": list(_Mqtt.model_fields),
}


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine and nothing else."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def find_config(named: Path | None) -> Path:
    """Choose the settings file: the one named, the environment's, or the first usual place.

    Raises: SettingsError where there is none.
    """
    if named is not None:
        return named
    if text := os.environ.get(ENVIRONMENT):
        return Path(text)
    for place in PLACES:
        if place.exists():
            return place
    remedy = "Copy config/central.example.toml to central.toml, or name one with --config."
    raise SettingsError([Fault("central.toml", 0, "", "there is no settings file here", remedy)])


def load_config(path: Path) -> Config:
    """Read and check a settings file.

    Raises: SettingsError with every fault found.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror or "cannot be read" if isinstance(error, OSError) else "is not UTF-8 text"
        raise SettingsError([Fault(str(path), 0, "", reason, "Name the settings file with --config.")]) from None
    document = parse(text, str(path))
    try:
        read = _File.model_validate(document.data)
    except ValidationError as error:
        raise SettingsError(faults(document, error.errors(), _KNOWN)) from None
    if read.mqtt is not None and read.gateways is None:
        message, remedy = "gateways at a broker need certificates", "Add [gateways], by which they enrol."
        raise SettingsError([document.fault(("mqtt", "url"), message, remedy)])
    central = read.central
    host, _, port = central.listen.rpartition(":")
    return Config(
        path,
        host.strip("[]"),
        int(port),
        _database(central.database, path),
        central.language,
        central.zone,
        (path.parent / central.key_file).resolve(),
        None if read.gateways is None else _door(read.gateways, path),
        None if read.mqtt is None else read.mqtt.url,
    )


def _door(gateways: _Gateways, file: Path) -> Door:
    host, _, port = gateways.listen.rpartition(":")
    folder = (file.parent / gateways.authority).resolve()
    return Door(host.strip("[]"), int(port), tuple(gateways.names), folder)


def _database(url: str, file: Path) -> str:
    """Anchor a relative SQLite path at the settings file's folder."""
    prefix = "sqlite:///"
    if not url.startswith(prefix):
        return url
    return f"{prefix}{(file.parent / url.removeprefix(prefix)).resolve()}"
