"""Problem documents."""

from __future__ import annotations

from apiflask import Schema
from apiflask.fields import Dict, String

from .fields import number_out, text_out

MEDIA_TYPE = "application/problem+json"


class Problem(Schema):
    """Why a request was refused (RFC 9457)."""

    type = text_out("a name for programs: urn:labyard:problem:...")
    title = text_out()
    status = number_out()
    detail = text_out("the cause and what to do next, in words")
    instance = text_out("the path that was asked for")
    request_id = text_out("under which the log has the request")


# `errors` is a method of Schema, so the field of that name is added where no class body sees it.
Problem._declared_fields["errors"] = Dict(
    keys=String(), values=String(), metadata={"description": "a message for each wrong field"}
)
