"""The person's own settings: mail, and webhooks with what became of their messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import flash, redirect, render_template, url_for
from flask_login import login_required
from flask_wtf import FlaskForm
from wtforms import BooleanField, StringField

from labyard.accounts.administration import change_person
from labyard.accounts.audit import record_action
from labyard.context import context, session
from labyard.errors import Conflict, InvalidInput
from labyard.models import Notice, Webhook
from labyard.notices import webhooks as hooks
from labyard.notices.mail import is_address
from labyard.security import require_person
from labyard.web_requests import commit_request, remote_address

from .blueprint import blueprint

_NEWEST = 5  # messages shown of each webhook


class MailForm(FlaskForm):
    """Where mails go."""

    email = StringField(
        "Mail address", render_kw={"maxlength": 254, "type": "email", "autocomplete": "email"}
    )
    mail_on_end = BooleanField("Send me a mail when a command of mine has ended")


class WebhookForm(FlaskForm):
    """A new webhook."""

    url = StringField(
        "Address",
        description="A URL that takes signed POST requests (standardwebhooks.com).",
        render_kw={
            "maxlength": 2000,
            "required": True,
            "placeholder": "https://example.org/labyard",
            "spellcheck": "false",
        },
    )
    failures = BooleanField("Only when a command has failed")


@dataclass(frozen=True)
class ShownWebhook:
    """A webhook and its newest messages."""

    webhook: Webhook
    notices: list[Notice]


@blueprint.get("/profile")
@login_required
def profile() -> Any:
    """The settings as they are."""
    return _show(_mail_form(), WebhookForm())


@blueprint.post("/profile/mail")
@login_required
def change_mail() -> Any:
    """Take over the mail settings."""
    person, form = require_person(), MailForm()
    address = (form.email.data or "").strip()
    if (address or form.mail_on_end.data) and not is_address(address):
        form.email.errors = ["is no mail address, such as ada@example.org"]
        return _show(form, WebhookForm(formdata=None)), 422
    change_person(session(), person, {"email": address, "mail_on_end": form.mail_on_end.data})
    record_action(session(), person.username, "user changed", remote_address(), user=person.username)
    commit_request()
    flash("Your mail settings were saved.", "info")
    return redirect(url_for("pages.profile"), 303)


@blueprint.post("/profile/webhooks")
@login_required
def add_webhook() -> Any:
    """Make a webhook; this answer alone shows its secret."""
    person, form = require_person(), WebhookForm()
    events = ["command.failed"] if form.failures.data else []
    try:
        url = (form.url.data or "").strip()
        webhook, secret = hooks.create_webhook(session(), person, url, context().sealer, events)
        record_action(session(), person.username, "webhook made", remote_address(), webhook=webhook.id)
        commit_request()
    except (InvalidInput, Conflict) as error:
        session().rollback()
        form.url.errors = [error.errors.get("url", error.detail)]
        return _show(_mail_form(), form), error.status
    return _show(_mail_form(), WebhookForm(formdata=None), made=webhook, secret=secret)


@blueprint.post("/profile/webhooks/<webhook_id>/<any(test, on, off, delete):what>")
@login_required
def change_webhook(webhook_id: str, what: str) -> Any:
    """Test a webhook, switch it on or off, or delete it."""
    person = require_person()
    try:
        if what == "test":
            hooks.send_test(session(), person, webhook_id)
            flash("A test message is on its way. Load the page again to see what became of it.", "info")
        elif what == "delete":
            hooks.delete_webhook(session(), person, webhook_id)
        else:
            hooks.change_webhook(session(), person, webhook_id, active=what == "on")
        record_action(session(), person.username, f"webhook {what}", remote_address(), webhook=webhook_id)
        commit_request()
    except Conflict as error:
        session().rollback()
        flash(error.detail, "warning")
    return redirect(url_for("pages.profile"), 303)


def _mail_form() -> MailForm:
    person = require_person()
    return MailForm(formdata=None, data={"email": person.email, "mail_on_end": person.mail_on_end})


def _show(mail: MailForm, new: WebhookForm, made: Webhook | None = None, secret: str = "") -> Any:
    person = require_person()
    shown = [ShownWebhook(hook, _newest(hook)) for hook in hooks.list_webhooks(session(), person)]
    return render_template(
        "profile.html",
        mail=mail,
        new=new,
        webhooks=shown,
        made=made,
        secret=secret,
        mail_works=bool(context().settings.smtp_url and context().settings.mail_from),
    )


def _newest(webhook: Webhook) -> list[Notice]:
    query = hooks.notices_of(session(), webhook.owner, webhook.id)
    return list(session().scalars(query.order_by(Notice.created_at.desc(), Notice.id.desc()).limit(_NEWEST)))
