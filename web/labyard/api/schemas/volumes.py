"""Kept volumes."""

from __future__ import annotations

from apiflask import Schema

from .fields import flag_out, text_out, time_out


class VolumeOut(Schema):
    """A volume of a deployment that was removed."""

    name = text_out()
    deployment = text_out("the id of the deployment that it was of")
    deployment_name = text_out()
    owner = text_out()
    removed_at = time_out(null=True)
    deleting = flag_out("it is being deleted")
    error = text_out("why it could not be deleted so far; may be empty")
