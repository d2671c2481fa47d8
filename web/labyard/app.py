"""The web application: put together here, from settings."""

from __future__ import annotations

import logging
import sys
from typing import Any

from apiflask import APIFlask
from flask import g, request
from flask.json.provider import DefaultJSONProvider
from flask_bootstrap import Bootstrap5
from flask_migrate import Migrate
from flask_wtf import CSRFProtect
from sqlalchemy.exc import InterfaceError, OperationalError
from werkzeug.exceptions import RequestEntityTooLarge

from . import __version__, api, edge, pages
from .context import Context
from .launch_guard import LookFirst, start_anew
from .models import db
from .models.base import begin_writing, random_id
from .models.opening import engine_options
from .queueing import open_queue
from .sealing import Sealer
from .security import install_security, refuse_zero_bytes
from .settings import Settings, read_settings

log = logging.getLogger(__name__)

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

csrf = CSRFProtect()


class OrderedJson(DefaultJSONProvider):
    """Parameters stand in the order of the form, not of the alphabet."""

    sort_keys = False


def create_app(settings: Settings | None = None, **overrides: Any) -> APIFlask:
    """The application for `settings` (default: from the environment); `overrides` are Flask's own."""
    settings = settings or read_settings()
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    app = APIFlask(
        __name__,
        title="Labyard",
        version=__version__,
        spec_path="/api/v1/openapi.json",
        docs_path=None,
        json_errors=False,
    )
    app.json = OrderedJson(app)
    app.config.update(_flask_config(settings), **overrides)
    db.init_app(app)
    Migrate(app, db, directory=str(_migrations()), render_as_batch=True)
    Bootstrap5(app)
    csrf.init_app(app)
    app.extensions["labyard"] = Context(settings, Sealer(settings.key()), _notifier(settings))
    app.before_request(_open_request)
    app.teardown_request(_close_request)
    app.register_error_handler(LookFirst, start_anew)
    install_security(app)
    api.register(app)
    csrf.exempt(api.blueprint)  # a bearer key is no cookie: no page of others can send it
    csrf.exempt(api.payment_messages.blueprint)  # signed, and known by no cookie
    pages.register(app)
    edge.register(app)
    return app


def _flask_config(settings: Settings) -> dict[str, Any]:
    is_secure = settings.public_url.startswith("https://")
    return {
        "SECRET_KEY": settings.key(),
        "SQLALCHEMY_DATABASE_URI": settings.database_url,
        "SQLALCHEMY_ENGINE_OPTIONS": engine_options(settings.database_url),
        "BOOTSTRAP_SERVE_LOCAL": True,
        "BOOTSTRAP_BTN_STYLE": "primary",
        # Browsers let no other host, above or below, set a cookie of that kind of name.
        "SESSION_COOKIE_NAME": "__Host-labyard" if is_secure else "labyard",
        "SESSION_COOKIE_SECURE": is_secure,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "PERMANENT_SESSION_LIFETIME": 12 * 3600,
        "MAX_CONTENT_LENGTH": 1024 * 1024,
        "WTF_CSRF_TIME_LIMIT": None,  # as long as the session
        "SYNC_LOCAL_SPEC": False,
    }


def _migrations() -> Any:
    from pathlib import Path

    return Path(__file__).resolve().parent / "migrations"


def _notifier(settings: Settings) -> Any:
    from .jobs import sender

    return sender(open_queue(settings))


def _open_request() -> None:
    g.request_id = random_id(12)
    g.notify = []
    refuse_zero_bytes()
    if request.method not in SAFE_METHODS:
        # The body first: who sends it slowly must not hold the database's write lock meanwhile.
        body = request.get_data(cache=True, parse_form_data=True)
        if request.content_length is None and len(body) >= (request.max_content_length or sys.maxsize):
            raise RequestEntityTooLarge  # sent in pieces: werkzeug cuts it off without a word
        begin_writing()


def _close_request(error: BaseException | None) -> None:
    """A request is one transaction: `commit_request` ends it well, anything else undoes it."""
    if error is not None:
        log.error("request %s failed", g.get("request_id"), exc_info=error)
    try:
        db.session.remove()
    except (OperationalError, InterfaceError) as lost:
        # The answer is there already, and what was not committed the database undoes by itself.
        log.warning("the connection of request %s was lost at its end: %s", g.get("request_id"), lost)
