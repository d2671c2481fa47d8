"""Column types of names."""

from __future__ import annotations

from sqlalchemy import String


def binary_text(length: int) -> String:
    """Texts that every database sorts by their bytes: pages of a list and searches for how a name
    begins go by that order."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


def account_text() -> String:
    """Names of accounts: `project:` or `user:`, and a name of up to 64. SQLite looks at no length, so its
    tables keep the one that they were made with."""
    return binary_text(80).with_variant(String(64), "sqlite")
