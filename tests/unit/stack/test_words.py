"""Command lines to words."""

from __future__ import annotations

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._stack.words import split_words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  a\tb\n c ", ["a", "b", "c"]),
        ("a 'b c' \"d e\"", ["a", "b c", "d e"]),
        ("a''b\"\"", ["ab"]),
        ("'' x", ["", "x"]),
        ("a\\ b \\'", ["a b", "'"]),
        ('"a\\"b\\$c"', ['a"b$c']),
        ("'a\\b'", ["a\\b"]),
        ("a # rest 'of it\nb", ["a", "b"]),
        ("a#b '#'", ["a#b", "#"]),
    ],
)
def test_split_words_as_docker_does(text: str, expected: list[str]) -> None:
    assert split_words(text) == expected


@pytest.mark.parametrize("text", ["'a", 'b "c', "d\\"])
def test_split_words_when_unfinished_then_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"does not end|nothing comes"):
        split_words(text)
