"""Webhooks, their messages, and what stands on one side only."""

from __future__ import annotations

from typing import Any

from apiflask import Schema
from apiflask.fields import Dict, List, Nested, String
from apiflask.validators import Length, OneOf

from labyard.deployments.orphans import ACTIONS
from labyard.notices.outbox import EVENTS

from .commands import CommandOut
from .fields import WEBHOOK_ID, Flag, flag_out, named, number_out, text_out, time_out


class WebhookOut(Schema):
    """An address that is told when commands end."""

    id = named(WEBHOOK_ID, "an id", required=True)
    url = text_out()
    events = List(String(), required=True, metadata={"description": "empty: all"})
    active = flag_out()
    created_at = time_out()


class NewWebhookOut(WebhookOut):
    """A new webhook: the only answer that holds its secret."""

    secret = text_out("what messages are signed with")


def _events(**options: Any) -> Any:
    return List(String(validate=OneOf(EVENTS)), validate=Length(max=len(EVENTS)), **options)


class WebhookIn(Schema):
    """A webhook to make."""

    url = String(required=True, validate=Length(1, 2000), metadata={"description": "https, or http"})
    events = _events(load_default=list)


class WebhookChange(Schema):
    """What to change of a webhook."""

    url = String(validate=Length(1, 2000))
    events = _events()
    active = Flag()


class NoticeOut(Schema):
    """A message to a webhook."""

    id = text_out()
    event = text_out()
    command = text_out("the id of the command it tells of", null=True)
    attempts = number_out()
    next_at = time_out("when it is tried next; null: it was sent or given up", null=True)
    sent_at = time_out(null=True)
    status = number_out("of the receiver's last answer", null=True)
    error = text_out("why the last try failed; may be empty")
    body = Dict(required=True)
    created_at = time_out()


class OrphanOut(Schema):
    """What stands on one side only: on the swarm without a deployment, or the other way round."""

    id = number_out()
    kind = text_out("stack, volume, network, port or deployment")
    ident = text_out("its name on the swarm, or the deployment's id")
    deployment = text_out("the id that its label says; may be empty")
    detail = text_out()
    found_at = time_out()
    actions = List(String(), required=True, metadata={"description": "what can be done about it"})
    action = text_out("what was chosen and is being done", null=True)
    error = text_out("why the last try did not succeed; may be empty")


class RepairIn(Schema):
    """What to do with an orphan: one of its `actions`."""

    action = String(required=True, validate=OneOf(sorted({a for some in ACTIONS.values() for a in some})))


class RepairOut(Schema):
    """What was begun."""

    action = text_out()
    command = Nested(CommandOut, required=True, allow_none=True)
