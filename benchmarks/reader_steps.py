"""What reading one file is made of, step by step: what is left of the race when everything needed is done once.

    python benchmarks/reader_steps.py

Microseconds a file of the project's own (29 points), the best of many runs of each step by itself, so that a busy
moment of the machine is left out; steps that run warm and alone take less than in turn, which is what stands under
"together".
"""

# ruff: noqa: E402 - the project's own modules are found from anywhere

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
for folder in (ROOT, ROOT / "benchmarks"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from readers import own_files

from eis.readers import READERS, read_all
from eis.readers.sanity import doubts
from eis.readers.source import Source, load
from eis.spectrum import Spectrum

ROUNDS, CALLS = 25, 100
STEPS = ("read", "hash", "decode", "sniff", "check", "spectrum", "rest", "together")


def best_us(call: Callable[[], object]) -> float:
    """Return the CPU time (µs) of one call in the best of `ROUNDS` rounds."""
    least = np.inf
    for _ in range(ROUNDS):
        before = time.process_time()
        for _ in range(CALLS):
            call()
        least = min(least, (time.process_time() - before) / CALLS)
    return 1e6 * least


def steps(path: Path) -> dict[str, float]:
    """Return the time (µs) of each of `STEPS` for one file; the rest are rows, settings and notes."""
    known = load(path)
    spectrum = read_all(path)[0]
    bare = best_us(lambda: Source(known.given, path, known.raw))

    def fresh(ask: Callable[[Source], object]) -> float:
        return best_us(lambda: ask(Source(known.given, path, known.raw))) - bare

    is_text = b"\0" not in known.raw or known.encoding.startswith("utf-16")
    decode = fresh(lambda source: source.lines) if is_text else 0.0
    known.head, known.first_line  # noqa: B018 - decoded already, so that recognising is timed alone
    found = {
        "read": best_us(lambda: load(path)),
        "hash": fresh(lambda source: source.sha256),
        "decode": decode,
        "sniff": best_us(lambda: next(one for one in READERS if one.recognises(known))),
        "check": best_us(lambda: doubts(spectrum)),
        "spectrum": best_us(
            lambda: Spectrum.of_sweep(
                spectrum.all_frequency_hz, spectrum.all_z_ohm, spectrum.columns, spectrum.metadata
            )
        ),
    }
    together = best_us(lambda: read_all(path))
    return found | {"rest": together - sum(found.values()), "together": together}


def main() -> None:
    """Measure and print a Markdown table."""
    print(f"| {'format':14} | {' | '.join(f'{step:>8}' for step in STEPS)} |")
    print(f"|{'-' * 16}|{'|'.join('-' * 9 + ':' for _ in STEPS)}|")
    with tempfile.TemporaryDirectory() as name:
        for kind, path in own_files(Path(name)):
            found = steps(path)
            print(f"| {kind:14} | {' | '.join(f'{found[step]:8.1f}' for step in STEPS)} |")


if __name__ == "__main__":
    main()
