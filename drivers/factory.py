"""Put together the bus and the driver that settings and a profile ask for."""

from collections.abc import Mapping

from drivers.access.ble_lock import BleLock
from drivers.access.modbus import ModbusDoor
from drivers.access.osdp import OsdpDoor
from drivers.base import Driver, Options
from drivers.bus.ble import BleBus
from drivers.bus.exchange import Clock, utc_now
from drivers.bus.modbus import ModbusTcpBus
from drivers.bus.osdp import OsdpBus
from drivers.bus.owner import Bus
from drivers.bus.serial_line import SerialBus
from drivers.bus.settings import BleSettings, BusSettings, OsdpSettings, TcpSettings
from drivers.elevator.modbus import ModbusElevator
from drivers.errors import ProfileError
from drivers.io.module import IoModule
from drivers.meter.cjt188 import Cjt188Meter
from drivers.meter.dlt645 import Dlt645Meter
from drivers.meter.iec62056 import ModeCMeter, P1Meter
from drivers.meter.mbus import MbusMeter
from drivers.meter.modbus import ModbusMeter
from drivers.profile import Profile
from drivers.sensor.beacon import Beacon
from drivers.sensor.bthome import BthomeSensor
from drivers.valve.modbus import ModbusRelay, ModbusValve
from protocols.toml import Fault

# (protocol, kind of device) -> driver
_DRIVERS: Mapping[tuple[str, str], type[Driver]] = {
    ("modbus", "electricity"): ModbusMeter,
    ("modbus", "water"): ModbusMeter,
    ("modbus", "heat"): ModbusMeter,
    ("modbus", "io"): IoModule,
    ("modbus", "valve"): ModbusValve,
    ("modbus", "relay"): ModbusRelay,
    ("modbus", "lift"): ModbusElevator,
    ("modbus", "door"): ModbusDoor,
    ("osdp", "door"): OsdpDoor,
    ("bthome", "sensor"): BthomeSensor,
    ("beacon", "beacon"): Beacon,
    ("ble-lock", "door"): BleLock,
    ("dlt645", "electricity"): Dlt645Meter,
    ("iec62056", "electricity"): ModeCMeter,
    ("p1", "electricity"): P1Meter,
    ("p1", "gas"): P1Meter,
    ("cjt188", "water"): Cjt188Meter,
    ("cjt188", "heat"): Cjt188Meter,
    ("cjt188", "gas"): Cjt188Meter,
    **{("mbus", kind): MbusMeter for kind in ("heat", "water", "gas", "electricity")},
}
_DEFAULTS = Options()
_SPEAKS: Mapping[str, frozenset[str]] = {bus.kind: bus.speaks for bus in (ModbusTcpBus, SerialBus, OsdpBus, BleBus)}


def create_bus(settings: BusSettings, *, clock: Clock = utc_now) -> Bus:
    """Make the owner of a line, inside a running loop; its ``run`` is the caller's to start."""
    if isinstance(settings, TcpSettings):
        return ModbusTcpBus(settings, clock=clock)
    if isinstance(settings, OsdpSettings):
        return OsdpBus(settings, clock=clock)
    if isinstance(settings, BleSettings):
        return BleBus(settings, clock=clock)
    return SerialBus(settings, clock=clock)


def complaint(profile: Profile, bus_kind: str, address: str) -> str | None:
    """Say why a device of this profile cannot stand on such a bus at this address; None if it can."""
    driver = _DRIVERS.get((profile.protocol, profile.kind))
    if driver is None:
        return f"no driver reads a device of kind '{profile.kind}' by {profile.protocol}"
    if profile.protocol not in _SPEAKS[bus_kind]:
        return (
            f"the profile '{profile.name}' speaks {profile.protocol}, which a bus of kind '{bus_kind}' does not carry"
        )
    try:
        driver.check_address(address)
    except ValueError as error:
        return str(error)
    return None


def create_driver(profile: Profile, bus: Bus, address: str, options: Options = _DEFAULTS) -> Driver:
    """Make the driver of one device.

    Raises: ProfileError where profile, bus and address do not go together.
    """
    if (reason := complaint(profile, bus.kind, address)) is not None:
        raise ProfileError([Fault(profile.file, 0, "address", reason, "Correct the device's settings.")])
    return _DRIVERS[profile.protocol, profile.kind](profile, bus, address, options)
