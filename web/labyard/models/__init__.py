"""The database: typed tables and the states they can be in. Imports nothing else of Labyard."""

from .accounts import ApiKey, AuditEntry, Membership, Project, User
from .base import db, utc_column
from .catalog import Plan
from .commands import Command, Event, Run, Task
from .deployments import Deployment
from .idempotency import GivenAnswer
from .installation import Installation, installation_id
from .nodes import Node
from .notices import Notice, Webhook
from .orphans import Orphan
from .states import Health, State
from .workers import Worker

__all__ = [
    "ApiKey",
    "AuditEntry",
    "Command",
    "Deployment",
    "Event",
    "GivenAnswer",
    "Health",
    "Installation",
    "Membership",
    "Node",
    "Notice",
    "Orphan",
    "Plan",
    "Project",
    "Run",
    "State",
    "Task",
    "User",
    "Webhook",
    "Worker",
    "db",
    "installation_id",
    "utc_column",
]
