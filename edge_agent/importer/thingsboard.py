"""ThingsBoard gateway's ``modbus.json``, in its present layout and in the one before.

Source: the house's fact sheet "The field", chapter Importers, and thingsboard/thingsboard-gateway,
thingsboard_gateway/config/modbus.json and modbus_LE-03MW-CT.json.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from edge_agent.importer.ledger import Ledger
from edge_agent.importer.line import Line
from edge_agent.importer.plan import WIDTHS, BusPlan, DevicePlan, PointPlan
from edge_agent.importer.source import Path_
from protocols.toml import Fault, SettingsError

_ORDERS = {
    ("BIG", "BIG"): "ABCD", ("BIG", "LITTLE"): "CDAB", ("LITTLE", "BIG"): "BADC", ("LITTLE", "LITTLE"): "DCBA",
}  # fmt: skip
_NUMBERS = {"int": "i", "long": "i", "uint": "u", "double": "f", "float": "f"}
_COUNTS = ("objectsCount", "registersCount", "registerCount")
_MOST_BITS = 256
_READS, _WRITES = (1, 2, 3, 4), (5, 6, 15, 16)
_WRITING = "it writes; a point is written only where its profile allows it: add write = {...} to it by hand"
_LEFT = {
    "deviceType": "devices have no such type here; the profile says what a device is",
    "retries": "a lost answer is asked for again by the line's own rules",
    "retryOnEmpty": "a lost answer is asked for again by the line's own rules",
    "retryOnInvalid": "a lost answer is asked for again by the line's own rules",
    "connectAttemptTimeMs": "a lost line is opened again by its own rules",
    "connectAttemptCount": "a lost line is opened again by its own rules",
    "waitAfterFailedAttemptsMs": "a silent device is asked again by its breaker: after 1, 5, 15, 60 ... 300 s",
    "delayBetweenRequestsMs": "the pause between requests follows from the line's speed",
    "sendDataOnlyOnChange": "every reading is kept",
    "reportStrategy": "every reading is kept",
    "sendDataToThingsBoard": "where readings go is said in [uplink]",
    "security": "certificates are not carried",
    "tls": "certificates are not carried",
    "attributesPollPeriod": "a device has one period; that of its timeseries was taken",
    "converter": "no code is carried over",
    "extensionConfig": "no code is carried over",
    "identity": "a gateway is no Modbus server here",
    "strict": "every answer is checked",
    "repack": "bytes are put in order as 'order' says",
}
_POINT_LEFT = {
    "round": "readings are kept as they came; rounding is for display",
    "variants": "a choice of values is not carried; name the states in the profile",
    "bitTargetType": "a bit is a state or a number here",
    "value": "it is what their own server would answer",
}


def read_thingsboard(ledger: Ledger) -> list[DevicePlan]:
    """Find the devices of a file. Raises: SettingsError where it is no such file."""
    data = ledger.source.data
    found: list[DevicePlan] = []
    for path, table in _slaves(ledger, data):
        found.append(_Slave(ledger, path, table).plan())
    if not found:
        message = "no devices were found: neither master.slaves nor server.devices"
        raise SettingsError([Fault(ledger.source.file, 0, "", message, "Name ThingsBoard's modbus.json.")])
    if isinstance(data.get("slave"), dict):
        ledger.leave(("slave",), "the gateway is no Modbus server here; 'edge sim' serves simulated devices")
    return found


def _slaves(ledger: Ledger, data: Any) -> Iterator[tuple[Path_, dict[str, Any]]]:
    """Give every device's table; those of the old layout with what their server says of all."""
    if not isinstance(data, dict):
        return
    master, server = data.get("master"), data.get("server")
    for index, table in enumerate(_list(master, "slaves")):
        yield ("master", "slaves", index), table
    for index, table in enumerate(_list(server, "devices")):
        assert isinstance(server, dict)
        yield ("server", "devices", index), {"": server, **table}


def _list(table: Any, key: str) -> list[dict[str, Any]]:
    found = table.get(key) if isinstance(table, dict) else None
    return [it for it in found if isinstance(it, dict)] if isinstance(found, list) else []


class _Slave:
    """One device of theirs."""

    def __init__(self, ledger: Ledger, path: Path_, table: dict[str, Any]) -> None:
        self._ledger = ledger
        self._path = path
        server: Mapping[str, Any] | None = table.pop("", None)
        self._table = table
        self._line: Mapping[str, Any] = table if server is None else server
        self._line_path = path if server is None else path[:1]
        self._taken: set[tuple[int, int, str, str]] = set()

    def plan(self) -> DevicePlan:
        table, ledger = self._table, self._ledger
        name = str(table.get("deviceName") or table.get("name") or f"unit {table.get('unitId', 1)}")
        ledger.carry_all(self._path, ("deviceName", "name"), "device.name")
        ledger.carry_all(self._path, ("unitId",), "device.address")
        if self._line_path != self._path:
            ledger.carry_all(self._line_path, ("name",), "bus.id")
        for where, keys in ((self._path, self._table), (self._line_path, self._line)):
            for key in keys:
                if key in _LEFT:
                    ledger.leave((*where, key), _LEFT[key])
        points = tuple(self._points())
        unit, bus = str(table.get("unitId", 1)), self._bus(name)
        return DevicePlan((self._path,), self._line_path, name, unit, bus, self._period(), points)

    def _bus(self, name: str) -> BusPlan | None:
        kind = str(self._line.get("type", "tcp")).lower()
        if kind == "tcp" and isinstance(self._line.get("security") or self._line.get("tls"), dict):
            kind = "tls"
        if kind not in ("tcp", "udp", "tls", "serial"):
            self._ledger.leave((*self._line_path, "type"), f"there is no bus of the type '{kind}' here")
            return None
        return Line(self._ledger, self._line_path, self._line, str(self._line.get("name") or name)).plan(kind)

    def _period(self) -> float | None:
        found: float | None = None
        for where, table, key in (
            (self._path, self._table, "pollPeriod"),
            (self._path, self._table, "timeseriesPollPeriod"),
            (self._line_path, self._line, "pollPeriod"),
        ):
            value = table.get(key)
            if value is None or found is not None:
                continue
            if not isinstance(value, int | Decimal) or not 50 <= value <= 86_400_000:
                self._ledger.leave(
                    (*where, key), f"'{value}' is no period from 50 ms to a day; 60 s stand in its place"
                )
                continue
            self._ledger.carry((*where, key), "device.period_s")
            found = float(value) / 1000
        return found

    def _points(self) -> Iterator[PointPlan]:
        for group in ("timeseries", "attributes", "attributeUpdates", "rpc"):
            rows = self._table.get(group)
            # Their rpc is a list, or a table whose keys are the names.
            pairs = enumerate(rows) if isinstance(rows, list) else rows.items() if isinstance(rows, dict) else ()
            for key, row in pairs:
                path = (*self._path, group, key)
                if isinstance(row, dict):
                    yield from self._point(path, {"tag": str(key), **row} if isinstance(key, str) else row)

    def _point(self, path: Path_, row: Mapping[str, Any]) -> Iterator[PointPlan]:
        function = row.get("functionCode")
        if function in _WRITES:
            self._ledger.leave(path, _WRITING)
            return
        if function is None:
            self._ledger.leave(path, "it names no functionCode")
            return
        if function not in _READS:
            self._ledger.leave(path, f"'{function}' is no function that reads; Modbus has 1 to 4")
            return
        try:
            plans = list(_read_point(path, row, int(str(function)), self._order(path, row)))
        except ValueError as error:
            self._ledger.leave(path, str(error))
            return
        self._note(path, row)
        yield from plans

    def _note(self, path: Path_, row: Mapping[str, Any]) -> None:
        ledger = self._ledger
        for keys, target in (
            (("tag", "key"), "point.name"),
            (("type", *_COUNTS), "point.type"),
            (("functionCode",), "point.function"),
            (("address",), "point.address"),
            (("divider", "multiplier"), "point.scale"),
            (("byteOrder", "wordOrder"), "point.order"),
            (("bit",), "point.bit"),
        ):
            ledger.carry_all(path, keys, target)
        for key in row:
            if key in _POINT_LEFT or key in _LEFT:
                ledger.leave((*path, key), _POINT_LEFT.get(key) or _LEFT[key])
        if row.get("functionCode") in (1, 2):
            for key in ("divider", "multiplier"):
                if key in row:
                    ledger.leave((*path, key), "a coil has no factor")

    def _order(self, path: Path_, row: Mapping[str, Any]) -> str:
        """Give the order of a point, its own or the device's. Raises: ValueError."""
        told = []
        for key in ("byteOrder", "wordOrder"):
            value = row.get(key)
            for where, table in ((self._path, self._table), (self._line_path, self._line)):
                if key in table:
                    self._ledger.carry((*where, key), "point.order")
                    value = table[key] if value is None else value
            told.append(str(value or "LITTLE").upper())
        if (order := _ORDERS.get((told[0], told[1]))) is None:
            raise ValueError(f"there is no order '{told[0]}' with '{told[1]}': write BIG or LITTLE")
        return order


def _read_point(path: Path_, row: Mapping[str, Any], function: int, order: str) -> Iterator[PointPlan]:
    """Make the points of one row. Raises: ValueError with the reason why there are none."""
    label = str(row.get("tag") or row.get("key") or "")
    address, count = row.get("address"), next((row[key] for key in _COUNTS if key in row), None)
    if not isinstance(address, int) or not 0 <= address <= 65535:
        raise ValueError(f"the address '{address}' is a range or no number; make a point of each register")
    if count is not None and (not isinstance(count, int) or not 1 <= count <= _MOST_BITS):
        raise ValueError(f"'{count}' is no number of registers from 1 to {_MOST_BITS}")
    kind = str(row.get("type", "")).lower()
    if function in (1, 2):
        number = count or 1
        for index in range(number):
            name = label if number == 1 else f"{label} {index + 1}"
            yield PointPlan(path, name, function, address + index, "bit")
        return
    if "bit" in row or kind in ("bit", "bits"):
        raise ValueError("which bit theirs counts as which differs by version; add 'bit' from the device's manual")
    type_ = _type(kind, count)
    if type_ == "u8hi" and order not in ("ABCD", "CDAB"):
        raise ValueError("which half of a register it is depends on their version; name u8hi or u8lo by the manual")
    order = order if WIDTHS[type_] > 1 else {"CDAB": "ABCD", "DCBA": "BADC"}.get(order, order)
    yield PointPlan(path, label, function, address, type_, "ABCD" if type_ == "u8hi" else order, _scale(row))


def _type(kind: str, count: int | None) -> str:
    """Give our type of a register. Raises: ValueError."""
    if kind in _NUMBERS:
        kind = f"{16 * (count or 1)}{ {'i': 'int', 'u': 'uint', 'f': 'float'}[_NUMBERS[kind]] }"
    bits = kind.rstrip("abcdefghijklmnopqrstuvwxyz")
    type_ = f"{ {'int': 'i', 'uint': 'u', 'float': 'f'}.get(kind[len(bits) :], '?') }{bits}"
    if kind == "8uint":
        type_ = "u8hi"
    if type_ not in WIDTHS or type_ == "f16":
        raise ValueError(
            f"points have no type '{kind or 'none'}' here: they are numbers of 16 to 64 bits, or single bits"
        )
    if count is not None and count != WIDTHS[type_]:
        raise ValueError(f"a {kind} has {WIDTHS[type_]} registers and it names {count}; make a point of each number")
    return type_


def _scale(row: Mapping[str, Any]) -> Decimal:
    """Give multiplier by divider, exactly. Raises: ValueError."""
    multiplier, divider = row.get("multiplier", 1), row.get("divider", 1)
    if any(isinstance(it, bool) or not isinstance(it, int | Decimal) or it <= 0 for it in (multiplier, divider)):
        raise ValueError(f"multiplier '{multiplier}' and divider '{divider}' are no numbers above 0")
    scale = Decimal(multiplier) / Decimal(divider)
    if scale * Decimal(divider) != Decimal(multiplier) or len(scale.as_tuple().digits) > 12:
        raise ValueError(f"{multiplier} divided by {divider} has no end; write the scale by hand")
    return scale
