"""An I/O module: inputs that tell, counters that count pulses, outputs that are switched by order.

What an input means (a leak, smoke, a pump's fault) and what a pulse is worth is the installation's
word; ``edge_agent.io_map`` makes it part of the profile before the driver is made.
"""

from drivers.modbus_device import ModbusDevice


class IoModule(ModbusDevice):
    pass
