# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that can go wrong with a stack, each with one sentence for the person who reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class StackError(Exception):
    """Base of all errors of this package. ``str(error)`` says the cause and what to do next."""

    #: One dict a failed service: service, cause, and what else is known (see reasons.py).
    reasons: Sequence[dict[str, Any]] = ()


class ComposeError(StackError):
    """The compose document is wrong.

    :param message: what is wrong and what to do
    :param path: path of the key, for example ``services.web.ports[0]``
    :param source: the file it stands in, if any
    """

    def __init__(self, message: str, path: str = "", source: str = "") -> None:
        self.message, self.path, self.source = message, path, source
        super().__init__(message)

    def __str__(self) -> str:
        where = ": ".join(part for part in (self.source, self.path) if part)
        return f"{where}: {self.message}" if where else self.message


class EngineError(StackError):
    """The engine refused a call, or could not be asked.

    :param status: the HTTP status of its answer; 0 where there was none
    """

    def __init__(self, message: str, status: int = 0) -> None:
        self.status = status
        super().__init__(message)


class EngineUnreachable(EngineError):
    """Nobody answers at the address of the engine."""


class NotAManager(EngineError):
    """The engine answers, but is not a manager of a swarm."""


class ApiTooOld(EngineError):
    """The engine's API lacks something that is needed."""


class NotFound(EngineError):
    """The object is not there."""


class Conflict(EngineError):
    """The name is taken, or the object is in use."""


class OutOfSequence(EngineError):
    """Somebody else changed the object between reading and writing it."""


class NotConverged(StackError):
    """Services did not come to run.

    :param reasons: one dict a failed service
    """

    def __init__(self, message: str, reasons: Sequence[dict[str, Any]]) -> None:
        self.reasons = reasons
        super().__init__(message)
