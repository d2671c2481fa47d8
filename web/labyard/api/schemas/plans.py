"""Plans and configurations."""

from __future__ import annotations

from apiflask import Schema
from apiflask.fields import Dict, List, Nested, String
from apiflask.validators import Length, OneOf

from ansible_collections.labyard.platform.plugins.module_utils._request.spec import PHASES

from .fields import (
    CONFIGURATION_NAME,
    PLAN_NAME,
    PROJECT_NAME,
    Flag,
    flag_out,
    named,
    number_out,
    object_out,
    short,
    text_out,
    time_out,
)


class PhaseOut(Schema):
    """What a plan can do."""

    name = String(required=True, validate=OneOf(PHASES))
    title = text_out()
    timeout = number_out("seconds a run may last")
    steps = List(String(), required=True)


class PlanOut(Schema):
    """A plan of the catalogue."""

    name = text_out()
    title = text_out()
    summary = text_out("what people read below the title")
    own_summary = text_out("the plan's own; empty: `summary` is its configuration's")
    icon = text_out()
    configuration = text_out("the role: namespace.collection.role")
    fixed = object_out("parameters that nobody may change")
    shapes = object_out()
    visible = flag_out("false: admins alone see it")
    projects = List(
        String(), required=True, metadata={"description": "whose members see it; empty: everybody"}
    )
    source = object_out("where the configuration is fetched from; empty: it is installed")
    available = flag_out("false: it cannot be ordered now")
    unavailable_reason = text_out("why not, in words")
    phases = List(Nested(PhaseOut), required=True)
    version = number_out("counts the changes; `If-Match` takes it")
    created_at = time_out()
    updated_at = time_out()


class PlanBody(Schema):
    """A plan, as an operator writes it; the name stands in the address."""

    configuration = named(
        CONFIGURATION_NAME, "namespace.collection.role", required=True, metadata={"maxLength": 200}
    )
    title = short(120)
    summary = short(4000)
    fixed = Dict()
    shapes = Dict()
    visible = Flag()
    projects = List(named(PROJECT_NAME, "the name of a project"), validate=Length(max=200))
    source = Dict(values=String(validate=Length(max=1000)))


class PlanIn(PlanBody):
    """A plan, as an operator writes it."""

    name = named(PLAN_NAME, "1 to 30 small letters, digits and dashes, a letter first", required=True)


PLAN_FILTERS = {
    "search": short(30, metadata={"description": "the name begins with this"}),
    "configuration": named(CONFIGURATION_NAME, "namespace.collection.role"),
}


class SchemaQuery(Schema):
    """Of which phase."""

    phase = String(load_default="install", validate=OneOf(PHASES))


class ConfigurationOut(Schema):
    """A service configuration."""

    name = text_out()
    title = text_out()
    summary = text_out()
    icon = text_out()
    phases = List(String(), required=True)
