"""What a combinable extension (VIFE) makes of a value: another power of ten, another meaning, or an error.

Source: EN 13757-3 tables 15 and 17 as public implementations have them (rscada/libmbus,
ganehag/pyMeterBus, wmbusmeters); the standard itself was not read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from protocols.mbus.vif import Vif
from protocols.quantity import Quality

_PER = (
    *("per-second", "per-minute", "per-hour", "per-day", "per-week", "per-month", "per-year", "per-revolution"),
    *("per-input-pulse-0", "per-input-pulse-1", "per-output-pulse-0", "per-output-pulse-1"),
    *("per-l", "per-m3", "per-kg", "per-k", "per-kwh", "per-gj", "per-kw", "per-k-l", "per-v", "per-a"),
    *("times-s", "times-s-per-v", "times-s-per-a"),
)
_WORDS = {
    **{0x20 + step: word for step, word in enumerate(_PER)},
    0x39: "start-of",
    0x3A: "uncorrected",
    0x3B: "forward",
    0x3C: "backward",
    0x3E: "at-base-conditions",
    0x3F: "obis",
    0x40: "lower-limit",
    0x41: "lower-limit-exceeds",
    0x48: "upper-limit",
    0x49: "upper-limit-exceeds",
    0x68: "value-during-lower-limit",
    0x6C: "value-during-upper-limit",
    0x7E: "future",
}
# Behind FC: where on the line a value was measured.
_PLACES = {
    0x01: "l1",
    0x02: "l2",
    0x03: "l3",
    0x04: "neutral",
    0x05: "l1-l2",
    0x06: "l2-l3",
    0x07: "l3-l1",
    0x08: "quadrant-1",
    0x09: "quadrant-2",
    0x0A: "quadrant-3",
    0x0B: "quadrant-4",
    0x0C: "import-minus-export",
    0x10: "absolute",
}
_ERRORS = {
    0x01: "too-many-difes",
    0x02: "no-such-storage",
    0x03: "no-such-subunit",
    0x04: "no-such-tariff",
    0x05: "no-such-function",
    0x06: "no-such-data-class",
    0x07: "no-such-data-size",
    0x0B: "too-many-vifes",
    0x0C: "illegal-vif-group",
    0x0D: "illegal-vif-exponent",
    0x0E: "vif-and-dif-mismatch",
    0x0F: "not-implemented",
    0x15: "no-data",
    0x16: "overflow",
    0x17: "underflow",
    0x18: "data-error",
    0x1C: "premature-end",
}
_NO_DATA = 0x15
_SECONDS = (1, 60, 3600, 86400)
MANUFACTURER, PLACE = 0x7F, 0x7C


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a whole value information block says; value = number * ``vif.factor`` * 10 ** ``exponent``."""

    vif: Vif
    qualifiers: tuple[str, ...] = ()
    exponent: int = 0
    quality: Quality = Quality.GOOD


def combine(vif: Vif, extensions: Sequence[int]) -> Meaning:
    """Apply extensions, in their order, to what the block's first bytes say.

    Shape: ``extensions`` without their top bits. Behind a maker's own extension nothing is known.
    """
    qualifiers: list[str] = []
    exponent, quality = vif.exponent, Quality.GOOD
    codes = list(extensions)
    while codes:
        code = codes.pop(0)
        if code == MANUFACTURER or vif.quantity == "manufacturer-specific":
            rest = [*codes] if code == MANUFACTURER else [code, *codes]
            qualifiers.append("-".join(["manufacturer", *(f"{it:02x}" for it in rest)]))
            break
        if code == PLACE and codes:
            place = codes.pop(0)
            qualifiers.append(_PLACES.get(place, f"place-{place:02x}"))
        elif code < 0x20:
            if code:
                qualifiers.append(_ERRORS.get(code, f"error-{code:02x}"))
                quality = Quality.NOT_AVAILABLE if code == _NO_DATA else Quality.INVALID
        elif 0x70 <= code <= 0x77:
            exponent += code - 0x76
        elif code == 0x7D:
            exponent += 3
        elif 0x78 <= code <= 0x7B:
            # Sources do not agree on the unit of the constant to add, so the value is not to be believed as it is.
            qualifiers.append(f"plus-1e{code - 0x7B}")
            quality = Quality.SUSPECT
        else:
            vif, word = _turned(vif, code)
            exponent = 0 if vif.form == "time" or word.startswith("duration") else exponent
            qualifiers.append(word)
    return Meaning(vif, tuple(qualifiers), exponent, quality)


def _turned(vif: Vif, code: int) -> tuple[Vif, str]:
    """Turn a value into a point in time or a duration, where the extension says so."""
    side = "upper" if code & 0x08 else "lower"
    which = "last" if code & 0x04 else "first"
    if code == 0x39:
        return vif._replace(unit="", factor=1, form="time"), _WORDS[code]
    if 0x40 <= code <= 0x4F and code & 0b10:
        end = "end" if code & 0b1 else "begin"
        return vif._replace(unit="", factor=1, form="time"), f"{end}-of-{which}-{side}-limit-exceed"
    if 0x50 <= code <= 0x5F:
        return vif._replace(unit="s", factor=_SECONDS[code & 0b11]), f"duration-of-{which}-{side}-limit-exceed"
    if 0x60 <= code <= 0x67:
        return vif._replace(unit="s", factor=_SECONDS[code & 0b11]), f"duration-of-{which}"
    if code in (0x6A, 0x6B, 0x6E, 0x6F):
        end = "end" if code & 0b1 else "begin"
        return vif._replace(unit="", factor=1, form="time"), f"{end}-of-{which}"
    return vif, _WORDS.get(code, f"vife-{code:02x}")
