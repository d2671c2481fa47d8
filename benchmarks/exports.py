"""How fast usage and invoices are exported, and cost reports imported, and how much memory it takes.

Each way runs in a process of its own, with a floor beside it: what Python needs to read and write as much
without looking at it. Seconds are the processor's, which other work on the machine does not change much.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

_FLOORS = {
    **dict.fromkeys(("csv", "jsonl", "apel", "eosc"), "floor-usage"),
    "focus": "floor-focus",
    **dict.fromkeys(("import", "import-again"), "floor-import"),
}


def measure_exports(count: int) -> None:
    """Measure with `count` records, lines of invoices and lines of a cost report; print a Markdown table."""
    print(f"\nExports and imports of {count:,} records or lines:\n")
    print("| way | seconds | per second | peak memory | ratio to the floor |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="labyard-bench-") as folder:
        for way in ("usage", "costs"):
            _run(way, count, Path(folder))
        floors = {floor: _run(floor, count, Path(folder))["seconds"] for floor in set(_FLOORS.values())}
        for way, floor in _FLOORS.items():
            found = _run(way, count, Path(folder))
            seconds, ratio = found["seconds"], found["seconds"] / floors[floor]
            print(
                f"| {way} | {seconds:.1f} | {count / seconds:,.0f} | {found['memory']:.0f} MB"
                f" | {ratio:.1f} (floor: {floors[floor]:.1f} s) |"
            )


def _run(way: str, count: int, folder: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.export_ways", way, str(count), str(folder)],
        check=True,
        capture_output=True,
        text=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found
