"""What a person types, and what is drawn for them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console as Terminal

from labyard.commandline import output
from labyard.commandline.options import read_params
from labyard.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "pairs", "params"),
    [
        ("{}", (), {}),
        ("", (), {}),
        ('{"a": [1]}', ("b=2", "c=x=y"), {"a": [1], "b": "2", "c": "x=y"}),
        ("a=1,b=two", ("b=3",), {"a": "1", "b": "3"}),
    ],
)
def test_params_when_typed_then_read(text: str, pairs: tuple[str, ...], params: dict[str, Any]) -> None:
    assert read_params(text, pairs) == params


@pytest.mark.parametrize(("name", "content"), [("a.json", '{"a": {"b": 1}}'), ("a.yml", "a:\n  b: 1\n")])
def test_params_when_in_a_file_then_json_and_yaml_are_read(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    assert read_params(f"@{tmp_path / name}", ()) == {"a": {"b": 1}}


@pytest.mark.parametrize(
    ("text", "pairs", "words"),
    [
        ("{", (), "not JSON"),
        ("[1]", (), "must be an object"),
        ("{}", ("a",), "write NAME=VALUE"),
        ("{}", ("=1",), "write NAME=VALUE"),
        ("@/no/such/file", (), "cannot be read"),
    ],
)
def test_params_when_they_cannot_be_read_then_the_cause_is_said(
    text: str, pairs: tuple[str, ...], words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        read_params(text, pairs)


def drawn(thing: Any) -> str:
    page = io.StringIO()
    Terminal(file=page, width=100).print(thing, markup=False, highlight=False)
    return page.getvalue()


def test_table_when_a_text_holds_markup_or_control_characters_then_it_is_shown_and_does_nothing() -> None:
    shown = drawn(output.table(("A",), [("[red]x[/red]",), ("a\x1b[31mb\x07",), (None,), (["p", "q"],)]))
    assert "[red]x[/red]" in shown
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "p q" in shown


def test_table_when_empty_then_none() -> None:
    assert drawn(output.table(("A",), [])) == "none\n"


def test_difference_when_something_changes_then_lines_before_and_after_are_shown() -> None:
    parts = [{"object": "service web", "before": "a: 1\nb: 2\n", "after": "a: 1\nb: 3\n"}]
    shown = [line.rstrip() for line in drawn(output.difference(parts)).splitlines()]
    assert shown[:2] == ["--- service web (now)", "+++ service web (then)"]
    assert {"-b: 2", "+b: 3", " a: 1"} <= set(shown)
    assert drawn(output.difference([])) == "Nothing would change.\n"
