"""What can go wrong between us and a device.

DriverError
+-- DeviceError        one device; ``partial`` holds what it had answered before
|   +-- DeviceOffline  no answer in time, or only broken ones
|   +-- DeviceBusy     it asks to be left alone for a while
|   +-- DeviceRefused  it answered, and its answer is an error; ``code`` as sent
+-- BusDown            the line itself: port missing, in use, gateway not reachable
ProfileError           a profile or an address that cannot be used (a SettingsError)
"""

from typing import Any

from protocols.toml import SettingsError


class DriverError(Exception):
    """A sentence for the engineer, with the remedy where there is one."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class DeviceError(DriverError):
    """One device failed; ``partial`` is a tuple of ``PointValue``, good in themselves."""

    def __init__(self, reason: str, partial: tuple[Any, ...] = ()) -> None:
        super().__init__(reason)
        self.partial = partial


class DeviceOffline(DeviceError):
    """Nothing that could be believed came in time.

    Shape: ``is_broken`` where bytes came and made no good answer, so that asking again at once is worth it.
    """

    def __init__(self, reason: str, partial: tuple[Any, ...] = (), *, is_broken: bool = False) -> None:
        super().__init__(reason, partial)
        self.is_broken = is_broken


class DeviceBusy(DeviceError):
    pass


class DeviceRefused(DeviceError):
    """The device's own no; asking again will not change it."""

    def __init__(self, reason: str, code: int | None = None, partial: tuple[Any, ...] = ()) -> None:
        super().__init__(reason, partial)
        self.code = code


class BusDown(DriverError):
    pass


class ProfileError(SettingsError):
    pass
