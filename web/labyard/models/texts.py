"""Column types of names."""

from __future__ import annotations

from sqlalchemy import String


def binary_text(length: int) -> String:
    """Texts that every database sorts by their bytes: pages of a list and searches for how a name
    begins go by that order."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")
