"""Notebooks of the hub."""

from __future__ import annotations

from apiflask import Schema

from .fields import text_out, time_out


class HubServerOut(Schema):
    """A notebook that the hub has started."""

    owner = text_out()
    name = text_out("empty for a person's first")
    state = text_out("running, starting or stopping")
    plan = text_out("the profile that was chosen; empty: the hub's first")
    started_at = time_out(null=True)
    last_activity_at = time_out(null=True)
    url = text_out("where its owner opens it")
