"""A person's webhooks and the messages to them."""

from __future__ import annotations

from typing import Any

from flask import Response, url_for

from labyard.accounts.audit import record_action
from labyard.context import context, session
from labyard.models import Notice, Webhook
from labyard.notices.webhooks import (
    change_webhook,
    create_webhook,
    delete_webhook,
    get_webhook,
    notices_of,
    send_test,
    webhooks_of,
)
from labyard.security import require_person
from labyard.views import show_notice, show_webhook
from labyard.web_requests import commit_request, remote_address

from . import blueprint
from .answers import answer, no_content
from .paging import Listing, answer_page
from .schemas.lists import list_of, query_of
from .schemas.notices import NewWebhookOut, NoticeOut, WebhookChange, WebhookIn, WebhookOut

_WEBHOOKS = Listing("webhooks", Webhook.id, {"created_at": Webhook.created_at}, "created_at")
_NOTICES = Listing("notices", Notice.id, {"created_at": Notice.created_at}, "-created_at")


@blueprint.get("/webhooks")
@blueprint.input(query_of(_WEBHOOKS, WebhookOut), location="query", arg_name="query")
@blueprint.output(list_of(WebhookOut))
@blueprint.doc(summary="Your webhooks", security="key")
def list_webhooks(query: dict[str, Any]) -> Response:
    found = webhooks_of(require_person())
    return answer_page(found, _WEBHOOKS, query, lambda rows: [show_webhook(row) for row in rows])


@blueprint.post("/webhooks")
@blueprint.input(WebhookIn, arg_name="document", example={"url": "https://example.org/hook"})
@blueprint.output(NewWebhookOut, status_code=201)
@blueprint.doc(
    summary="Make a webhook; the answer is the only one that holds its secret",
    security="key",
    extensions={"x-location": True},
)
def make_webhook(document: dict[str, Any]) -> Response:
    person = require_person()
    webhook, secret = create_webhook(session(), person, document["url"], context().sealer, document["events"])
    record_action(session(), person.username, "webhook made", remote_address(), webhook=webhook.id)
    commit_request()
    place = url_for("api.show_one_webhook", webhook_id=webhook.id)
    return answer({**show_webhook(webhook), "secret": secret}, 201, {"Location": place})


@blueprint.get("/webhooks/<string(length=12):webhook_id>")
@blueprint.output(WebhookOut)
@blueprint.doc(summary="One webhook", security="key")
def show_one_webhook(webhook_id: str) -> Response:
    return answer(show_webhook(get_webhook(session(), require_person(), webhook_id)))


@blueprint.patch("/webhooks/<string(length=12):webhook_id>")
@blueprint.input(WebhookChange, arg_name="document", example={"active": False})
@blueprint.output(WebhookOut)
@blueprint.doc(summary="Change a webhook", security="key")
def change_one_webhook(webhook_id: str, document: dict[str, Any]) -> Response:
    person = require_person()
    webhook = change_webhook(session(), person, webhook_id, **document)
    record_action(session(), person.username, "webhook changed", remote_address(), webhook=webhook.id)
    commit_request()
    return answer(show_webhook(webhook))


@blueprint.delete("/webhooks/<string(length=12):webhook_id>")
@blueprint.output({}, status_code=204)
@blueprint.doc(summary="Delete a webhook with its messages", security="key")
def delete_one_webhook(webhook_id: str) -> Response:
    person = require_person()
    delete_webhook(session(), person, webhook_id)
    record_action(session(), person.username, "webhook deleted", remote_address(), webhook=webhook_id)
    commit_request()
    return no_content()


@blueprint.get("/webhooks/<string(length=12):webhook_id>/notices")
@blueprint.input(query_of(_NOTICES, NoticeOut), location="query", arg_name="query")
@blueprint.output(list_of(NoticeOut))
@blueprint.doc(summary="The messages to a webhook, newest first", security="key")
def list_notices(webhook_id: str, query: dict[str, Any]) -> Response:
    found = notices_of(session(), require_person(), webhook_id)
    return answer_page(found, _NOTICES, query, lambda rows: [show_notice(row) for row in rows])


@blueprint.post("/webhooks/<string(length=12):webhook_id>/test")
@blueprint.output(NoticeOut, status_code=202)
@blueprint.doc(summary="Let a test message be sent", security="key")
def test_webhook(webhook_id: str) -> Response:
    notice = send_test(session(), require_person(), webhook_id)
    commit_request()
    return answer(show_notice(notice), 202)
