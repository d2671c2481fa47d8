"""What one of something costs: median, smallest and largest of what was measured, kept in units.json."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

UNITS_FILE = Path(__file__).with_name("units.json")


@dataclass(frozen=True)
class Cost:
    """One unit cost with its spread."""

    median: float
    low: float
    high: float
    runs: int
    unit: str  # of the three numbers, as in "ms" or "bytes"
    how: str  # one sentence: what was measured

    def words(self) -> str:
        """As in `12.3 ms (10.0 to 15.0, 9 runs)`."""
        return (
            f"{number(self.median)} {self.unit} ({number(self.low)} to {number(self.high)}, {self.runs} runs)"
        )


def cost(values: Sequence[float], unit: str, how: str) -> Cost:
    """The cost that several measurements give; raises ValueError if there are none."""
    if not values:
        raise ValueError(f"nothing was measured: {how}")
    return Cost(statistics.median(values), min(values), max(values), len(values), unit, how)


def number(value: float) -> str:
    """Three digits that count, with thousands set apart."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def read_units(path: Path = UNITS_FILE) -> dict[str, Cost]:
    """The costs that were written down last, by name."""
    return {name: Cost(**about) for name, about in json.loads(path.read_text(encoding="utf-8")).items()}


def write_units(found: Mapping[str, Cost], path: Path = UNITS_FILE) -> None:
    """Write costs down; those of other names stay."""
    kept = read_units(path) if path.exists() else {}
    merged = {**kept, **found}
    text = {name: asdict(merged[name]) for name in sorted(merged)}
    path.write_text(json.dumps(text, indent=1) + "\n", encoding="utf-8")
