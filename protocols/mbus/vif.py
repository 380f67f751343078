"""What a value information block says a number is: a word, a unit, a power of ten.

Units are the house's: an energy in Wh is told in kWh, one in J in GJ, a flow in m3/h.

Source: EN 13757-3 tables 10 to 16 as public implementations have them (rscada/libmbus,
ganehag/pyMeterBus, wmbusmeters); the standard itself was not read.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Vif(NamedTuple):
    """One meaning.

    Shape: value = number * ``factor`` * 10 ** ``exponent``; ``form`` says what the field holds.
    """

    quantity: str
    unit: str = ""
    exponent: int = 0
    factor: int = 1
    form: str = "number"  # or time, flags (never negative), name (digits that are no number)


# first code, how many codes, meaning of the first; each further one is ten times as much
_PRIMARY_DECADES = (
    (0x00, 8, Vif("energy", "kWh", -6)),
    (0x08, 8, Vif("energy", "GJ", -9)),
    (0x10, 8, Vif("volume", "m3", -6)),
    (0x18, 8, Vif("mass", "kg", -3)),
    (0x28, 8, Vif("power", "W", -3)),
    (0x30, 8, Vif("power", "J/h", 0)),
    (0x38, 8, Vif("volume-flow", "m3/h", -6)),
    (0x40, 8, Vif("volume-flow", "m3/h", -7, 60)),
    (0x48, 8, Vif("volume-flow", "m3/h", -9, 3600)),
    (0x50, 8, Vif("mass-flow", "kg/h", -3)),
    (0x58, 4, Vif("flow-temperature", "degC", -3)),
    (0x5C, 4, Vif("return-temperature", "degC", -3)),
    (0x60, 4, Vif("temperature-difference", "K", -3)),
    (0x64, 4, Vif("external-temperature", "degC", -3)),
    (0x68, 4, Vif("pressure", "bar", -3)),
)
# first of four codes: seconds, minutes, hours, days
_PRIMARY_DURATIONS = ((0x20, "on-time"), (0x24, "operating-time"), (0x70, "averaging-time"), (0x74, "actuality-time"))
_PRIMARY_SINGLES = {
    0x6C: Vif("date", form="time"),
    0x6D: Vif("datetime", form="time"),
    0x6E: Vif("heat-cost-units"),
    0x78: Vif("fabrication-number", form="name"),
    0x79: Vif("identification", form="name"),
    0x7A: Vif("bus-address", form="flags"),
    0x7E: Vif("any"),
    0x7F: Vif("manufacturer-specific", form="flags"),
}

# Behind FB.
_FB_DECADES = (
    (0x00, 2, Vif("energy", "kWh", 2)),
    (0x02, 2, Vif("reactive-energy", "kvarh", 0)),
    (0x04, 2, Vif("apparent-energy", "kVAh", 0)),
    (0x08, 2, Vif("energy", "GJ", -1)),
    (0x0C, 4, Vif("energy", "Mcal", -1)),
    (0x10, 2, Vif("volume", "m3", 2)),
    (0x14, 4, Vif("reactive-power", "var", 0)),
    (0x18, 2, Vif("mass", "kg", 5)),
    (0x1A, 2, Vif("relative-humidity", "%", -1)),
    (0x28, 2, Vif("power", "W", 5)),
    (0x2C, 4, Vif("frequency", "Hz", -3)),
    (0x30, 2, Vif("power", "J/h", 8)),
    (0x34, 4, Vif("apparent-power", "VA", 0)),
    (0x58, 4, Vif("flow-temperature", "degF", -3)),
    (0x5C, 4, Vif("return-temperature", "degF", -3)),
    (0x60, 4, Vif("temperature-difference", "degF", -3)),
    (0x64, 4, Vif("external-temperature", "degF", -3)),
    (0x70, 4, Vif("temperature-limit", "degF", -3)),
    (0x74, 4, Vif("temperature-limit", "degC", -3)),
    (0x78, 8, Vif("maximum-power-count", "W", -3)),
)
_FB_SINGLES = {
    0x20: Vif("volume", "ft3"),
    0x21: Vif("volume", "ft3", -1),
    0x2A: Vif("phase-voltage-angle", "deg", -1),
    0x2B: Vif("phase-current-angle", "deg", -1),
}

# Behind FD.
_FD_DECADES = (
    (0x00, 4, Vif("credit", "currency", -3)),
    (0x04, 4, Vif("debit", "currency", -3)),
    (0x40, 16, Vif("voltage", "V", -9)),
    (0x50, 16, Vif("current", "A", -12)),
)
_FD_DURATIONS = (
    (0x24, "storage-interval"),
    (0x2C, "since-last-readout"),
    (0x34, "tariff-period"),
    (0x3C, "transmission-period"),
)
_FD_FLAGS = {
    0x08: "access-number",
    0x09: "medium",
    0x0A: "manufacturer",
    0x0B: "parameter-set",
    0x0C: "model-version",
    0x0D: "hardware-version",
    0x0E: "firmware-version",
    0x0F: "software-version",
    0x17: "error-flags",
    0x18: "error-mask",
    0x19: "security-key",
    0x1A: "digital-output",
    0x1B: "digital-input",
    0x1C: "baud-rate",
    0x1D: "response-delay",
    0x1E: "retry",
    0x1F: "remote-control",
    0x20: "first-storage",
    0x21: "last-storage",
    0x22: "storage-block-size",
    0x2A: "operator-specific",
    0x60: "reset-counter",
    0x61: "cumulation-counter",
    0x62: "control-signal",
    0x63: "day-of-week",
    0x64: "week-number",
    0x66: "parameter-activation",
    0x67: "supplier-information",
    0x72: "daylight-saving",
    0x73: "listening-window",
    0x75: "stop-count",
}
_FD_NAMES = {
    0x10: "customer-location",
    0x11: "customer",
    0x12: "access-code-user",
    0x13: "access-code-operator",
    0x14: "access-code-system-operator",
    0x15: "access-code-developer",
    0x16: "password",
}
_HOUR, _DAY = 3600, 86400
_FD_SINGLES = {
    0x28: Vif("storage-interval", "months"),
    0x29: Vif("storage-interval", "years"),
    0x2B: Vif("second", "s"),
    0x30: Vif("tariff-start", form="time"),
    0x31: Vif("tariff-duration", "s", factor=60),
    0x32: Vif("tariff-duration", "s", factor=_HOUR),
    0x33: Vif("tariff-duration", "s", factor=_DAY),
    0x38: Vif("tariff-period", "months"),
    0x39: Vif("tariff-period", "years"),
    0x3A: Vif("dimensionless"),
    0x3B: Vif("container", form="flags"),
    0x65: Vif("day-change", form="time"),
    0x68: Vif("since-last-cumulation", "s", factor=_HOUR),
    0x69: Vif("since-last-cumulation", "s", factor=_DAY),
    0x6A: Vif("since-last-cumulation", "months"),
    0x6B: Vif("since-last-cumulation", "years"),
    0x6C: Vif("battery-operating-time", "s", factor=_HOUR),
    0x6D: Vif("battery-operating-time", "s", factor=_DAY),
    0x6E: Vif("battery-operating-time", "months"),
    0x6F: Vif("battery-operating-time", "years"),
    0x70: Vif("battery-change", form="time"),
    0x71: Vif("radio-level", "dBm"),
    0x74: Vif("battery-lifetime", "s", factor=_DAY),
}

_SECONDS = (1, 60, _HOUR, _DAY)


def _table(
    decades: tuple[tuple[int, int, Vif], ...], durations: tuple[tuple[int, str], ...], singles: Mapping[int, Vif]
) -> Mapping[int, Vif]:
    table = {
        first + step: meaning._replace(exponent=meaning.exponent + step)
        for first, count, meaning in decades
        for step in range(count)
    }
    for first, word in durations:
        table |= {first + step: Vif(word, "s", factor=seconds) for step, seconds in enumerate(_SECONDS)}
    return table | dict(singles)


PRIMARY = _table(_PRIMARY_DECADES, _PRIMARY_DURATIONS, _PRIMARY_SINGLES)
FB = _table(_FB_DECADES, (), _FB_SINGLES)
FD = _table(
    _FD_DECADES,
    _FD_DURATIONS,
    {
        **{code: Vif(word, form="flags") for code, word in _FD_FLAGS.items()},
        **{code: Vif(word, form="name") for code, word in _FD_NAMES.items()},
        **_FD_SINGLES,
    },
)
# Every word that a record's quantity may be: what a profile may ask for.
QUANTITIES = frozenset(vif.quantity for table in (PRIMARY, FB, FD) for vif in table.values()) | {
    "plain-text",
    "reserved",
}


def units_of(quantity: str) -> frozenset[str]:
    """Name the units in which a quantity comes."""
    return frozenset(vif.unit for table in (PRIMARY, FB, FD) for vif in table.values() if vif.quantity == quantity)
