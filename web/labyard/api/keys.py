"""API keys, as people and admins make and end them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response, g

from labyard.accounts.administration import check_expiry, find_key
from labyard.accounts.audit import record_action
from labyard.accounts.keys import create_key, revoke_key
from labyard.context import session
from labyard.errors import Conflict
from labyard.models import ApiKey, User
from labyard.views import show_key
from labyard.web_requests import commit_request, remote_address

from .answers import answer
from .paging import Listing

KEYS = Listing("keys", ApiKey.id, {"name": ApiKey.name, "created_at": ApiKey.created_at}, "name")


def answer_new_key(by: User, person: User, document: Mapping[str, Any]) -> Response:
    """A new key of `person`, asked for by `by`: the one answer that holds it."""
    name, expires_at = document["name"], document.get("expires_at")
    check_expiry(expires_at)
    key = create_key(session(), person, name, expires_at)
    record_action(session(), by.username, "key made", remote_address(), user=person.username, key=name)
    commit_request()
    return answer({**show_key(find_key(session(), person, name)), "key": key}, 201)


def end_key(by: User, person: User, name: str) -> None:
    """Revoke the key `name` of `person`, asked for by `by`.

    Raises NotFound, or Conflict for the key with which this is asked.
    """
    if find_key(session(), person, name).id == g.get("by_key"):
        raise Conflict("You are using this key. Make a new one, and end this one with that.")
    revoke_key(session(), person, name)
    record_action(session(), by.username, "key revoked", remote_address(), user=person.username, key=name)
    commit_request()


def show_keys(keys: Sequence[ApiKey]) -> list[dict[str, Any]]:
    """Keys, without the keys."""
    return [show_key(key) for key in keys]
