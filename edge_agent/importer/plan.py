"""What an import has found, in this house's terms, before it is written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from edge_agent.importer.source import Path_

# type -> registers
WIDTHS = {"bit": 1, "u8hi": 1, "u16": 1, "i16": 1, "u32": 2, "i32": 2, "f32": 2, "u64": 4, "i64": 4, "f64": 4}


@dataclass(frozen=True, slots=True)
class PointPlan:
    """One point of a profile.

    Shape: ``path`` is the field group that it comes from; ``bit`` counts from the lowest.
    """

    path: Path_
    label: str
    function: int
    address: int
    type: str
    order: str = "ABCD"
    scale: Decimal = Decimal(1)
    unit: str = ""
    is_register: bool = False
    bit: int | None = None
    not_available: int | None = None
    states: Mapping[int, str] = field(default_factory=dict)
    is_polled: bool = True

    @property
    def places(self) -> range:
        return range(self.address, self.address + WIDTHS[self.type])


@dataclass(frozen=True, slots=True)
class BusPlan:
    """One line: the keys of its [[bus]] but the id; ``where`` tells two lines apart."""

    name: str
    rows: Mapping[str, str | int]

    @property
    def where(self) -> tuple[str | int | None, ...]:
        return tuple(self.rows.get(key) for key in ("port", "host", "tcp_port"))


@dataclass(frozen=True, slots=True)
class DevicePlan:
    """One device and its register map.

    Shape: ``bus`` is None where its line is of a kind that there is not here; ``paths`` are the tables
    that say something of the device alone, ``line_path`` is the one of its connection.
    """

    paths: tuple[Path_, ...]
    line_path: Path_
    name: str
    address: str
    bus: BusPlan | None
    period_s: float | None
    points: tuple[PointPlan, ...]
