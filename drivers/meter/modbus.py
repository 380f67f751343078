"""Electricity and water meters with a Modbus register map."""

from drivers.meter.register import RegisterMeter
from drivers.modbus_device import ModbusDevice


class ModbusMeter(ModbusDevice, RegisterMeter):
    pass
