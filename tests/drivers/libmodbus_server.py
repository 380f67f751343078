"""A libmodbus server in a process of its own: python libmodbus_server.py tcp | rtu PATH BAUD PARITY.

It prints where it is in one line of JSON and serves until its standard input ends. Registers 0 on
hold 0x1000 + address, input registers 0x2000 + address, the coils alternate from 0.
"""

import ctypes
import json
import os
import socket
import sys
import threading
from typing import Any

LIBRARY = "libmodbus.so.5"
COUNT = 64
UNIT = 7


class Mapping(ctypes.Structure):
    _fields_ = [
        *(
            (f"{kind}_{what}", ctypes.c_int)
            for what in ("bits", "input_bits", "input_registers", "registers")
            for kind in ("nb", "start")
        ),
        ("tab_bits", ctypes.POINTER(ctypes.c_uint8)),
        ("tab_input_bits", ctypes.POINTER(ctypes.c_uint8)),
        ("tab_input_registers", ctypes.POINTER(ctypes.c_uint16)),
        ("tab_registers", ctypes.POINTER(ctypes.c_uint16)),
    ]


def loaded() -> Any:
    """Load the library. Raises: OSError where it is not installed."""
    library = ctypes.CDLL(LIBRARY, use_errno=True)
    library.modbus_new_tcp.restype = ctypes.c_void_p
    library.modbus_new_tcp.argtypes = [ctypes.c_char_p, ctypes.c_int]
    library.modbus_new_rtu.restype = ctypes.c_void_p
    library.modbus_new_rtu.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_char, ctypes.c_int, ctypes.c_int]
    library.modbus_mapping_new.restype = ctypes.POINTER(Mapping)
    library.modbus_mapping_new.argtypes = [ctypes.c_int] * 4
    for name, more in {
        "modbus_connect": [],
        "modbus_set_slave": [ctypes.c_int],
        "modbus_tcp_listen": [ctypes.c_int],
        "modbus_tcp_accept": [ctypes.POINTER(ctypes.c_int)],
        "modbus_receive": [ctypes.c_char_p],
        "modbus_reply": [ctypes.c_char_p, ctypes.c_int, ctypes.POINTER(Mapping)],
    }.items():
        getattr(library, name).argtypes = [ctypes.c_void_p, *more]
    return library


def serve(mode: str, *line: str) -> None:
    library = loaded()
    mapping = library.modbus_mapping_new(COUNT, COUNT, COUNT, COUNT)
    for at in range(COUNT):
        mapping.contents.tab_registers[at] = 0x1000 + at
        mapping.contents.tab_input_registers[at] = 0x2000 + at
        mapping.contents.tab_bits[at] = mapping.contents.tab_input_bits[at] = at % 2
    if mode == "tcp":
        context = library.modbus_new_tcp(b"127.0.0.1", 0)
        listening = library.modbus_tcp_listen(context, 1)
        with socket.socket(fileno=os.dup(listening)) as known:
            print(json.dumps({"port": known.getsockname()[1]}), flush=True)
        library.modbus_tcp_accept(context, ctypes.byref(ctypes.c_int(listening)))
    else:
        path, baud, parity = line
        context = library.modbus_new_rtu(path.encode(), int(baud), parity.encode(), 8, 1)
        library.modbus_set_slave(context, UNIT)
        if library.modbus_connect(context) != 0:
            raise SystemExit(os.strerror(ctypes.get_errno()))
        print(json.dumps({"path": path}), flush=True)
    request = ctypes.create_string_buffer(260)
    while True:
        length = library.modbus_receive(context, request)
        if length > 0:
            library.modbus_reply(context, request, length, mapping)
        elif length < 0 and mode == "tcp":
            return


if __name__ == "__main__":
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    serve(*sys.argv[1:])
