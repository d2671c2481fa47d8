"""Variables in compose values."""

from __future__ import annotations

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._stack.errors import ComposeError
from ansible_collections.labyard.platform.plugins.module_utils._stack.interpolate import (
    interpolate_document,
    substitute,
)

VARIABLES = {"NAME": "ada", "EMPTY": "", "INNER": "NAME"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("$NAME", "ada"),
        ("${NAME}", "ada"),
        ("a-$NAME-b", "a-ada-b"),
        ("$NAME_X", ""),
        ("$MISSING", ""),
        ("${MISSING}", ""),
        ("$$NAME", "$NAME"),
        ("$$$$", "$$"),
        ("${EMPTY:-fallback}", "fallback"),
        ("${EMPTY-fallback}", ""),
        ("${MISSING-fallback}", "fallback"),
        ("${NAME:-fallback}", "ada"),
        ("${MISSING:-}", ""),
        ("${MISSING:-a:b}", "a:b"),
        ("${MISSING:-${NAME}}", "ada"),
        ("${MISSING:-${OTHER:-x}y}z", "xyz"),
        ("${NAME:+yes}", "yes"),
        ("${EMPTY:+yes}", ""),
        ("${EMPTY+yes}", "yes"),
        ("${NAME:?must be set}", "ada"),
        ("${EMPTY?must be set}", ""),
    ],
)
def test_substitute_with_variables_then_text(text: str, expected: str) -> None:
    assert substitute(text, VARIABLES) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("${MISSING:?the port}", "the variable MISSING is not set: the port"),
        ("${EMPTY:?the port}", "the variable EMPTY is not set"),
        ("${MISSING?}", "it is required"),
        ("cost: 5$", "write '$$'"),
        ("$1", "write '$$'"),
        ("${NAME", "without its '}'"),
        ("${}", "name of a variable"),
        ("${1A}", "name of a variable"),
        ("${NAME!x}", "malformed"),
    ],
)
def test_substitute_when_malformed_or_missing_then_error_in_words(text: str, words: str) -> None:
    with pytest.raises(ComposeError) as caught:
        substitute(text, VARIABLES, "services.web.image")
    assert words in str(caught.value)
    assert caught.value.path == "services.web.image"


def test_interpolate_document_touches_values_of_sections_only() -> None:
    source = {"x-note": "$NAME", "services": {"$NAME": {"command": ["$NAME", 5, None, True]}}}
    assert interpolate_document(source, VARIABLES) == {
        "x-note": "$NAME",
        "services": {"$NAME": {"command": ["ada", 5, None, True]}},
    }
