"""A device model as the drivers know it: its points and how to speak to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from protocols.quantity import canonical_unit


@dataclass(frozen=True, slots=True)
class Writable:
    """That a point may be written.

    Units: ``low`` and ``high`` in the point's canonical unit, both inclusive; None where the states say it all.
    """

    low: Decimal | None = None
    high: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """One measurand.

    Shape: ``unit`` as the device sends it after scaling; ``is_register`` for a cumulative one,
    which is billed; ``states`` gives a code its word; ``source`` is the protocol module's own
    ``Source``; a point without ``write`` is never written.
    Units: of a register, in its canonical unit, ``max_per_hour`` is the most that its line carries and
    ``modulus`` the first number that it cannot show; None where the profile does not say.
    """

    name: str
    unit: str
    source: object
    is_register: bool = False
    states: Mapping[int, str] = field(default_factory=dict)
    write: Writable | None = None
    max_per_hour: Decimal | None = None
    modulus: Decimal | None = None

    @property
    def canonical_unit(self) -> str:
        """The unit that a driver's values have."""
        return canonical_unit(self.unit)


@dataclass(frozen=True, slots=True)
class Profile:
    """A device model.

    Shape: ``name`` is ``<folder>/<file without .toml>``; ``protocol`` a key of
    ``protocol.PROTOCOLS``; ``link`` is that module's own ``Link``; ``probe`` names the point that
    is cheapest to read.
    """

    name: str
    title: str
    kind: str
    protocol: str
    points: tuple[Point, ...]
    probe: str
    link: object
    sources: tuple[str, ...]
    caveats: tuple[str, ...]
    file: str

    def point(self, name: str) -> Point:
        """Give a point by its name; KeyError for another."""
        for point in self.points:
            if point.name == name:
                return point
        raise KeyError(name)
