"""Where pyMeterBus is right, it says what we say.

It is not asked about what it is known to get wrong: the fixed structure, variable data with
binaries, a unit as text behind its extension, records cut short, and more than ten extensions.
"""

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import meterbus  # type: ignore[import-untyped]  # it has no types
import pytest

from protocols.mbus.frame import decode_frame
from protocols.mbus.record import Record
from protocols.mbus.telegram import decode_telegram
from protocols.quantity import canonical

FRAMES = Path(__file__).parents[2] / "frames" / "mbus.toml"
WRONG_THERE = ("fixed", "sixteen bytes", "behind its extension", "keep what came before", "keeps what came before")
# rscada/libmbus test/test-frames/kamstrup_multical_601.hex and eastron_sdm630.hex
LONG = (
    "68 F7 F7 68 08 11 72 17 58 85 06 2D 2C 08 04 04 00 00 00 0C 78 17 58 85 06 04 06 E7 91 00 00 04 14 2C DB 00 00"
    "04 22 D9 03 00 00 04 59 B9 27 00 00 04 5D 08 12 00 00 04 61 B1 15 00 00 04 2D 5B 01 00 00 14 2D C0 01 00 00"
    "04 3B 1F 02 00 00 14 3B 74 02 00 00 84 10 06 00 00 00 00 84 20 06 00 00 00 00 84 40 14 00 00 00 00"
    "84 80 40 14 00 00 00 00 84 C0 40 06 00 00 00 00 04 6D 1A 2F 65 11 44 06 51 82 00 00 44 14 B2 C3 00 00"
    "54 2D 26 02 00 00 54 3B 03 04 00 00 C4 10 06 00 00 00 00 C4 20 06 00 00 00 00 C4 40 14 00 00 00 00"
    "C4 80 40 14 00 00 00 00 C4 C0 40 06 00 00 00 00 42 6C 5F 1C 0F 00 00 00 00 E7 E4 00 00 63 66 00 00"
    "00 00 00 00 00 00 00 00 00 00 00 00 5B C9 A5 02 34 53 00 00 E0 B2 03 00 89 9C 68 00 00 00 00 00 01 00 01"
    "07 07 09 01 03 00 00 00 00 00 98 16",
    "68 90 90 68 08 0A 72 78 65 34 21 24 40 01 02 55 00 00 00 0B FD 47 56 34 12 0B FD 47 56 34 12 0B FD 47 56 34 12"
    "0B FD 47 56 34 12 0B FD 47 56 34 12 0B FD 47 56 34 12 0B FD 59 56 34 12 0B FD 59 56 34 12 0B FD 59 56 34 12"
    "0B FD 59 56 34 12 0B 2A 56 34 12 0B 2A 56 34 12 0B 2A 56 34 12 0B 2A 56 34 12 0B FD 3A 56 34 12"
    "0B FD 3A 56 34 12 0B FD 3A 56 34 12 0B FD 3A 56 34 12 0A FD 3A 00 05 0A FD 3A 05 00 0A FD 3A 05 00"
    "0A FD 3A 05 00 0A FD 3A 50 00 4D 16",
)
# Its unit -> ours, and how many of ours it is.
UNITS = {
    "Wh": ("kWh", Decimal("0.001")),
    "J": ("GJ", Decimal("1e-9")),
    "m^3": ("m3", Decimal(1)),
    "m^3/h": ("m3/h", Decimal(1)),
    "W": ("W", Decimal(1)),
    "C": ("degC", Decimal(1)),
    "K": ("K", Decimal(1)),
    "V": ("V", Decimal(1)),
    "A": ("A", Decimal(1)),
    "seconds": ("s", Decimal(1)),
}


def wires() -> list[Any]:
    captures = tomllib.loads(FRAMES.read_text("utf-8"))["capture"]
    published = [it for it in captures if it["source"].startswith("rscada") and "error" not in it["frame"][0]]
    right = [it for it in published if not any(word in it["name"] for word in WRONG_THERE)]
    return [*(pytest.param(it["hex"], id=it["name"]) for it in right), *LONG]


@pytest.mark.parametrize("wire", wires())
def test_another_implementation_reads_the_same(wire: str) -> None:
    data = bytes.fromhex(wire.replace(" ", ""))
    telegram = decode_telegram(decode_frame(data))
    theirs = [it for it in meterbus.load(data).records if it.interpreted["unit"] != "None"]
    assert len(theirs) == len(telegram.records) > 0
    for record, their in zip(telegram.records, theirs, strict=True):
        assert_same(record, their)


def assert_same(record: Record, their: Any) -> None:
    told = their.interpreted
    assert record.storage == (told.get("storage_number") or 0)
    assert record.tariff == (told.get("tariff") or 0)
    value = their.parsed_value
    if record.text is not None:
        assert str(value).lstrip("0") == record.text.lstrip("0")
        return
    unit, factor = UNITS.get(str(their.unit), (None, Decimal(1)))
    quantity = canonical(record.quantity) if unit else record.quantity
    assert unit is None or quantity.unit == unit
    assert quantity.value == pytest.approx(Decimal(value) * factor, rel=Decimal("1e-9"))
