"""Cancelling a command."""

from __future__ import annotations

from sqlalchemy.orm import Session

from labyard.accounts.audit import record_action
from labyard.accounts.scope import get_command
from labyard.errors import Conflict
from labyard.models import Command, User
from labyard.models.base import lock_row


def request_cancel(session: Session, person: User, command_id: str, address: str = "") -> Command:
    """Ask the worker of the command to stop it; raises NotFound, or Conflict if it is over."""
    command = get_command(session, person, command_id)
    lock_row(session, command)
    if command.state.final:
        raise Conflict(f"The command {command.id} has ended already ({command.state.name}).")
    command.cancel_requested = True
    record_action(session, person.username, "cancel", address, command=command.id)
    return command
