"""Whether every device profile there is can be used."""

from collections.abc import Iterator

from drivers.errors import ProfileError
from drivers.profile import load_profile, profile_directory, profile_names
from edge_agent.check.fact.scene import Scene
from edge_agent.check.finding import Check, Finding, Sentence, failure, ok, warning

_GOOD = Sentence("All {count} device profiles in {folder} are right.", "{folder} 中的 {count} 个设备档案均无误。")
_NONE = Sentence("There is no device profile in {folder}.", "{folder} 中没有设备档案。")
_INSTALL = Sentence("Install Gatehouse anew: its profiles are missing.", "请重新安装 Gatehouse：设备档案缺失。")
_WRONG = Sentence("The profile '{name}' has {count} faults.", "档案“{name}”有 {count} 处错误。")
_SHOW = Sentence("See them with: edge config check {file}", "请用以下命令查看：edge config check {file}")


def _run(scene: Scene) -> Iterator[Finding]:
    folder = profile_directory()
    names = profile_names(folder)
    if not names:
        yield failure(_NONE, _INSTALL, folder=folder)
        return
    wrong = 0
    for name in names:
        try:
            load_profile(name, folder)
        except ProfileError as error:
            wrong += 1
            yield warning(_WRONG, _SHOW, name=name, count=len(error.faults), file=folder / f"{name}.toml")
    if not wrong:
        yield ok(_GOOD, count=len(names), folder=folder)


CHECK = Check("profiles", Sentence("Device profiles", "设备档案"), _run)
