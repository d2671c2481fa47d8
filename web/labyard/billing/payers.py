"""Who pays for what is used: the account of its project, or of the person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PERSON, PROJECT = "user:", "project:"


def own_account(username: str) -> str:
    """The name of the account of a person who pays for themselves."""
    return f"{PERSON}{username}"


@dataclass(frozen=True)
class Payers:
    """Which projects somebody pays for: account by project."""

    by_project: Mapping[str, str]

    def payer(self, project: object, user: object) -> str:
        """The account that pays for what `user` does in `project`; empty if neither says who."""
        if isinstance(project, str) and project in self.by_project:
            return self.by_project[project]
        return own_account(user) if isinstance(user, str) and user else ""
