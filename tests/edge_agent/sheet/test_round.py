"""A round past every device: each is read once, and one that fails has its sentence and stops nobody."""

from pathlib import Path

from edge_agent.config import Device, load_settings
from edge_agent.sheet.round import read_all
from tests.drivers.modbus_server import Unit, modbus_server

BUS = '[[bus]]\nid = "{0}"\nkind = "modbus-tcp"\nhost = "127.0.0.1"\nport = {1}\ntimeout_ms = 100\n'
DEVICE = (
    '[[device]]\nid = "{0}"\nbus = "{1}"\naddress = "{2}"\nprofile = "electricity/eastron-sdm630"\n'
    'points = ["energyImportTotal", "voltageL1"]\n'
)


async def test_the_dead_one_and_the_dead_line_leave_the_others_read(tmp_path: Path) -> None:
    meter = Unit(input_floats={0: 229.5, 72: 1234.5})
    async with modbus_server({1: meter, 3: meter}) as port:
        (tmp_path / "edge.toml").write_text(
            '[edge]\nid = "gw-1"\n' + BUS.format("good", port) + BUS.format("gone", 9)
            + DEVICE.format("em-1", "good", 1) + DEVICE.format("em-2", "good", 2) + DEVICE.format("em-3", "good", 3)
            + DEVICE.format("em-4", "gone", 1)
        )  # fmt: skip
        seen: list[Device] = []
        found = await read_all(load_settings(tmp_path / "edge.toml"), is_running=False, seen=seen.append)
    assert sorted(it.id for it in seen) == ["em-1", "em-2", "em-3", "em-4"]
    assert [value["value"] for value in found["em-3"].values] == ["1234.5", "229.5"]
    assert found["em-1"].error is None
    assert "no answer" in (found["em-2"].error or "")
    assert "refuses the connection" in (found["em-4"].error or "")


async def test_a_gateway_that_has_just_stopped_is_named_for_each_device(tmp_path: Path) -> None:
    text = '[edge]\nid = "gw-1"\n' + BUS.format("good", 9) + DEVICE.format("em-1", "good", 1)
    (tmp_path / "edge.toml").write_text(text)
    found = await read_all(load_settings(tmp_path / "edge.toml"), is_running=True, seen=lambda _: None)
    assert found["em-1"].error
