"""Plots as SVG, made here: bars with words, in the page's own style. A table stands beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

WIDTH, HEIGHT = 640, 190
_LEFT, _BOTTOM, _TOP = 64, 26, 12
_STEPS = (1, 2, 5, 10)


@dataclass(frozen=True)
class Bar:
    """A bar, in the plot's own units."""

    x: float
    y: float
    width: float
    height: float
    words: str  # 2026-10-03: 4.5 core-hours


@dataclass(frozen=True)
class Tick:
    """A word at an axis."""

    place: float
    text: str


@dataclass(frozen=True)
class Plot:
    """Bars one beside the other, from 0 up."""

    title: str
    summary: str  # what the plot shows, in a sentence
    bars: tuple[Bar, ...]
    rows: tuple[Tick, ...]  # of the vertical axis
    columns: tuple[Tick, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    base: int = HEIGHT - _BOTTOM


def make_plot(title: str, unit: str, labels: Sequence[str], values: Sequence[Decimal]) -> Plot:
    """A plot of one value for each label."""
    top = _round_up(max([*values, Decimal(0)]))
    room, step = HEIGHT - _BOTTOM - _TOP, (WIDTH - _LEFT) / max(1, len(values))
    bars = []
    for place, (label, value) in enumerate(zip(labels, values, strict=True)):
        height = max(0.0, float(value / top)) * room
        x = _LEFT + place * step + step * 0.12
        words = f"{label}: {_say(value, unit)}"
        bars.append(
            Bar(
                round(x, 2),
                round(HEIGHT - _BOTTOM - height, 2),
                round(step * 0.76, 2),
                round(height, 2),
                words,
            )
        )
    every = max(1, -(-len(labels) // 7))
    columns = [
        Tick(round(_LEFT + (place + 0.5) * step, 2), label[-5:] if len(label) == 10 else label)
        for place, label in enumerate(labels)
        if place % every == 0
    ]
    rows = [Tick(round(HEIGHT - _BOTTOM - part * room / 2, 2), _short(top * part / 2)) for part in range(3)]
    total = sum(values, Decimal(0))
    most = max(range(len(values)), key=values.__getitem__) if values else None
    summary = f"{_say(total, unit)} in all"
    if most is not None and values[most]:
        summary += f"; most at {labels[most]}, {_say(values[most], unit)}"
    return Plot(title, f"{summary}.", tuple(bars), tuple(rows), tuple(columns))


def _round_up(most: Decimal) -> Decimal:
    """The next of 1, 2, 5, 10, 20, ... that is not below; 1 for nothing."""
    if most <= 0:
        return Decimal(1)
    size = Decimal(1).scaleb(most.adjusted())
    return next(size * step for step in _STEPS if size * step >= most)


def _say(value: Decimal, unit: str) -> str:
    """Money keeps its decimals; of anything else, zeros at the end say nothing."""
    return f"{value if unit.isupper() else _short(value)} {unit}"


def _short(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
