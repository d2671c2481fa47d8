"""Answers: JSON with its headers, and the versions that changes may be tied to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from flask import Response, current_app, jsonify, request

from labyard.errors import PreconditionFailed, PreconditionRequired


def answer(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """`document` as JSON."""
    response = jsonify(document)
    response.status_code = status
    response.headers.update(headers or {})
    return response


def no_content() -> Response:
    """Done, and nothing to say about it."""
    return Response(status=204)


def tagged_answer(
    document: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """`document` with its ETag, or 304 to a GET whose `If-None-Match` has that one.

    The tag is `"<version>-<hash of the document>"`: what is not counted as a change of the row, such
    as the health of a deployment, makes a new document all the same. For `If-Match` the version alone
    counts, so `"<version>"` does too.
    """
    text = json.dumps(document, sort_keys=True, default=current_app.json.default)  # type: ignore[attr-defined]  # that of Flask has it
    tag = f"{document['version']}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    if request.method in ("GET", "HEAD") and request.if_none_match.contains_weak(tag):
        response = Response(status=304)
    else:
        response = answer(document, status, headers)
    response.set_etag(tag)
    # A copy may be kept, but must be asked about each time.
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def check_match(version: int | None, *, required: bool = False) -> None:
    """Compare `If-Match` and `If-None-Match` of a change with the row's version (None: no such row).

    Raises PreconditionFailed if another version was meant, PreconditionRequired if `required` and
    the request names none.
    """
    refused = request.headers.get("If-None-Match")
    if refused is not None and refused.strip() == "*" and version is not None:
        raise PreconditionFailed("It is there already, and `If-None-Match: *` asks for a new one.")
    wanted = request.if_match
    if request.headers.get("If-Match") is not None:
        tags = wanted.as_set(include_weak=True)  # an empty one is None in it
        versions = {tag.partition("-")[0] for tag in tags if tag}
        if version is None or not (wanted.star_tag or str(version) in versions):
            raise PreconditionFailed(
                "It was changed since you looked. Get it again, and decide whether you still want this."
                if version is not None
                else "There is nothing yet that could have that version."
            )
    elif required and version is not None:
        raise PreconditionRequired(
            "This replaces what is there. Get it first and send its ETag as `If-Match`."
        )
