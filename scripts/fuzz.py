"""Fuzz the decoders, one process a protocol, each for its time; the corpus are the golden captures.

A finding is written to ``var/fuzz`` and is to become a golden capture of its own.
"""

import argparse
import json
import multiprocessing
import sys
import tempfile
from pathlib import Path

try:
    import atheris
except ImportError:
    sys.exit("scripts/fuzz needs atheris: .venv/bin/pip install 'atheris>=3,<4'")

with atheris.instrument_imports(include=["protocols"]):
    from protocols.decode import PROTOCOLS
    from scripts.hostile import check, corpus

_ROOT = Path(__file__).resolve().parent.parent
_FINDINGS = _ROOT / "var" / "fuzz"


def fuzz(protocol: str, seconds: int, seed: int) -> None:
    """Fuzz one protocol in this process; libFuzzer ends it, with 77 or so where it found something."""
    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate(corpus(protocol)):
            (Path(folder) / str(number)).write_bytes(data)
        arguments = [
            f"-max_total_time={seconds}",
            f"-seed={seed}",
            "-max_len=1024",
            "-timeout=5",
            "-print_final_stats=1",
        ]
        atheris.Setup(
            [sys.argv[0], *arguments, f"-artifact_prefix={_FINDINGS}/{protocol}-", folder],
            lambda data: _one(protocol, data),
        )
        atheris.Fuzz()


def _one(protocol: str, data: bytes) -> None:
    check(protocol, data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("protocol", nargs="*", help="default: all")
    parser.add_argument("--seconds", type=int, default=60, help="for each protocol (default: 60)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if unknown := set(options.protocol) - set(PROTOCOLS):
        parser.error(f"no such protocol: {', '.join(sorted(unknown))}. There are: {', '.join(PROTOCOLS)}.")
    _FINDINGS.mkdir(parents=True, exist_ok=True)
    failed = []
    for protocol in options.protocol or PROTOCOLS:
        process = multiprocessing.Process(target=fuzz, args=(protocol, options.seconds, options.seed))
        process.start()
        process.join()
        if process.exitcode:
            failed.append(protocol)
    print(json.dumps({"protocols": list(options.protocol or PROTOCOLS), "seconds": options.seconds, "failed": failed}))
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
