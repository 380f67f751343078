"""The protocols that a profile may name, and how each reads its own part of the file."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from drivers.profile import ble, ble_lock, cjt188, dlt645, iec62056, mbus, modbus, modbus_lint, osdp
from drivers.profile.file import Head, Table
from protocols.toml import Document, Fault


class ProfileProtocol(NamedTuple):
    """A protocol's part in a profile.

    Shape: ``file`` the tables of a whole file; ``tables`` the tables in it by key; ``source`` and
    ``link`` make ``Point.source`` and ``Profile.link`` of a validated file; ``lint`` finds what is
    wrong between points. Each takes its own ``file`` class, which its ``file`` entry warrants.
    """

    file: type[Head]
    tables: Mapping[str, type[Table]]
    source: Callable[[Any, Any], object]
    link: Callable[[Any], object]
    lint: Callable[[Document, Any], Iterable[Fault]]
    # The first number that a source of this protocol cannot show, None for one without such an end.
    modulus: Callable[[Any], Decimal | None] = lambda _: None


PROTOCOLS: Mapping[str, ProfileProtocol] = {
    "mbus": ProfileProtocol(mbus.MbusFile, mbus.TABLES, mbus.source, mbus.link, mbus.lint),
    "modbus": ProfileProtocol(
        modbus.ModbusFile, modbus.TABLES, modbus.source, modbus.link, modbus_lint.lint, modbus.modulus
    ),
    "dlt645": ProfileProtocol(
        dlt645.Dlt645File, dlt645.TABLES, dlt645.source, dlt645.link, dlt645.lint, dlt645.modulus
    ),
    "iec62056": ProfileProtocol(iec62056.Iec62056File, iec62056.TABLES, iec62056.source, iec62056.link, iec62056.lint),
    "p1": ProfileProtocol(iec62056.P1File, iec62056.P1_TABLES, iec62056.source, iec62056.link, iec62056.lint),
    "osdp": ProfileProtocol(osdp.OsdpFile, osdp.TABLES, osdp.source, osdp.link, osdp.lint),
    "cjt188": ProfileProtocol(
        cjt188.Cjt188File, cjt188.TABLES, cjt188.source, cjt188.link, cjt188.lint, cjt188.modulus
    ),
    "bthome": ProfileProtocol(ble.BthomeFile, ble.BTHOME_TABLES, ble.bthome_source, ble.bthome_link, ble.lint_bthome),
    "beacon": ProfileProtocol(ble.BeaconFile, ble.BEACON_TABLES, ble.beacon_source, ble.beacon_link, ble.lint_beacon),
    "ble-lock": ProfileProtocol(
        ble_lock.LockFile, ble_lock.LOCK_TABLES, ble_lock.lock_source, ble_lock.lock_link, ble_lock.lint_lock
    ),
}


def known_keys(protocol: str) -> Mapping[str, list[str]]:
    """Name the keys that each table of a profile of this protocol may have."""
    told = PROTOCOLS[protocol]
    tables: dict[str, type[Table]] = {"": told.file, **told.tables}
    return {name: [field.alias or key for key, field in table.model_fields.items()] for name, table in tables.items()}
