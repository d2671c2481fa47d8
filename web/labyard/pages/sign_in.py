"""Signing in and out."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import flask
from flask import current_app, redirect, render_template, request, url_for
from flask_login import current_user, login_required, login_user, logout_user
from flask_wtf import FlaskForm
from werkzeug.exceptions import HTTPException
from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired, Length

from labyard.accounts.audit import record_action
from labyard.accounts.sign_in import Attempt, Door
from labyard.accounts.sign_in import sign_in as accounts_sign_in
from labyard.context import context, session
from labyard.errors import Forbidden, TooMany, Unauthorized, Unavailable
from labyard.models.base import begin_writing
from labyard.web_requests import commit_request, remote_address

from .blueprint import blueprint


class SignInForm(FlaskForm):
    """Name and password."""

    username = StringField("User name", [InputRequired("Enter your user name."), Length(max=64)])
    password = PasswordField("Password", [InputRequired("Enter your password."), Length(max=1024)])


@blueprint.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> Any:
    """The sign-in form; a person who is signed in goes on."""
    if current_user.is_authenticated:
        return redirect(_next_page())
    form = SignInForm()
    refused, status = "", 200
    if form.validate_on_submit():
        try:
            return _let_in(form.username.data.strip(), form.password.data)
        except (Forbidden, TooMany, Unauthorized, Unavailable) as error:
            refused, status = error.detail, error.status
    elif form.is_submitted():
        status = 422
    by_directory = context().settings.directory is not None
    page = render_template("sign_in.html", form=form, refused=refused, by_directory=by_directory)
    return page, status


@blueprint.post("/sign-out")
@login_required
def sign_out() -> Any:
    """End the session."""
    record_action(session(), current_user.username, "sign-out", remote_address())
    commit_request()
    logout_user()
    flask.session.clear()
    return redirect(url_for("pages.sign_in"), 303)


def _let_in(username: str, password: str) -> Any:
    attempt = Attempt(username, password, remote_address())
    user = accounts_sign_in(session(), begin_writing, _door(), attempt)
    flask.session.clear()  # nothing of what came before the sign-in outlives it
    login_user(user)
    record_action(session(), user.username, "sign-in", remote_address(), source=user.source)
    commit_request()
    return redirect(_next_page(), 303)


def _door() -> Door | None:
    """The directory, if there is one; only then ldap3 is loaded."""
    directory = context().settings.directory
    if directory is None:
        return None
    from labyard.accounts.ldap_client import LdapDirectory

    return Door(LdapDirectory(directory), directory)


def _next_page() -> str:
    """The page that was asked for before the sign-in, if it is one of ours; else the catalogue."""
    target = request.args.get("next", "")
    parts = urlsplit(target)
    ours = target.startswith("/") and not target.startswith("//") and not parts.scheme and not parts.netloc
    if not ours or "\\" in target or not target.isprintable():
        return url_for("pages.catalogue")
    try:
        current_app.url_map.bind("").match(parts.path, method="GET")
    except HTTPException:  # no page, or one that only takes what a form sends
        return url_for("pages.catalogue")
    return target
