"""Ids, point names and units of this house for what others have named freely. Pure."""

import re
from collections.abc import Iterable

from protocols.quantity import UNITS

_LONGEST_ID, _LONGEST_NAME = 32, 40
# Their spelling -> ours, where both mean one and the same.
_UNITS = {
    "°C": "degC", "℃": "degC", "C": "degC", "m³": "m3", "m³/h": "m3/h", "l": "L", "l/h": "L/h", "ltr": "L", "kvarh": "kvarh",
    "°": "deg", "lux": "lx", "mbar": "hPa", "µg/m³": "ug/m3", "μg/m³": "ug/m3", "µS/cm": "uS/cm", "m/s²": "m/s2", "RPM": "rpm",
    "sec": "s", "Min": "min", "元": "CNY", "¥": "CNY", "度": "kWh",
}  # fmt: skip
_QUANTITIES = {"V": "voltage", "A": "current", "W": "power", "kW": "power", "MW": "power"}
_QUANTITIES |= {"var": "reactivePower", "kvar": "reactivePower", "VA": "apparentPower", "kVA": "apparentPower"}
_ENERGY = ("kWh", "Wh", "MWh")
# Words that say no more than the unit does already.
_PLAIN = {
    "voltage",
    "volt",
    "volts",
    "u",
    "current",
    "ampere",
    "amps",
    "amp",
    "i",
    "power",
    "p",
    "active",
    "real",
    "phase",
}
_PLAIN |= {"reactive", "q", "apparent", "s", "energy", "meter", "sensor", "value", "ac", "grid", "mains"}
_PHASES = {"l1": "L1", "l2": "L2", "l3": "L3", "a": "L1", "b": "L2", "c": "L3", "1": "L1", "2": "L2", "3": "L3"}
_TOTALS = {"total", "sum", "all"}
_IMPORT, _EXPORT = {"import", "imported", "forward", "consumed"}, {"export", "exported", "reverse", "delivered"}


def known_unit(text: str) -> str | None:
    """Give our name of a unit; None for one that this house does not know."""
    text = text.strip()
    if text in UNITS:
        return text
    return _UNITS.get(text)


def id_of(text: str, stem: str, taken: set[str]) -> str:
    """Make an id of a name; one that nobody has."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[: _LONGEST_ID - 4].strip("-") or stem
    return _free(plain, taken, "-")


def point_name(label: str, unit: str, fallback: str, taken: set[str]) -> str:
    """Name a point: as the house does where the unit makes it certain, else in their words."""
    name = _canonical(label, unit)
    if name is None or name in taken:
        name = _camel(label) or fallback
    return _free(name, taken, "")


def _free(name: str, taken: set[str], joint: str) -> str:
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name}{joint}{number}"
    taken.add(found)
    return found


def _words(label: str) -> list[str]:
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", label)
    return re.findall(r"[A-Za-z]+\d*|\d+", apart)


def _camel(label: str) -> str:
    words = _words(label)
    while words and not words[0][0].isalpha():
        words = [*words[1:], words[0]]  # a name begins with a letter
        if all(not word[0].isalpha() for word in words):
            return ""
    if not words:
        return ""
    head = words[0].lower() if words[0].isupper() or words[0][0].isupper() else words[0]
    tail = "".join(word[:1].upper() + word[1:] for word in words[1:])
    return (head[:1].lower() + head[1:] + tail)[: _LONGEST_NAME - 4]


def _canonical(label: str, unit: str) -> str | None:
    """Name what unit and words agree on; a word that is not understood leaves it uncertain."""
    words = {word.lower() for word in _words(label)}
    if unit == "Hz":
        return "freq" if words <= {"frequency", "freq", "hz", "f", "grid", "mains", "ac"} else None
    phases = {_PHASES[word] for word in words if word in _PHASES}
    rest = words - _PLAIN - _PHASES.keys() - _TOTALS
    if len(phases) > 1:
        return None
    place = next(iter(phases), "Total")
    if unit in _ENERGY:
        return _energy(words, rest, place)
    quantity = _QUANTITIES.get(unit)
    if quantity is None or rest or not _agrees(words, quantity):
        return None
    if quantity in ("voltage", "current"):
        return f"{quantity}{place}" if phases else None
    return f"{quantity}{place}" if phases or words & _TOTALS else None


def _agrees(words: Iterable[str], quantity: str) -> bool:
    said = set(words)
    if quantity == "reactivePower":
        return "reactive" in said or "q" in said
    if quantity == "apparentPower":
        return "apparent" in said or "s" in said
    return not said & {"reactive", "apparent", "factor"}


def _energy(words: set[str], rest: set[str], place: str) -> str | None:
    if words & {"reactive", "apparent"}:
        return None
    if rest and rest <= _IMPORT:
        return f"energyImport{place}"
    if rest and rest <= _EXPORT:
        return f"energyExport{place}"
    return "energyTotal" if not rest and place == "Total" and words & _TOTALS else None
