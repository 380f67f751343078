"""Whether the keys of readers, locks and sensors are there and kept from others."""

from collections.abc import Iterator

from drivers.bus.osdp_key import read_key
from drivers.errors import DriverError
from drivers.key_file import read_device_key
from edge_agent.check.fact.scene import Scene
from edge_agent.check.fact.text import is_there
from edge_agent.check.finding import Check, Finding, Sentence, failure, foreign, ok

_GOOD = Sentence(
    "All {count} key files are there and closed to others.", "全部 {count} 个密钥文件都在，且其他账号不可读。"
)
_BAD = Sentence("Device '{device}': {reason}", "设备“{device}”：{reason}")
_AS_SAID = Sentence(
    "Without its key the device is not spoken to. A key that is lost is set anew at the device, as its maker says.",
    "没有密钥就不会与该设备通信。丢失的密钥须按厂家说明在设备上重新设置。",
)


def _run(scene: Scene) -> Iterator[Finding]:
    count = wrong = 0
    for device in scene.devices:
        if device.key_file is None:
            continue
        # A new reader is given its key, and the file is made then.
        if device.is_installing and not is_there(device.key_file):
            continue
        count += 1
        try:
            (read_key if device.profile.protocol == "osdp" else read_device_key)(device.key_file)
        except DriverError as error:
            wrong += 1
            yield failure(_BAD, _AS_SAID, device=device.id, reason=foreign(str(error)))
    if count and not wrong:
        yield ok(_GOOD, count=count)


CHECK = Check("device-key", Sentence("Device keys", "设备密钥"), _run)
