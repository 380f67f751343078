"""Their connection settings, turned into a [[bus]]."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from edge_agent.importer.ledger import Ledger
from edge_agent.importer.plan import BusPlan
from edge_agent.importer.source import Path_, Tag

MISSING_HOST, MISSING_PORT = "replace-me.invalid", "/dev/replace-me"
SLOWEST_MS = 5000
_RATES = (300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)
_PARITIES = {"N": "N", "E": "E", "O": "O", "NONE": "N", "EVEN": "E", "ODD": "O"}
_LINE_KEYS = ("baudrate", "bytesize", "parity", "stopbits")


class Line:
    """Reads one of their connections; ``plan`` is None where there is no such bus here."""

    def __init__(self, ledger: Ledger, path: Path_, table: Mapping[str, Any], name: str) -> None:
        self._ledger = ledger
        self._path = path
        self._table = table
        self._name = name
        self._framing = str(table.get("method", "")).lower()

    def plan(self, kind: str) -> BusPlan | None:
        """Make the bus of a connection of this kind: tcp, udp, tls, rtuovertcp or serial."""
        if kind in ("udp", "tls"):
            reason = (
                f"there is no bus for Modbus over {kind.upper()} here; the profile is written and its device is not"
            )
            for key in ("type", "host", "port", "method"):
                if key in self._table:
                    self._ledger.leave((*self._path, key), reason)
            return None
        rows = self._serial() if kind == "serial" else self._network(kind)
        if rows is None:
            return None
        self._ledger.carry_all(self._path, ("type", "method"), "bus.kind")
        return BusPlan(self._name, {**rows, **self._timeout()})

    def _network(self, kind: str) -> dict[str, str | int]:
        host = self._text("host", MISSING_HOST)
        port = self._port()
        if kind == "rtuovertcp" or self._framing in ("rtu", "ascii"):
            # The bytes of a serial line behind a converter.
            self._ledger.carry_all(self._path, ("port",), "bus.tcp_port")
            more: dict[str, str | int] = {"modbus": "ascii"} if self._framing == "ascii" else {}
            return {"kind": "serial", "host": host, "tcp_port": port, **more}
        return {"kind": "modbus-tcp", "host": host, "port": port}

    def _serial(self) -> dict[str, str | int] | None:
        rows: dict[str, str | int] = {"kind": "serial", "port": self._text("port", MISSING_PORT)}
        table = {key: self._table[key] for key in _LINE_KEYS if key in self._table}
        baudrate, bytesize = table.get("baudrate", 19200), table.get("bytesize", 8)
        parity, stopbits = _PARITIES.get(str(table.get("parity", "N")).upper()), table.get("stopbits", 1)
        for key, is_right in (
            ("baudrate", baudrate in _RATES),
            ("bytesize", bytesize in (7, 8)),
            ("parity", parity is not None),
            ("stopbits", stopbits in (1, 2)),
        ):
            if not is_right:
                self._ledger.leave(
                    (*self._path, key), f"no bus here has {key} {table.get(key)!s}; its device is not written"
                )
                return None
            self._ledger.carry_all(self._path, (key,), f"bus.{key}")
        rows |= {"baudrate": int(baudrate), "bytesize": int(bytesize), "parity": str(parity), "stopbits": int(stopbits)}
        if self._framing == "ascii":
            rows["modbus"] = "ascii"
        return rows

    def _text(self, key: str, missing: str) -> str:
        value = self._table.get(key)
        path = (*self._path, key)
        if isinstance(value, Tag):
            self._ledger.leave(path, tagged(value, f"bus.{key}"))
            return missing
        if not isinstance(value, str | int) or not str(value):
            if key in self._table:
                self._ledger.leave(path, f"'{value}' names no {key}; write it in place of '{missing}'")
            return missing
        self._ledger.carry(path, f"bus.{key}")
        return str(value)

    def _port(self) -> int:
        value = self._table.get("port", 502)
        path = (*self._path, "port")
        number = int(value) if isinstance(value, int | str) and str(value).isdecimal() else 0
        if not 1 <= number <= 65535:
            told = (
                tagged(value, "bus.port")
                if isinstance(value, Tag)
                else f"'{value}' is no port; 502 stands in its place"
            )
            self._ledger.leave(path, told)
            return 502
        if "port" in self._table:
            self._ledger.carry(path, "bus.port")
        return number

    def _timeout(self) -> dict[str, str | int]:
        value = self._table.get("timeout")
        path = (*self._path, "timeout")
        if value is None:
            return {}
        if not isinstance(value, int | Decimal) or value <= 0:
            self._ledger.leave(path, f"'{value}' is no time; the usual timeout holds")
            return {}
        wanted = int(value * 1000)
        if wanted > SLOWEST_MS:
            self._ledger.leave(path, f"a silent device would hold the line for {value} s; timeout_ms is {SLOWEST_MS}")
        else:
            self._ledger.carry(path, "bus.timeout_ms")
        return {"timeout_ms": min(max(wanted, 10), SLOWEST_MS)}


def tagged(tag: Tag, target: str) -> str:
    """Say what to do about a value that stands in another file."""
    return f"its value stands elsewhere (!{tag.kind} {tag.text}), which is not read; write it into {target}"
