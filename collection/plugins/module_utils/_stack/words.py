# SPDX-License-Identifier: GPL-3.0-or-later
"""A command line to words, as docker splits it. Pure.

Like a shell, except that a backslash in double quotes makes any character plain, and nothing is expanded.
"""

from __future__ import annotations

from collections.abc import Iterator


def split_words(text: str) -> list[str]:
    """The words of a command line; ``#`` at the start of a word begins a comment, up to the end of the line.

    :raises ValueError: a quote does not end, or nothing comes after a backslash
    """
    words: list[str] = []
    word: str | None = None  # None: between words
    characters = iter(text)
    for character in characters:
        if character in " \t\r\n":
            if word is not None:
                words.append(word)
            word = None
        elif character == "#" and word is None:
            for rest in characters:
                if rest == "\n":
                    break
        else:
            word = (word or "") + _piece(character, characters)
    return words if word is None else [*words, word]


def _piece(character: str, following: Iterator[str]) -> str:
    """What one character outside of quotes stands for, with what belongs to it."""
    if character == "\\":
        escaped = next(following, None)
        if escaped is None:
            raise ValueError("nothing comes after the backslash at the end")
        return escaped
    if character not in "\"'":
        return character
    inside = ""
    for other in following:
        if other == character:
            return inside
        inside += next(following, "") if other == "\\" and character == '"' else other
    raise ValueError(f"the quote {character} does not end")
