# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Everything that can go wrong with a console, each with one sentence for the person who reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ConsoleError(Exception):
    """Base of all errors of this package. ``str(error)`` says the cause and what to do next."""

    #: What was reached before it went wrong, for the answer of a module.
    result: Mapping[str, Any] = {}


class Unreachable(ConsoleError):
    """Nobody answers at the address of the console, or what answers is none."""


class TimedOut(ConsoleError):
    """Something did not come about in time; what was asked for goes on in the console."""


class CommandFailed(ConsoleError):
    """A command ended FAILED."""


class NotPossible(ConsoleError):
    """What is wanted cannot be reached from what is there."""


class Refused(ConsoleError):
    """The console refused a request.

    :param status: of its answer
    :param errors: a message for each wrong field
    """

    def __init__(self, detail: str, status: int, errors: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.errors = dict(errors or {})
        fields = "; ".join(f"{name}: {text}" for name, text in self.errors.items())
        super().__init__(f"{detail} ({fields})" if fields else detail)


class NotFound(Refused):
    """There is no such thing, or the key's owner may not see it."""


class Conflict(Refused):
    """It contradicts the present state of things, such as a command that is running."""


class Changed(Refused):
    """Somebody else changed it between reading and writing."""
