"""Idempotency-Key: one mechanism before and after every route that changes something.

What was answered is written in the transaction of the change itself: both happen or none. A refusal
changed nothing and is not kept; sent again, the request is looked at anew.
"""

from __future__ import annotations

import hashlib
import json
import re

from flask import Response, g, request

from labyard.accounts.given_answers import Answer, keep_answer, reserve_key
from labyard.context import context, session
from labyard.errors import InvalidInput
from labyard.models import User
from labyard.security import require_person

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
PATTERN = r"[\x21-\x7e]{1,255}"
_KEPT_HEADERS = ("Content-Type", "ETag", "Link", "Location")


def recall_answer() -> Response | None:
    """Before the route: the answer that this key got before, or None to go on.

    Raises InvalidInput for a bad key, Conflict for one that was used for something else.
    """
    key = request.headers.get(HEADER)
    if key is None or request.method in ("GET", "HEAD", "OPTIONS"):
        return None
    if not re.fullmatch(PATTERN, key):
        raise InvalidInput(
            f"The {HEADER} is not right.",
            {HEADER: "must be 1 to 255 printable ASCII characters without spaces"},
        )
    person = require_person()
    given = reserve_key(session(), person, key, _hash_request(person), context().sealer)
    if given is None:
        g.idempotency_key = key
        return None
    response = Response(given.body, status=given.status, headers=dict(given.headers))
    response.headers[REPLAYED] = "true"
    return response


def remember_answer(response: Response) -> Response:
    """After the route: keep the answer, if the request is to be kept."""
    key = g.pop("idempotency_key", None)
    if key is not None and g.get("keep") and response.status_code < 400 and not response.is_streamed:
        headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
        given = Answer(response.status_code, headers, response.get_data(as_text=True))
        keep_answer(session(), require_person(), key, given, context().sealer)
        session().flush()
    return response


def _hash_request(person: User) -> str:
    """The request as one number: the same document in another spelling is the same request."""
    document = json.dumps(g.document, sort_keys=True)
    match = request.headers.get("If-Match", "")
    parts = (request.method, request.full_path, match, str(person.is_admin), document)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
