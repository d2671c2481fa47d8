"""Rows as the documents that every interface shows. None of them holds a secret."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._billing.money import currency_decimals
from ansible_collections.labyard.platform.plugins.module_utils._request.request import stack_name

from .billing.drafting import open_amount
from .catalog.configurations import ConfigurationUnavailable
from .catalog.plans import availability_of, configuration_of
from .commands.order import queue_positions
from .context import context, session
from .deployments.orphans import ACTIONS
from .models import (
    ApiKey,
    AuditEntry,
    Command,
    Deployment,
    Event,
    Invoice,
    InvoiceLine,
    Notice,
    Orphan,
    Plan,
    Project,
    State,
    Task,
    User,
    Webhook,
    Worker,
)

SILENT = timedelta(seconds=30)  # after which a worker is taken for dead


def show_time(value: datetime | None) -> str | None:
    """RFC 3339 in UTC, to the millisecond."""
    return None if value is None else value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def show_deployment(deployment: Deployment) -> dict[str, Any]:
    """A deployment, whole; it holds no secret."""
    return {
        "id": deployment.id,
        "name": deployment.name,
        "plan": deployment.plan.name,
        "project": deployment.project.name,
        "owner": deployment.owner.username,
        "version": deployment.version,
        "state": int(deployment.state),
        "state_name": deployment.state.name,
        "health": deployment.health,
        "health_detail": deployment.health_detail,
        "message": deployment.message,
        "stack": stack_name(deployment.plan.name, deployment.id),
        "params": deployment.params,
        "endpoints": show_endpoints(deployment),
        "services": deployment.services,
        "volumes": deployment.volumes,
        "created_at": show_time(deployment.created_at),
        "updated_at": show_time(deployment.updated_at),
        "removed_at": show_time(deployment.removed_at),
    }


def show_endpoints(deployment: Deployment) -> list[dict[str, Any]]:
    """Where the deployment answers: name and url, without secrets."""
    return [{"name": e.get("name"), "url": e.get("url")} for e in deployment.endpoints]


def show_task(task: Task) -> dict[str, Any]:
    """One step of a command."""
    return {
        "name": task.name,
        "state": int(task.state),
        "state_name": task.state.name,
        "started_at": show_time(task.started_at),
        "ended_at": show_time(task.ended_at),
        "seconds": None if task.seconds is None else round(task.seconds, 3),
        "error": task.error or None,
        "done_before": task.done_before,
    }


def show_command(command: Command) -> dict[str, Any]:
    """A command with its tasks and the deployment it is for."""
    return show_commands([command])[0]


def show_commands(commands: Sequence[Command]) -> list[dict[str, Any]]:
    """Several commands; the queue is looked at once for all of them."""
    waits = any(command.state == State.INITIATED for command in commands)
    places = queue_positions(session(), context().settings.command_limit) if waits else {}
    return [_show_command(command, places.get(command.id)) for command in commands]


def _show_command(command: Command, place: int | None) -> dict[str, Any]:
    deployment = command.deployment
    ended = sum(1 for task in command.tasks if task.state.final)
    return {
        "id": command.id,
        "state": int(command.state),
        "state_name": command.state.name,
        "reason": command.reason,
        "message": command.message,
        "phase": command.phase,
        "plan": deployment.plan.name,
        "params": command.params,
        "issuer": command.issuer.username,
        "deployment": {
            "id": deployment.id,
            "name": deployment.name,
            "state": int(deployment.state),
            "state_name": deployment.state.name,
            "health": deployment.health,
            "endpoints": show_endpoints(deployment),
        },
        "tasks": [show_task(task) for task in command.tasks],
        "progress": round(ended / len(command.tasks), 3) if command.tasks else 0.0,
        "check": command.check_only,
        "difference": command.difference,
        "retry_of": command.retry_of,
        "steps_done": command.steps_done,
        "source_commit": command.source_commit or None,
        "priority": command.priority,
        "attempts": len(command.runs),
        "queue_position": place,
        "created_at": show_time(command.created_at),
        "started_at": show_time(command.started_at),
        "finished_at": show_time(command.finished_at),
    }


def show_event(event: Event) -> dict[str, Any]:
    """One event of a run."""
    return {
        "id": event.id,
        "at": show_time(event.at),
        "kind": event.kind,
        "task": event.task,
        "text": event.text,
    }


def show_plan(plan: Plan) -> dict[str, Any]:
    """A plan and the phases of its configuration; one that cannot be ordered says why."""
    available, reason = availability_of(plan)
    try:
        configuration = configuration_of(plan)
    except ConfigurationUnavailable:
        configuration = None
    phases = configuration.phases.values() if configuration else ()
    return {
        "name": plan.name,
        "title": plan.title,
        "summary": plan.summary or (configuration.summary if configuration else ""),
        "own_summary": plan.summary,
        "icon": configuration.icon if configuration else "",
        "configuration": plan.configuration,
        "fixed": plan.fixed,
        "shapes": plan.shapes,
        "visible": plan.visible,
        "projects": plan.projects,
        "source": plan.source,
        "available": available,
        "unavailable_reason": reason,
        "phases": [
            {"name": p.name, "title": p.title, "timeout": p.timeout, "steps": list(p.steps)} for p in phases
        ],
        "version": plan.version,
        "created_at": show_time(plan.created_at),
        "updated_at": show_time(plan.updated_at),
    }


def show_person(person: User) -> dict[str, Any]:
    """A person, without secrets."""
    return {
        "username": person.username,
        "is_admin": person.is_admin,
        "active": person.active,
        "source": person.source,
        "email": person.email,
        "mail_on_end": person.mail_on_end,
        "command_limit": person.command_limit,
        "projects": [project.name for project in person.projects],
        "version": person.version,
        "created_at": show_time(person.created_at),
    }


def show_project(project: Project, members: Sequence[str]) -> dict[str, Any]:
    """A project and the user names of its `members`."""
    return {"name": project.name, "members": list(members), "created_at": show_time(project.created_at)}


def show_key(key: ApiKey) -> dict[str, Any]:
    """An API key, without the key."""
    return {
        "name": key.name,
        "created_at": show_time(key.created_at),
        "expires_at": show_time(key.expires_at),
        "revoked_at": show_time(key.revoked_at),
    }


def show_audit_entry(entry: AuditEntry) -> dict[str, Any]:
    """One line of the audit trail."""
    return {
        "id": entry.id,
        "at": show_time(entry.at),
        "username": entry.username,
        "action": entry.action,
        "address": entry.address,
        "detail": entry.detail,
    }


def show_worker(worker: Worker, now: datetime) -> dict[str, Any]:
    """A worker process; `now` tells whether it is alive."""
    return {
        "name": worker.name,
        "host": worker.host,
        "concurrency": worker.concurrency,
        "started_at": show_time(worker.started_at),
        "beat_at": show_time(worker.beat_at),
        "alive": worker.beat_at >= now - SILENT,
    }


def show_webhook(webhook: Webhook) -> dict[str, Any]:
    """A webhook, without its secret."""
    return {
        "id": webhook.id,
        "url": webhook.url,
        "events": webhook.events,
        "active": webhook.active,
        "created_at": show_time(webhook.created_at),
    }


def show_notice(notice: Notice) -> dict[str, Any]:
    """A message to a webhook, and how its sending went."""
    return {
        "id": notice.id,
        "event": notice.event,
        "command": notice.command_id,
        "attempts": notice.attempts,
        "next_at": show_time(notice.next_at),
        "sent_at": show_time(notice.sent_at),
        "status": notice.status,
        "error": notice.error,
        "body": notice.body,
        "created_at": show_time(notice.created_at),
    }


def show_orphan(orphan: Orphan) -> dict[str, Any]:
    """What stands on one side only, what can be done about it and what was chosen."""
    return {
        "id": orphan.id,
        "kind": orphan.kind,
        "ident": orphan.ident,
        "deployment": orphan.deployment_id,
        "detail": orphan.detail,
        "found_at": show_time(orphan.found_at),
        "actions": list(ACTIONS[orphan.kind]),
        "action": orphan.action or None,
        "error": orphan.error,
    }


def show_invoice(invoice: Invoice) -> dict[str, Any]:
    """An invoice or credit note without its lines; amounts are text."""
    is_void = bool(invoice.void_reason)
    amounts = {name: show_money(getattr(invoice, name), invoice.currency) for name in _AMOUNTS}
    return {
        "id": invoice.id,
        "number": invoice.number,
        "kind": invoice.kind,
        "state": invoice.state,
        "account": invoice.account.name,
        "currency": invoice.currency,
        "period_start": show_time(invoice.period_start),
        "period_end": show_time(invoice.period_end),
        **amounts,
        "open": show_money(open_amount(invoice), invoice.currency),
        "records": invoice.records,
        "corrects": invoice.corrects_id,
        "reason": invoice.void_reason if is_void else invoice.reason,
        "hash": invoice.hash,
        "version": invoice.version,
        "created_at": show_time(invoice.created_at),
        "finalized_at": show_time(invoice.finalized_at),
        "due_at": show_time(invoice.due_at),
        "voided_at": show_time(invoice.voided_at),
    }


_AMOUNTS = ("net", "tax", "total", "paid", "credited")
_OF_LINES = (
    *("position", "deployment", "deployment_name", "plan", "shape", "project", "user", "resource"),
    *("description", "price_name", "tariff", "unit", "records", "steps"),
)


def show_line(line: InvoiceLine, currency: str) -> dict[str, Any]:
    """A line of an invoice in that currency; numbers that are exact are text."""
    return {
        **{name: getattr(line, name) for name in _OF_LINES},
        **{name: show_time(getattr(line, name)) for name in ("tariff_version", "start", "end")},
        "quantity": f"{line.quantity:f}",
        "unit_price": None if line.unit_price is None else f"{line.unit_price:f}",
        "amount": show_money(line.amount, currency),
    }


def show_money(amount: Decimal, currency: str) -> str:
    """An amount with all decimals of its currency."""
    return f"{amount:.{currency_decimals(currency)}f}"
