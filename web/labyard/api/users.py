"""People and projects, for admins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Response, url_for

from labyard.accounts.administration import (
    change_person,
    disable_person,
    find_person,
    find_project,
    make_person,
    make_project,
    members_of,
    select_keys,
    select_projects,
    select_users,
    set_members,
)
from labyard.accounts.audit import record_action
from labyard.context import session
from labyard.models import Project, User
from labyard.views import show_person, show_project
from labyard.web_requests import commit_request, remote_address

from . import blueprint
from .admins import require_admin
from .answers import answer, check_match, no_content, tagged_answer
from .keys import KEYS, answer_new_key, end_key, show_keys
from .paging import Listing, answer_page
from .schemas.accounts import (
    PROJECT_FILTERS,
    USER_FILTERS,
    KeyIn,
    KeyOut,
    NewKeyOut,
    ProjectChange,
    ProjectIn,
    ProjectOut,
    UserChange,
    UserIn,
    UserOut,
)
from .schemas.lists import list_of, query_of

_USERS = Listing("users", User.id, {"username": User.username, "created_at": User.created_at}, "username")
_PROJECTS = Listing("projects", Project.id, {"name": Project.name, "created_at": Project.created_at}, "name")


@blueprint.get("/users")
@blueprint.input(query_of(_USERS, UserOut, USER_FILTERS), location="query", arg_name="query")
@blueprint.output(list_of(UserOut))
@blueprint.doc(summary="Everybody (admins)", security="key")
def list_users(query: dict[str, Any]) -> Response:
    require_admin()
    return answer_page(select_users(query), _USERS, query, lambda rows: [show_person(row) for row in rows])


@blueprint.post("/users")
@blueprint.input(
    UserIn, arg_name="document", example={"username": "ada", "password": "correct horse battery"}
)
@blueprint.output(UserOut, status_code=201)
@blueprint.doc(summary="Make a person (admins)", security="key", extensions={"x-location": True})
def make_user(document: dict[str, Any]) -> Response:
    admin = require_admin()
    user = make_person(session(), document)
    record_action(session(), admin.username, "user made", remote_address(), user=user.username)
    commit_request()
    place = url_for("api.show_user", username=user.username)
    return tagged_answer(show_person(user), 201, {"Location": place})


@blueprint.get("/users/<username>")
@blueprint.output(UserOut)
@blueprint.doc(summary="One person (admins)", security="key")
def show_user(username: str) -> Response:
    require_admin()
    return tagged_answer(show_person(find_person(session(), username)))


@blueprint.patch("/users/<username>")
@blueprint.input(UserChange, arg_name="document", example={"command_limit": 2})
@blueprint.output(UserOut)
@blueprint.doc(summary="Change a person (admins)", security="key")
def change_user(username: str, document: dict[str, Any]) -> Response:
    admin = require_admin()
    user = find_person(session(), username, for_change=True)
    check_match(user.version)
    change_person(session(), user, document, admin)
    changed = ", ".join(sorted(document))
    record_action(
        session(), admin.username, "user changed", remote_address(), user=user.username, fields=changed
    )
    commit_request()
    return tagged_answer(show_person(user))


@blueprint.delete("/users/<username>")
@blueprint.output(UserOut)
@blueprint.doc(
    summary="Disable a person (admins): sessions end, keys are revoked; what they own stays",
    security="key",
)
def disable_user(username: str) -> Response:
    admin = require_admin()
    user = find_person(session(), username, for_change=True)
    check_match(user.version)
    disable_person(session(), user, admin)
    record_action(session(), admin.username, "user disabled", remote_address(), user=user.username)
    commit_request()
    return tagged_answer(show_person(user))


@blueprint.get("/users/<username>/keys")
@blueprint.input(query_of(KEYS, KeyOut), location="query", arg_name="query")
@blueprint.output(list_of(KeyOut))
@blueprint.doc(summary="A person's API keys (admins)", security="key")
def list_user_keys(username: str, query: dict[str, Any]) -> Response:
    require_admin()
    return answer_page(select_keys(find_person(session(), username)), KEYS, query, show_keys)


@blueprint.post("/users/<username>/keys")
@blueprint.input(KeyIn, arg_name="document", example={"name": "laptop"})
@blueprint.output(NewKeyOut, status_code=201)
@blueprint.doc(summary="Make an API key for a person (admins)", security="key")
def make_user_key(username: str, document: dict[str, Any]) -> Response:
    admin = require_admin()
    return answer_new_key(admin, find_person(session(), username), document)


@blueprint.delete("/users/<username>/keys/<name>")
@blueprint.output({}, status_code=204)
@blueprint.doc(summary="End a person's API key (admins)", security="key")
def revoke_user_key(username: str, name: str) -> Response:
    admin = require_admin()
    end_key(admin, find_person(session(), username), name)
    return no_content()


@blueprint.get("/projects")
@blueprint.input(query_of(_PROJECTS, ProjectOut, PROJECT_FILTERS), location="query", arg_name="query")
@blueprint.output(list_of(ProjectOut))
@blueprint.doc(summary="All projects (admins)", security="key")
def list_projects(query: dict[str, Any]) -> Response:
    require_admin()
    return answer_page(select_projects(query), _PROJECTS, query, _show_projects)


@blueprint.post("/projects")
@blueprint.input(ProjectIn, arg_name="document", example={"name": "physics", "members": ["ada"]})
@blueprint.output(ProjectOut, status_code=201)
@blueprint.doc(summary="Make a project (admins)", security="key", extensions={"x-location": True})
def make_one_project(document: dict[str, Any]) -> Response:
    admin = require_admin()
    project = make_project(session(), document["name"], document["members"])
    record_action(session(), admin.username, "project made", remote_address(), project=project.name)
    commit_request()
    place = url_for("api.show_one_project", name=project.name)
    return answer(_show_projects([project])[0], 201, {"Location": place})


@blueprint.get("/projects/<name>")
@blueprint.output(ProjectOut)
@blueprint.doc(summary="One project (admins)", security="key")
def show_one_project(name: str) -> Response:
    require_admin()
    return answer(_show_projects([find_project(session(), name)])[0])


@blueprint.patch("/projects/<name>")
@blueprint.input(ProjectChange, arg_name="document", example={"members": ["ada", "bob"]})
@blueprint.output(ProjectOut)
@blueprint.doc(summary="Say who is in a project (admins)", security="key")
def change_project(name: str, document: dict[str, Any]) -> Response:
    admin = require_admin()
    project = find_project(session(), name)
    set_members(session(), project, document["members"])
    record_action(session(), admin.username, "project changed", remote_address(), project=project.name)
    commit_request()
    return answer(_show_projects([project])[0])


def _show_projects(projects: Sequence[Project]) -> list[dict[str, Any]]:
    members = members_of(session(), projects)
    return [show_project(project, members[project.id]) for project in projects]
