"""All hardware I/O: buses, device drivers and the simulators at their other end."""
