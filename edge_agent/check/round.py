"""Run the checks one after the other; none may end the round or hold it up."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from time import monotonic

from edge_agent.check.fact.parallel import together
from edge_agent.check.fact.scene import Scene
from edge_agent.check.finding import Check, Finding, Level, Sentence, failure, warning

LONGEST_S = 3.0
_CRASHED = Sentence("The check '{name}' failed in itself: {reason}.", "检查项“{name}”自身出错：{reason}。")
_REPORT = Sentence(
    "The gateway is not to blame. Send the archive of 'edge bundle' to whoever looks after this program.",
    "这不是网关的问题。请把“edge bundle”的压缩包发给本程序的维护者。",
)
_SLOW = Sentence("The check '{name}' was not done after {seconds:g} s.", "检查项“{name}”在 {seconds:g} 秒后仍未完成。")
_HANGS = Sentence(
    "Something below it hangs, often a disk or a network folder: look with dmesg | tail.",
    "它所依赖的某处卡住了，通常是磁盘或网络文件夹：请用 dmesg | tail 查看。",
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one check found; nothing where it does not apply here."""

    check: Check
    findings: tuple[Finding, ...]
    seconds: float

    @property
    def level(self) -> Level | None:
        """The worst of its findings; None where it does not apply here."""
        order = list(Level)
        return max((finding.level for finding in self.findings), key=order.index, default=None)


def run_checks(
    checks: Iterable[Check], scene: Scene, *, told: Callable[[Check], None] = lambda _: None, seconds: float = LONGEST_S
) -> Iterator[Outcome]:
    """Run each check, for a bounded time; ``told`` hears which one is next."""
    for check in checks:
        told(check)
        began = monotonic()
        found = together({check.name: partial(_findings, check, scene)}, seconds).get(check.name)
        yield Outcome(check, _judged(check, found, seconds), monotonic() - began)


def _findings(check: Check, scene: Scene) -> tuple[Finding, ...]:
    return tuple(check.run(scene))


def _judged(check: Check, found: tuple[Finding, ...] | Exception | None, seconds: float) -> tuple[Finding, ...]:
    if isinstance(found, tuple):
        return found
    if found is None:
        return (warning(_SLOW, _HANGS, name=check.name, seconds=seconds),)
    reason = f"{type(found).__name__}: {found}".rstrip(".")
    return (failure(_CRASHED, _REPORT, name=check.name, reason=reason),)
