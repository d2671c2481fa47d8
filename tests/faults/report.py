"""The table of a campaign's figures, and its place in docs/faults.md."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.conftest import REPOSITORY

from .campaign import Kill
from .victims import KINDS

PAGE = REPOSITORY / "docs" / "faults.md"
_BEGIN, _END = "<!-- figures: begin -->", "<!-- figures: end -->"
_HEAD = (
    "| killed | in | database | kills | commands hit | by itself | longest, s | doubled | lost | left |",
    "|---|---|---|---:|---:|---:|---:|---:|---:|---:|",
)
_ORDER = ("install", "update", "remove")


def write_table(kills: Sequence[Kill], sentences: Sequence[str], page: Path = PAGE) -> None:
    """Put the figures of these kills between the page's marks, with `sentences` below the table."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    body = "\n".join([*table(kills), "", *sentences])
    page.write_text(f"{before}{_BEGIN}\n{body}\n{_END}{after}", encoding="utf-8")


def table(kills: Sequence[Kill]) -> list[str]:
    """The lines of the table: a row for each kind, phase and database, and one for all."""
    groups: dict[tuple[str, str, str], list[Kill]] = defaultdict(list)
    for kill in kills:
        groups[kill.planned.kind, kill.planned.phase, kill.database].append(kill)
    kinds = list(KINDS)
    keys = sorted(groups, key=lambda k: (kinds.index(k[0]), _ORDER.index(k[1]), k[2]))
    rows = [_row(key, groups[key]) for key in keys]
    return [*_HEAD, *rows, _row(("**all**", "", ""), kills)]


def problems(kills: Sequence[Kill], ends: Mapping[str, Sequence[str]]) -> list[str]:
    """All that was found, in words; `ends`: what was found at the end, by the house's name."""
    found = [f"{kill}" for kill in kills if kill.findings.all()]
    return [*found, *(f"{name}: {text}" for name, texts in ends.items() for text in texts)]


def _row(key: tuple[str, str, str], kills: Sequence[Kill]) -> str:
    cells = (
        *key,
        len(kills),
        sum(len(kill.affected) for kill in kills),
        sum(kill.by_itself for kill in kills),
        f"{max(kill.longest for kill in kills):.1f}",
        sum(len(kill.findings.doubled) for kill in kills),
        sum(len(kill.findings.lost) for kill in kills),
        sum(len(kill.findings.left) for kill in kills),
    )
    return f"| {' | '.join(str(cell) for cell in cells)} |"
