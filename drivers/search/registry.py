"""The searches there are, and the line settings with which each usually finds something."""

from collections.abc import Mapping
from typing import NamedTuple

from drivers.search import Search, ble, cjt188, dlt645, mbus, modbus, osdp


class Way(NamedTuple):
    """A search and the (baud rate, parity) pairs to try on a serial line, the usual one first."""

    search: Search
    settings: tuple[tuple[int, str], ...]


WAYS: Mapping[str, Way] = {
    "modbus": Way(modbus.search, ((9600, "N"), (9600, "E"), (19200, "N"), (19200, "E"), (2400, "N"), (4800, "N"))),
    "dlt645": Way(dlt645.search, ((2400, "E"), (9600, "E"), (1200, "E"), (4800, "E"))),
    "cjt188": Way(cjt188.search, ((2400, "E"), (9600, "E"))),
    "mbus": Way(mbus.search, ((2400, "E"), (300, "E"), (9600, "E"))),
    "osdp": Way(osdp.search, ((9600, "N"), (115200, "N"))),
    "ble": Way(ble.search, ()),  # no baud rate: an adapter
}
