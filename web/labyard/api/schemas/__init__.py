"""The shapes of the REST interface."""

from __future__ import annotations

from typing import ClassVar

from apiflask import Schema
from apiflask.fields import Boolean, Dict, Float, Integer, List, Nested, Raw, String
from apiflask.validators import Length, Range


class Endpoint(Schema):
    """Where a deployment answers."""

    name = String()
    url = String()


class TaskOut(Schema):
    """One step of a command."""

    name = String()
    state = Integer(metadata={"description": "0 INITIATED, 1 PENDING, 5 COMPLETED, 9 FAILED"})
    state_name = String()
    started_at = String(allow_none=True)
    ended_at = String(allow_none=True)
    seconds = Float(allow_none=True)
    error = String(allow_none=True)


class DeploymentBrief(Schema):
    """The deployment of a command."""

    id = String()
    name = String()
    state = Integer()
    state_name = String()
    health = String()
    endpoints = List(Nested(Endpoint))


class DeploymentOut(DeploymentBrief):
    """A deployment, whole."""

    plan = String()
    project = String()
    owner = String()
    health_detail = String()
    message = String()
    stack = String()
    params = Dict()
    services = List(Dict())
    volumes = List(Dict())
    created_at = String()
    updated_at = String()
    removed_at = String(allow_none=True)


class CommandOut(Schema):
    """A command with its tasks."""

    id = String()
    state = Integer(metadata={"description": "0 INITIATED, 1 PENDING, 5 COMPLETED, 9 FAILED"})
    state_name = String()
    reason = String(allow_none=True, metadata={"description": "why it failed, for programs"})
    message = String(metadata={"description": "the result, or the cause of the failure, in a sentence"})
    phase = String()
    plan = String()
    params = Dict()
    issuer = String()
    deployment = Nested(DeploymentBrief)
    tasks = List(Nested(TaskOut))
    progress = Float(metadata={"description": "0 to 1, by steps"})
    created_at = String()
    started_at = String(allow_none=True)
    finished_at = String(allow_none=True)


class CommandIn(Schema):
    """A request to run a phase: of a plan (with a name) or of a deployment."""

    plan = String(
        allow_none=True, metadata={"description": "the plan's name; with `name` for a new deployment"}
    )
    deployment = String(allow_none=True, metadata={"description": "the id of a deployment"})
    phase = String(
        load_default="",
        allow_none=True,
        metadata={"description": "install, update, start, stop, scale, check or remove"},
    )
    name = String(
        allow_none=True, metadata={"description": "the deployment's name, unique for its owner and project"}
    )
    project = String(allow_none=True, metadata={"description": "one of your projects; the first by default"})
    params = Raw(load_default=dict, metadata={"type": "object", "description": "see `plans/<name>/schema`"})


class PlanOut(Schema):
    """A plan of the catalogue."""

    name = String()
    title = String()
    summary = String()
    icon = String()
    configuration = String()
    fixed = Dict()
    shapes = Dict()
    visible = Boolean()
    phases = List(Dict())


class PlanIn(Schema):
    """A plan, as an operator writes it."""

    name = String(required=True)
    configuration = String(required=True)
    title = String()
    summary = String()
    fixed = Dict()
    shapes = Dict()
    visible = Boolean()


class EventOut(Schema):
    """One event of a run."""

    id = Integer()
    at = String()
    kind = String()
    task = String()
    text = String()


class AccessOut(Schema):
    """How the owner gets in."""

    name = String()
    url = String()
    token = String(allow_none=True)


class UserOut(Schema):
    """Who is asking."""

    username = String()
    is_admin = Boolean()
    projects = List(String())


class PageQuery(Schema):
    """Which part of a list."""

    limit = Integer(load_default=100, validate=Range(1, 500))
    offset = Integer(load_default=0, validate=Range(0))


class DeploymentQuery(PageQuery):
    """Which deployments."""

    name = String(validate=Length(max=63))
    plan = String()
    state = Integer()
    health = String()
    removed = Boolean(load_default=False, metadata={"description": "show removed ones too"})


class CommandQuery(PageQuery):
    """Which commands."""

    deployment = String()
    state = Integer()
    phase = String()


class EventQuery(Schema):
    """Which events."""

    after = Integer(load_default=0, validate=Range(0))
    limit = Integer(load_default=1000, validate=Range(1, 10000))


class LogQuery(Schema):
    """How many lines of each service."""

    lines = Integer(load_default=200, validate=Range(1, 5000))


def list_of(schema: type[Schema]) -> type[Schema]:
    """A list answer: `{"items": [...]}`."""
    name = f"{schema.__name__.removesuffix('Out')}List"
    fields: dict[str, object] = {"items": List(Nested(schema)), "__doc__": f"A list: {schema.__doc__}"}
    return type(name, (Schema,), fields)


class Problem(Schema):
    """A problem document (RFC 9457)."""

    type = String()
    title = String()
    status = Integer()
    detail = String()
    instance = String()
    request_id = String()
    errors: ClassVar = Dict(keys=String(), values=String())
