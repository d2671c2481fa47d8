"""Deployments."""

from __future__ import annotations

from apiflask import Schema
from apiflask.fields import Boolean, Dict, Integer, List, Nested
from apiflask.validators import Range

from .fields import (
    DEPLOYMENT_ID,
    DEPLOYMENT_NAME,
    PLAN_NAME,
    PROJECT_NAME,
    USERNAME,
    health_in,
    named,
    number_out,
    object_out,
    short,
    state_in,
    state_name_out,
    state_out,
    text_out,
    time_out,
)
from .lists import created_between


class Endpoint(Schema):
    """Where a deployment answers."""

    name = text_out()
    url = text_out()


class DeploymentBrief(Schema):
    """The deployment of a command."""

    id = named(DEPLOYMENT_ID, "an id", required=True)
    name = named(DEPLOYMENT_NAME, "a name", required=True)
    state = state_out()
    state_name = state_name_out()
    health = text_out("running, stopped, degraded, missing or unknown: as the swarm shows it")
    endpoints = List(Nested(Endpoint), required=True)


class DeploymentOut(DeploymentBrief):
    """A deployment."""

    plan = text_out()
    project = text_out()
    owner = text_out()
    version = number_out("counts the changes; `If-Match` takes it")
    health_detail = text_out("what is wrong with its health, in words")
    message = text_out("what the last command said")
    stack = text_out("its name on the swarm")
    params = object_out("by public name")
    services = List(Dict(), required=True)
    volumes = List(Dict(), required=True)
    created_at = time_out()
    updated_at = time_out()
    removed_at = time_out(null=True)


DEPLOYMENT_FILTERS = {
    "name": named(DEPLOYMENT_NAME, "a name", metadata={"description": "exactly this one"}),
    "search": short(63, metadata={"description": "the name begins with this"}),
    "plan": named(PLAN_NAME, "the name of a plan"),
    "project": named(PROJECT_NAME, "the name of a project"),
    "owner": named(USERNAME, "a user name", metadata={"description": "for admins"}),
    "state": state_in(),
    "health": health_in(),
    "removed": Boolean(load_default=False, metadata={"description": "show removed ones too"}),
    **created_between(),
}


class LogQuery(Schema):
    """How many lines of each service."""

    lines = Integer(load_default=200, validate=Range(1, 5000))


class LogLine(Schema):
    """One line that a service wrote."""

    service = text_out()
    line = text_out()


class AccessOut(Schema):
    """How the owner gets in."""

    name = text_out()
    url = text_out()
    token = text_out("the secret, if the endpoint needs one", null=True)


class RemoveQuery(Schema):
    """What is to go with a deployment."""

    keep_data = Boolean(
        metadata={"description": "false: its volumes are deleted, and what is in them is lost"}
    )
