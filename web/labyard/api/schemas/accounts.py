"""People, their keys, their projects, and what they did."""

from __future__ import annotations

from apiflask import Schema
from apiflask.fields import Boolean, Dict, Email, Integer, List, String
from apiflask.validators import Length, Range

from .fields import (
    KEY_NAME,
    PROJECT_NAME,
    USERNAME,
    Flag,
    Timestamp,
    flag_out,
    named,
    number_out,
    short,
    text_out,
    time_out,
)
from .lists import created_between

_PASSWORD = "10 characters or more"  # noqa: S105 - it says what a password must be


class UserOut(Schema):
    """A person."""

    username = text_out()
    is_admin = flag_out()
    active = flag_out("false: may not sign in, and no key of theirs is valid")
    source = text_out("who knows the password: `local`, this console; `ldap`, the directory")
    email = text_out("where mail goes; may be empty")
    mail_on_end = flag_out("a mail when a command of theirs has ended")
    command_limit = number_out("commands that may run at once; null: as many as the settings say", null=True)
    projects = List(String(), required=True)
    version = number_out("counts the changes; `If-Match` takes it")
    created_at = time_out()


class OwnChange(Schema):
    """What people may change of themselves."""

    email = Email(allow_none=True, validate=Length(max=254))
    mail_on_end = Flag()


class UserChange(OwnChange):
    """What an admin may change of a person."""

    is_admin = Flag()
    active = Flag()
    password = String(validate=Length(10, 1000), metadata={"description": _PASSWORD})
    command_limit = Integer(allow_none=True, strict=True, validate=Range(0, 10000))
    projects = List(named(PROJECT_NAME, "the name of a project"), validate=Length(max=200))


class UserIn(UserChange):
    """A new person."""

    username = named(USERNAME, "1 to 63 letters, digits, dots, dashes, underscores or @", required=True)
    password = String(required=True, validate=Length(10, 1000), metadata={"description": _PASSWORD})


USER_FILTERS = {
    "search": short(63, metadata={"description": "the name begins with this"}),
    "active": Boolean(),
    "is_admin": Boolean(),
    "project": named(PROJECT_NAME, "the name of a project"),
}


class KeyOut(Schema):
    """An API key, without the key."""

    name = text_out()
    created_at = time_out()
    expires_at = time_out(null=True)
    revoked_at = time_out(null=True)


class NewKeyOut(KeyOut):
    """A new API key: the only answer that holds it."""

    key = text_out("send it as `Authorization: Bearer <key>`")


class KeyIn(Schema):
    """A key to make."""

    name = named(KEY_NAME, "1 to 63 letters, digits, dots, dashes, underscores or @", required=True)
    expires_at = Timestamp(allow_none=True, metadata={"description": "null: it does not expire"})


class ProjectOut(Schema):
    """A project."""

    name = text_out()
    members = List(String(), required=True, metadata={"description": "user names"})
    created_at = time_out()


class ProjectIn(Schema):
    """A new project."""

    name = named(PROJECT_NAME, "1 to 63 letters, digits, dots, dashes or underscores", required=True)
    members = List(named(USERNAME, "a user name"), load_default=list, validate=Length(max=1000))


class ProjectChange(Schema):
    """Who is in a project from now on: all of them."""

    members = List(named(USERNAME, "a user name"), required=True, validate=Length(max=1000))


PROJECT_FILTERS = {"search": short(63, metadata={"description": "the name begins with this"})}


class AuditOut(Schema):
    """Something that was done."""

    id = number_out()
    at = time_out()
    username = text_out()
    action = text_out()
    address = text_out("from where")
    detail = Dict(required=True)


AUDIT_FILTERS = {
    "username": short(64),
    "action": short(64),
    **created_between(),
}


class WorkerOut(Schema):
    """A worker process."""

    name = text_out()
    host = text_out()
    concurrency = number_out("commands at a time")
    started_at = time_out()
    beat_at = time_out("when it was last heard of")
    alive = flag_out("heard of within 30 s")
