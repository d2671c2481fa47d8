"""What the exit code of `labyard` says; docs/command-line.md has the same table."""

from __future__ import annotations

from labyard.errors import DomainError

DONE = 0  # without --wait: accepted
FAILED = 1  # a command ran and ended FAILED
WRONG = 2  # the command line, or a value in it, is wrong
UNREACHABLE = 3  # the console, or a part that it needs, does not answer
NOT_ALLOWED = 4  # the key is not valid, or its owner may not do that
NOT_FOUND = 5
CONFLICT = 6  # something else is running, a name is taken, or it was changed meanwhile
TIMED_OUT = 7  # it goes on in the console
INTERRUPTED = 130  # by Ctrl-C; it goes on in the console

_BY_STATUS = {
    400: WRONG, 401: NOT_ALLOWED, 403: NOT_ALLOWED, 404: NOT_FOUND, 409: CONFLICT, 410: NOT_FOUND,
    412: CONFLICT, 413: WRONG, 415: WRONG, 422: WRONG, 428: CONFLICT, 429: UNREACHABLE,
}  # fmt: skip


class TimedOut(DomainError):
    """A command has not ended in the time that a person was ready to wait; it goes on."""

    status = 408


class CommandFailed(DomainError):
    """A command ended FAILED."""

    status = 424


def exit_code(error: DomainError) -> int:
    """The exit code for `error`."""
    if isinstance(error, TimedOut):
        return TIMED_OUT
    if isinstance(error, CommandFailed):
        return FAILED
    return UNREACHABLE if error.status >= 500 else _BY_STATUS.get(error.status, FAILED)
