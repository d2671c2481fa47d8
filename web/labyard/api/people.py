"""Who is asking, and their own keys."""

from __future__ import annotations

from typing import Any

from flask import Response

from labyard.accounts.administration import change_person, select_keys
from labyard.accounts.audit import record_action
from labyard.context import session
from labyard.security import require_person
from labyard.views import show_person
from labyard.web_requests import commit_request, remote_address

from . import blueprint
from .answers import check_match, no_content, tagged_answer
from .keys import KEYS, answer_new_key, end_key, show_keys
from .paging import answer_page
from .schemas.accounts import KeyIn, KeyOut, NewKeyOut, OwnChange, UserOut
from .schemas.lists import list_of, query_of


@blueprint.get("/user")
@blueprint.output(UserOut)
@blueprint.doc(summary="Who you are", security="key")
def show_self() -> Response:
    return tagged_answer(show_person(require_person()))


@blueprint.patch("/user")
@blueprint.input(OwnChange, arg_name="document", example={"email": "ada@example.org", "mail_on_end": True})
@blueprint.output(UserOut)
@blueprint.doc(summary="Change your own settings", security="key")
def change_self(document: dict[str, Any]) -> Response:
    person = require_person()
    check_match(person.version)
    change_person(session(), person, document)
    record_action(session(), person.username, "user changed", remote_address(), user=person.username)
    commit_request()
    return tagged_answer(show_person(person))


@blueprint.get("/user/keys")
@blueprint.input(query_of(KEYS, KeyOut), location="query", arg_name="query")
@blueprint.output(list_of(KeyOut))
@blueprint.doc(summary="Your API keys, revoked ones too", security="key")
def list_own_keys(query: dict[str, Any]) -> Response:
    return answer_page(select_keys(require_person()), KEYS, query, show_keys)


@blueprint.post("/user/keys")
@blueprint.input(KeyIn, arg_name="document", example={"name": "laptop"})
@blueprint.output(NewKeyOut, status_code=201)
@blueprint.doc(summary="Make an API key; the answer is the only one that holds it", security="key")
def make_own_key(document: dict[str, Any]) -> Response:
    person = require_person()
    return answer_new_key(person, person, document)


@blueprint.delete("/user/keys/<name>")
@blueprint.output({}, status_code=204)
@blueprint.doc(summary="End one of your API keys", security="key")
def revoke_own_key(name: str) -> Response:
    person = require_person()
    end_key(person, person, name)
    return no_content()
