"""All commands that talk to a console over REST."""

from __future__ import annotations

import click

from .commands import commands
from .completion import completion
from .deployments import deployments
from .operations import audit, orphans, workers
from .people import keys, projects, users, whoami
from .plans import configurations, plans
from .probe import probe_command
from .services import access, createservice, deleteservice, deployservice, listservices
from .webhooks import webhooks

REMOTE: tuple[click.Command, ...] = (
    createservice,
    listservices,
    deployservice,
    deleteservice,
    access,
    deployments,
    commands,
    plans,
    configurations,
    webhooks,
    users,
    keys,
    projects,
    whoami,
    orphans,
    workers,
    audit,
    probe_command,
    completion,
)
