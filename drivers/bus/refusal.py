"""What a Modbus exception means for whoever asked."""

from drivers.errors import DeviceBusy, DeviceError, DeviceOffline, DeviceRefused
from protocols.modbus import EXCEPTIONS

_BUSY = (5, 6)
# The gateway speaks for a device that did not answer it.
_SILENT = (10, 11)


def refusal(device_id: int, code: int) -> DeviceError:
    """Turn an exception code into our error."""
    words = f"exception {code}: {EXCEPTIONS.get(code, 'not a known one')}"
    if code in _BUSY:
        return DeviceBusy(f"unit {device_id} is busy ({words})")
    if code in _SILENT:
        return DeviceOffline(f"the gateway got no answer from unit {device_id} ({words})")
    return DeviceRefused(f"unit {device_id} refuses ({words})", code)
