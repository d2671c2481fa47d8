"""What a command prints: JSON for programs, tables for people."""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import click
from rich.console import Console as Terminal
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

_WIDTH = 160  # characters, where no terminal says another
_SHORT = 400  # characters of a cell

STATE_STYLES = {"COMPLETED": "green", "FAILED": "red", "PENDING": "yellow", "INITIATED": "yellow"}
HEALTH_STYLES = {"running": "green", "degraded": "red", "missing": "red", "stopped": "dim"}
_DIFF_STYLES = {"+": "green", "-": "red", "@": "cyan"}

Show = Callable[[Any], RenderableType]


def show(document: Any, as_json: bool, render: Show) -> None:
    """Print `document` as JSON, or as `render` draws it."""
    if as_json:
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    terminal = Terminal(width=None if sys.stdout.isatty() else _WIDTH, soft_wrap=False)
    terminal.print(render(document), markup=False, highlight=False)


def show_list(document: Mapping[str, Any], as_json: bool, render: Show) -> None:
    """Print a list, and on standard error that it goes on."""
    show(document, as_json, render)
    if document.get("next") and not as_json:
        click.echo("There are more; --limit 0 shows all.", err=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> RenderableType:
    """A table with a heading; a cell may be a Text with a style of its own."""
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        drawn.add_column(column, overflow="fold")
    empty = True
    for row in rows:
        empty = False
        drawn.add_row(*(cell if isinstance(cell, Text) else plain(cell) for cell in row))
    return Text("none") if empty else drawn


def plain(value: Any) -> Text:
    """A cell: texts as they are without control characters, lists parted by spaces, the rest as JSON."""
    if value is None:
        return Text("")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = " ".join(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    clean = "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
    return Text(clean if len(clean) <= _SHORT else f"{clean[:_SHORT]}...")


def facts(pairs: Mapping[str, Any]) -> RenderableType:
    """One thing with its properties, a line each; empty ones are left out."""
    drawn = Table(box=None, pad_edge=False, show_header=False)
    drawn.add_column(style="bold")
    drawn.add_column(overflow="fold")
    for name, value in pairs.items():
        if value not in (None, "", [], {}):
            drawn.add_row(name, value if isinstance(value, Text) else plain(value))
    return drawn


def state(document: Mapping[str, Any]) -> Text:
    """The state's name in its colour."""
    return Text(document["state_name"], style=STATE_STYLES.get(document["state_name"], ""))


def health(document: Mapping[str, Any]) -> Text:
    """The health in its colour."""
    return Text(document["health"], style=HEALTH_STYLES.get(document["health"], ""))


def difference(parts: Sequence[Mapping[str, str]]) -> RenderableType:
    """What changes, object by object, as a unified diff."""
    if not parts:
        return Text("Nothing would change.")
    return Group(*(unified(part["object"], part["before"], part["after"]) for part in parts))


def unified(name: str, before: str, after: str) -> RenderableType:
    """One object before and after."""
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), f"{name} (now)", f"{name} (then)", lineterm="", n=3
    )
    drawn = Text()
    for line in lines:
        drawn.append_text(plain(line) if len(line) <= _SHORT else Text(f"{line[:_SHORT]}..."))
        drawn.stylize(_DIFF_STYLES.get(line[:1], ""), len(drawn) - len(line[:_SHORT]), len(drawn))
        drawn.append("\n")
    return drawn
