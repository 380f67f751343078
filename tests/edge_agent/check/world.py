"""A machine made of real files in a folder: its /proc, /sys, /dev and /etc, and a gateway's settings."""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_agent.check.fact.scene import Account, Scene
from edge_agent.config import load_settings

HEAD = '[edge]\nid = "gw-1"\ndata = "data"\n'
UPLINK = '[uplink]\nurl = "http://127.0.0.1:8470"\nsecret_file = "gw-1.secret"\n'
MOUNT = "24 1 8:1 / / {mode},relatime - {kind} {source} {mode}\n"


def serial(port: Path | str, bus: str = "line-1", **keys: Any) -> str:
    """Write a [[bus]] with a serial port."""
    return table("bus", id=bus, kind="serial", port=str(port), **keys)


def tcp(host: str = "meter.test", bus: str = "tcp-1") -> str:
    return table("bus", id=bus, kind="modbus-tcp", host=host)


def meter(device: str = "em-1", bus: str = "line-1", address: str = "202611000103", **keys: Any) -> str:
    row = {"id": device, "bus": bus, "profile": "electricity/dlt645-2007", "address": address, **keys}
    return table("device", **row)


def table(name: str, **keys: Any) -> str:
    words = {True: "true", False: "false"}
    lines = [
        f"{key} = {words[value]}" if isinstance(value, bool) else f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}"
        for key, value in keys.items()
    ]  # fmt: skip
    return f"[[{name}]]\n" + "\n".join(lines) + "\n"


@dataclass
class World:
    """One machine; what a test does not put there is not there."""

    root: Path
    open: list[int] = field(default_factory=list)

    def put(self, name: str, text: str = "") -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def link(self, name: str, target: Path) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
        return path

    def port(self, name: str = "ttyUSB0") -> Path:
        """Make a port with a real terminal behind it."""
        master, slave = os.openpty()
        self.open += [master, slave]
        return self.link(f"dev/{name}", Path(os.ttyname(slave)))

    def usb(self, port: Path, socket: str = "1-1", **files: str) -> Path:
        """Say of a port that it is of a USB device; give the device's folder under /sys."""
        tty = Path(os.path.realpath(port)).name
        device = self.root / "sys/devices/usb1" / socket
        interface = device / f"{socket}:1.0" / tty
        interface.mkdir(parents=True, exist_ok=True)
        for name, text in {"idVendor": "0403", "idProduct": "6001", "serial": "A50285BI", **files}.items():
            self.put(f"sys/devices/usb1/{socket}/{name}", text)
        self.link(f"sys/class/tty/{tty}/device", interface)
        return device

    def process(self, pid: int, name: str, *arguments: str, opened: Path | None = None, **files: str) -> None:
        self.put(f"proc/{pid}/comm", f"{name}\n")
        self.put(f"proc/{pid}/cmdline", "\0".join((name, *arguments)) + "\0")
        for file, text in files.items():
            self.put(f"proc/{pid}/{file}", text)
        if opened is not None:
            self.link(f"proc/{pid}/fd/5", Path(os.path.realpath(opened)))

    def gateway(self, pid: int = 4711, **files: str) -> dict[str, Any]:
        """Have the gateway run as a process; give the ``status`` that makes it so."""
        self.process(pid, "edge", **files)
        self.put("data/edge.db.lock", f"{pid}\n")
        return {"edge_id": "gw-1", "version": "1", "uptime_s": 600}

    def mounted(self, kind: str = "ext4", source: str = "/dev/sda1", mode: str = "rw") -> None:
        self.put("proc/self/mountinfo", MOUNT.format(kind=kind, source=source, mode=mode))

    def scene(self, text: str = "", /, **facts: Any) -> Scene:
        file = self.put("edge.toml", HEAD + text)
        known: dict[str, Any] = {
            "now": time.time(),
            "account": Account("tester", os.geteuid(), frozenset({os.getegid()})),
            "settings": load_settings(file),
            "version": "1",
            **{name: self.root / name for name in ("proc", "sys", "dev", "run", "etc")},
        }
        return Scene(**{**known, **facts})

    def close(self) -> None:
        for descriptor in self.open:
            os.close(descriptor)
