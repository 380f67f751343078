"""Whether the settings can be used."""

from collections.abc import Iterator

from edge_agent.check.fact.scene import Scene
from edge_agent.check.finding import Check, Finding, Sentence, failure, foreign, ok
from edge_agent.speech import translate
from protocols.toml import Fault

_GOOD = Sentence(
    "The settings {file} are right: {buses} buses, {devices} devices.",
    "设置 {file} 无误：总线 {buses} 条，设备 {devices} 台。",
)
_WRONG = Sentence("{place}: {message}.", "设置 {place}：{message}。")
_CORRECT = Sentence("Correct the settings.", "请改正设置。")


def _run(scene: Scene) -> Iterator[Finding]:
    for fault in scene.faults:
        remedy = foreign(fault.remedy) if fault.remedy else _CORRECT
        yield failure(_WRONG, _bare(remedy), place=_place(fault), message=_message(fault))
    if scene.settings is not None:
        file, buses, devices = scene.settings.file, len(scene.buses), len(scene.devices)
        yield ok(_GOOD, file=file, buses=buses, devices=devices)


def _place(fault: Fault) -> str:
    line = f":{fault.line}" if fault.line else ""
    return f"{fault.file}{line}" + (f" {fault.key}" if fault.key else "")


def _message(fault: Fault) -> Sentence:
    return Sentence(fault.message.rstrip("."), translate(fault.message, "zh").rstrip("。"))


def _bare(sentence: Sentence) -> Sentence:
    # A remedy from a file's fault may hold braces that are no gaps of ours.
    return Sentence(*(text.replace("{", "{{").replace("}", "}}") for text in sentence))


CHECK = Check("settings", Sentence("Settings", "设置"), _run)
