"""Who is asking, what a browser may do with our pages, and how errors are shown."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import islice
from typing import Any

from apiflask import APIFlask, HTTPError
from flask import Request, Response, g, jsonify, redirect, render_template, request, url_for
from flask_login import LoginManager, current_user
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from .accounts.keys import find_living_key
from .context import session
from .errors import Conflict, DomainError, NotFound, Unauthorized, Unavailable
from .models import User, db
from .models.opening import is_taken
from .web_requests import end_request, request_id, undo_request

API_PREFIX = "/api/"
_MOST_ERRORS = 100  # that one answer lists

_CONTENT_POLICY = (
    "default-src 'self'",
    "img-src 'self' data:",
    "object-src 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
)


def install_security(app: APIFlask) -> None:
    """Sign-in, headers and error answers for the whole application."""
    manager = LoginManager(app)
    manager.login_view = "pages.sign_in"
    manager.session_protection = "strong"
    manager.user_loader(_load_session_user)
    manager.request_loader(_load_key_user)
    manager.unauthorized_handler(_answer_unauthorized)
    app.after_request(_add_headers)
    app.after_request(_end_request)
    app.error_processor(_answer_schema_error)
    app.register_error_handler(DomainError, _answer_domain_error)
    app.register_error_handler(CSRFError, _answer_csrf_error)
    app.register_error_handler(HTTPException, _answer_http_error)
    for away in (OperationalError, InterfaceError, PoolTimeout):
        app.register_error_handler(away, _answer_no_database)
    app.register_error_handler(IntegrityError, _answer_collision)
    app.register_error_handler(Exception, _answer_unexpected)


def content_policy(form_action: str = "form-action 'self'") -> str:
    """What a page may load and where its forms may lead."""
    return "; ".join((*_CONTENT_POLICY, form_action))


def refuse_zero_bytes() -> None:
    """Raises DomainError for a zero byte in the address or a form: no database takes it in a text."""
    if "\0" in request.path:
        raise NotFound("There is no such page.")
    parts = [request.args] if request.method in ("GET", "HEAD") else [request.args, request.form]
    if any("\0" in text for part in parts for pair in part.items(multi=True) for text in pair):
        raise DomainError("A value holds a zero byte. Take it out and send the request again.")


def wants_problem() -> bool:
    """Whether the answer goes to a program."""
    return request.path.startswith(API_PREFIX)


def problem(
    status: int, kind: str, title: str, detail: str, errors: dict[str, str] | None = None
) -> Response:
    """A problem document (RFC 9457); `errors` has a message for each wrong field."""
    response = jsonify(_describe(status, kind, title, detail, errors))
    response.status_code = status
    response.content_type = "application/problem+json"
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def describe_problem(error: DomainError) -> dict[str, Any]:
    """The problem document of `error`, for an answer that holds several."""
    return _describe(error.status, error.kind, error.title, error.detail, error.errors)


def _describe(
    status: int, kind: str, title: str, detail: str, errors: dict[str, str] | None
) -> dict[str, Any]:
    document: dict[str, Any] = {
        "type": f"urn:labyard:problem:{kind}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": request.path,
        "request_id": request_id(),
    }
    return {**document, "errors": dict(islice(errors.items(), _MOST_ERRORS))} if errors else document


def _load_session_user(session_id: str) -> User | None:
    if g.get("answering_error"):
        return None  # the error may be that the database is away
    number, _, epoch = session_id.partition(":")
    user = db.session.get(User, int(number)) if number.isdigit() else None
    return user if user is not None and user.active and str(user.session_epoch) == epoch else None


def _load_key_user(incoming: Request) -> User | None:
    """The owner of the bearer key; only the API takes keys."""
    kind, _, key = incoming.headers.get("Authorization", "").partition(" ")
    if not incoming.path.startswith(API_PREFIX) or kind.lower() != "bearer" or not key.strip():
        return None
    row = find_living_key(session(), key.strip())
    g.by_key = row.id
    return row.user


def require_person() -> User:
    """Who is asking; raises Unauthorized. A change through the API needs a key, not a cookie."""
    if not current_user.is_authenticated:
        raise Unauthorized("Send an API key: `Authorization: Bearer <key>`.")
    if wants_problem() and request.method not in ("GET", "HEAD") and not g.get("by_key"):
        raise Unauthorized("Changes through the API need an API key, not a browser's session.")
    person: User = current_user._get_current_object()
    return person


def _answer_unauthorized() -> Any:
    if wants_problem():
        raise Unauthorized("Send an API key: `Authorization: Bearer <key>`.")
    return redirect(url_for("pages.sign_in", next=request.full_path.rstrip("?")))


def _add_headers(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", content_policy())
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers["X-Request-ID"] = request_id()
    if request.endpoint != "static" and not request.path.startswith("/bootstrap/"):
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def _end_request(response: Response) -> Any:
    try:
        return end_request(response)
    except (OperationalError, InterfaceError) as error:
        return _answer_no_database(error)


def _answer_domain_error(error: DomainError) -> Any:
    undo_request()
    response = _answer(error.status, error.kind, error.title, error.detail, error.errors)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _answer_schema_error(error: HTTPError) -> Any:
    """What the schemas of the REST interface refused."""
    undo_request()
    found = error.detail if isinstance(error.detail, dict) else {}
    places = (item for part in found.values() for item in _flatten(part))
    errors = dict(places)
    detail = "The request's fields are not right." if errors else str(error.message)
    kind = "invalid-input" if error.status_code == 422 else "bad-request"
    return _answer(error.status_code, kind, "Some fields are not right", detail, errors)


def _flatten(found: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Each fault of nested fields with its place: ("commands.0.phase", "Not a valid string.")."""
    if isinstance(found, dict):
        for name, part in found.items():
            yield from _flatten(part, f"{place}.{name}" if place else str(name)[:100])
    elif isinstance(found, list):
        yield place, " ".join(str(text) for text in found)
    else:
        yield place, str(found)


def _answer_csrf_error(error: CSRFError) -> Any:
    return _answer(
        400, "stale-form", "The form is out of date", "Go back, load the page again and send it once more."
    )


def _answer_http_error(error: HTTPException) -> Any:
    status = error.code or 500
    detail = "There is no such page." if status == 404 else str(error.description or error.name)
    response = _answer(status, error.name.lower().replace(" ", "-"), error.name, detail)
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after"):
            response.headers[name] = value
    return response


def _answer_no_database(error: Exception) -> Any:
    logging.getLogger(__name__).error("request %s: %s", request_id(), error)
    away = Unavailable("The database does not answer. Try again in a moment.", retry_after=5)
    return _answer_domain_error(away)


def _answer_collision(error: IntegrityError) -> Any:
    """Two requests looked, found a name free and took it; the database lets one of them have it."""
    if not is_taken(error):
        return _answer_unexpected(error)
    collision = Conflict("Somebody else has made the same thing at the same moment. Load it and try again.")
    return _answer_domain_error(collision)


def _answer_unexpected(error: Exception) -> Any:
    undo_request()
    logging.getLogger(__name__).error("request %s failed", request_id(), exc_info=error)
    return _answer(
        500,
        "internal",
        "Something is wrong on our side",
        f"The request could not be carried out. An operator finds the cause in the log under {request_id()}.",
    )


def _answer(
    status: int, kind: str, title: str, detail: str, errors: dict[str, str] | None = None
) -> Response:
    if wants_problem():
        return problem(status, kind, title, detail, errors)
    g.answering_error = status >= 500
    body = render_template(
        "error.html", status=status, title=title, detail=detail, errors=errors or {}, request_id=request_id()
    )
    return Response(body, status=status, mimetype="text/html")
