"""One device of a simulated site, ready to answer: what the file says, what it holds, how it speaks."""

from dataclasses import dataclass, field
from typing import Any

from drivers.profile import Profile
from drivers.sim.model import Model
from drivers.sim.site import Device


@dataclass(frozen=True, slots=True)
class Simulated:
    """Shape: ``memory`` holds what the device was told since the start, by names of its protocol's own."""

    device: Device
    model: Model
    profile: Profile
    memory: dict[Any, Any] = field(default_factory=dict, compare=False)
