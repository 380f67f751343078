"""A port as the kernel shows it."""

import os
from pathlib import Path

from edge_agent.check.fact.mount import mount_of, nearest
from edge_agent.check.fact.port import holders, identity, stable_names, tty_of, usb_device
from edge_agent.check.fact.text import number, read, size
from tests.edge_agent.check.world import World


def test_a_port_of_a_usb_adapter_leads_to_the_device_and_a_board_s_own_port_does_not(tmp_path: Path) -> None:
    world = World(tmp_path)
    port, board = world.port(), world.port("ttyS0")
    device = world.usb(port, "1-1.4")
    world.put(f"sys/class/tty/{tty_of(board)}/device/driver", "serial8250")
    scene = world.scene()
    assert usb_device(scene, tty_of(port)) == device
    assert usb_device(scene, tty_of(board)) is None
    assert identity(device) == ("0403", "6001", "A50285BI")
    world.close()


def test_the_name_by_the_adapter_comes_before_the_one_by_the_socket(tmp_path: Path) -> None:
    world = World(tmp_path)
    port, other = world.port(), world.port("ttyUSB1")
    by_path = world.link("dev/serial/by-path/pci-0000-usb-0:1", port)
    by_id = world.link("dev/serial/by-id/usb-FTDI-if00", port)
    world.link("dev/serial/by-id/usb-Other-if00", other)
    assert stable_names(world.scene(), port) == [by_id, by_path]
    world.close()


def test_holders_are_found_by_their_open_files_and_a_link_is_followed(tmp_path: Path) -> None:
    world = World(tmp_path)
    port = world.port()
    world.process(12, "minicom", opened=port)
    world.process(13, "bash", opened=world.port("ttyUSB1"))
    assert holders(world.scene(), port) == [(12, "minicom")]
    world.close()


def test_a_mount_with_a_space_in_its_name_and_one_over_another(tmp_path: Path) -> None:
    world = World(tmp_path)
    data = Path(os.path.realpath(tmp_path)) / "my data"
    data.mkdir()
    lines = (
        "1 0 8:1 / / rw - ext4 /dev/sda1 rw",
        f"2 1 0:44 / {str(data).replace(' ', chr(92) + '040')} rw - tmpfs tmpfs rw",
        "garbage",
    )
    world.put("proc/self/mountinfo", "\n".join(lines) + "\n")
    scene = world.scene()
    on = mount_of(scene, data / "not yet" / "there")
    assert on is not None
    assert (on.kind, on.point, on.is_read_only) == ("tmpfs", data, False)
    assert nearest(data / "not yet" / "there") == data


def test_a_file_that_cannot_be_read_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "n").write_text("0x10\n")
    (tmp_path / "word").write_text("auto")
    assert (number(tmp_path / "n"), number(tmp_path / "word"), number(tmp_path / "none")) == (16, None, None)
    assert read(tmp_path) is None
    assert [size(count) for count in (12, 4_000, 2.5e6, 3e9)] == ["12 B", "4.0 kB", "2.5 MB", "3.0 GB"]
