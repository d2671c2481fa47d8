"""Commands, their steps and what they say."""

from __future__ import annotations

from apiflask import Schema
from apiflask.fields import Dict, Float, Integer, List, Nested, Raw, String
from apiflask.validators import Length, OneOf, Range

from ansible_collections.labyard.platform.plugins.module_utils._request.spec import PHASES

from .deployments import DeploymentBrief
from .fields import (
    COMMAND_ID,
    DEPLOYMENT_ID,
    DEPLOYMENT_NAME,
    LARGEST,
    PLAN_NAME,
    PROJECT_NAME,
    USERNAME,
    Flag,
    flag_out,
    named,
    number_out,
    object_out,
    state_in,
    state_name_out,
    state_out,
    text_out,
    time_out,
)
from .lists import created_between


class TaskOut(Schema):
    """One step of a command."""

    name = text_out()
    state = state_out()
    state_name = state_name_out()
    started_at = time_out(null=True)
    ended_at = time_out(null=True)
    seconds = Float(required=True, allow_none=True)
    error = text_out(null=True)
    done_before = flag_out("an earlier run completed it, so it is left out now")


class CommandOut(Schema):
    """A command with its steps."""

    id = named(COMMAND_ID, "an id", required=True)
    state = state_out()
    state_name = state_name_out()
    reason = text_out("why it failed, for programs", null=True)
    message = text_out("the result, or the cause of the failure, in a sentence")
    phase = String(required=True, validate=OneOf(PHASES))
    plan = text_out()
    params = object_out("by public name")
    issuer = text_out()
    deployment = Nested(DeploymentBrief, required=True)
    tasks = List(Nested(TaskOut), required=True)
    progress = Float(required=True, validate=Range(0, 1), metadata={"description": "0 to 1, by steps"})
    check = flag_out("only says what would change")
    difference = List(Dict(), required=True, metadata={"description": "what it changed or would change"})
    retry_of = text_out("the command that it repeats", null=True)
    steps_done = List(
        String(),
        required=True,
        metadata={"description": "the steps that it leaves out, because an earlier run completed them"},
    )
    source_commit = text_out("of a fetched configuration: the commit that was run", null=True)
    priority = number_out("the larger one goes first")
    attempts = number_out("how often it was run")
    queue_position = number_out("1 is next; null: it does not wait", null=True)
    created_at = time_out()
    started_at = time_out(null=True)
    finished_at = time_out(null=True)


class CommandIn(Schema):
    """A phase to run: of a plan (with a name) or of a deployment."""

    plan = named(
        PLAN_NAME,
        "the name of a plan",
        allow_none=True,
        metadata={"description": "with `name`, for a new deployment"},
    )
    deployment = named(
        DEPLOYMENT_ID, "the id of a deployment", allow_none=True, metadata={"description": "an id"}
    )
    phase = String(
        required=True,
        validate=OneOf(PHASES, error="must be one of: {choices}"),
        metadata={"description": "see `phases` of the plan"},
    )
    # Looked at together with the parameters, so that all faults of a form are told at once.
    name = String(
        allow_none=True,
        metadata={
            "description": "the deployment's name, unique for its owner and project",
            "pattern": f"^{DEPLOYMENT_NAME}$",
        },
    )
    project = named(
        PROJECT_NAME,
        "the name of a project",
        allow_none=True,
        metadata={"description": "one of the owner's projects; the first by default"},
    )
    owner = named(
        USERNAME,
        "a user name",
        allow_none=True,
        metadata={
            "description": "for admins: whose the new deployment is to be, or whose the one of that name is; "
            "by default your own"
        },
    )
    params = Raw(load_default=dict, metadata={"type": "object", "description": "see `plans/<name>/schema`"})
    check = Flag(load_default=False, metadata={"description": "change nothing, only say what would change"})
    priority = Integer(
        load_default=0,
        strict=True,
        validate=Range(-1000, 1000),
        metadata={"description": "for admins; the larger one goes first"},
    )


class BulkIn(Schema):
    """Commands that do not depend on each other."""

    commands = List(Dict(), required=True, validate=Length(1, 100))


class BulkItem(Schema):
    """What became of one command of several: it was taken, or it was refused."""

    status = number_out("as it would be alone: 202, or that of the problem")
    command = Nested(CommandOut)
    problem = Dict(metadata={"description": "a problem document"})


class BulkOut(Schema):
    """A result for each command, in their order."""

    items = List(Nested(BulkItem), required=True)


class EventOut(Schema):
    """One event of a run."""

    id = number_out("grows with each event")
    at = time_out()
    kind = text_out()
    task = text_out()
    text = text_out()


class EventListOut(Schema):
    """Events of a command."""

    items = List(Nested(EventOut), required=True)


class EventQuery(Schema):
    """Which events."""

    after = Integer(
        load_default=0, validate=Range(0, LARGEST), metadata={"description": "the last id that was seen"}
    )
    limit = Integer(load_default=1000, validate=Range(1, 10000))


COMMAND_FILTERS = {
    "deployment": named(DEPLOYMENT_ID, "the id of a deployment"),
    "plan": named(PLAN_NAME, "the name of a plan"),
    "project": named(PROJECT_NAME, "the name of a project"),
    "owner": named(USERNAME, "a user name", metadata={"description": "of the deployment; for admins"}),
    "state": state_in(),
    "phase": String(validate=OneOf(PHASES)),
    **created_between(),
}
