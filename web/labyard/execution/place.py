"""This host, as it stands in the rows of its runs, and the guard over them."""

from __future__ import annotations

import socket

from labyard.context import context
from labyard.runs.guard import LeaseGuard

guard = LeaseGuard()


def this_host() -> str:
    """The name of this host. It must be its own: hosts of one name take each other's runs for theirs."""
    return socket.gethostname()[:64]


def is_shared() -> bool:
    """Whether other hosts could start this host's runs again: never with a database that is a file."""
    return not context().settings.database_url.startswith("sqlite")
