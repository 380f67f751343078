"""One device of a simulated site, ready to answer: what the file says, what it holds, how it speaks."""

from dataclasses import dataclass

from drivers.profile import Profile
from drivers.sim.model import Model
from drivers.sim.site import Device


@dataclass(frozen=True, slots=True)
class Simulated:
    device: Device
    model: Model
    profile: Profile
