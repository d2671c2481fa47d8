"""The file .env."""

from __future__ import annotations

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._stack.dotenv import parse_dotenv
from ansible_collections.labyard.platform.plugins.module_utils._stack.errors import ComposeError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("# note\n\nA=1", {"A": "1"}),
        ("export A = two words  # note", {"A": "two words"}),
        ("A=a#b", {"A": "a#b"}),
        ("A=", {"A": ""}),
        ("A=# note", {"A": ""}),
        ("A", {}),
        ("A: 1", {"A": "1"}),
        ("A='$B # no' # yes", {"A": "$B # no"}),
        ('A="x\\ty \\"z\\" \\$B"', {"A": 'x\ty "z" $B'}),
        ("A=1\nB=${A}2\nC=$OUTSIDE", {"A": "1", "B": "12", "C": "out"}),
        ("OUTSIDE=in\nA=$OUTSIDE", {"OUTSIDE": "in", "A": "out"}),
        ("A=${NONE:-d}", {"A": "d"}),
    ],
)
def test_parse_dotenv_when_well_formed_then_values(text: str, expected: dict[str, str]) -> None:
    assert parse_dotenv(text, {"OUTSIDE": "out"}, "f") == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A=1\n=2", "f: line 2: this is not NAME=value."),
        ("A='x", "the quote ' does not end"),
        ('A="x" y', 'the quote " does not end'),
        ("A=${B:?wanted}", "f: line 1: the variable B is not set: wanted"),
    ],
)
def test_parse_dotenv_when_malformed_then_error_with_line(text: str, words: str) -> None:
    with pytest.raises(ComposeError) as caught:
        parse_dotenv(text, {}, "f")
    assert words in str(caught.value)
