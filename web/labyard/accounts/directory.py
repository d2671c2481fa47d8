"""What the console asks of a directory of people, and what it gets to know."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from labyard.errors import Unavailable


class DirectoryAway(Unavailable):
    """The directory cannot be asked. `cause` is for operators: it names servers."""

    def __init__(self, cause: str) -> None:
        super().__init__(
            "The directory that knows the passwords does not answer, so nobody can be let in by it."
            " Try again in a few minutes. Accounts of this console itself still work.",
            retry_after=60,
        )
        self.cause = cause


@dataclass(frozen=True)
class DirectoryPerson:
    """Somebody as the directory has them."""

    username: str  # as the directory writes it
    email: str  # may be empty
    entry_id: str  # stays with the entry for its whole life; may be empty
    groups: frozenset[str] = frozenset()  # names of groups, in small letters


@dataclass(frozen=True)
class DirectoryAnswer:
    """What became of a name and a password."""

    username: str  # as the directory writes it; as it was typed if there is nobody of that name
    person: DirectoryPerson | None  # None: the name or the password is not right


class Directory(Protocol):
    """A directory of people. Each method raises DirectoryAway."""

    def check(self, username: str, password: str) -> DirectoryAnswer:
        """Whether that is the password of that person."""
        ...

    def find_people(self, usernames: Iterable[str]) -> dict[str, DirectoryPerson]:
        """Those of `usernames` who are still there."""
        ...
