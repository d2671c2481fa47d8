"""Volumes that were kept when their deployments were removed."""

from __future__ import annotations

from typing import Any

from flask import Response

from labyard.context import session
from labyard.deployments.kept import (
    KeptVolume,
    delete_kept_volume,
    forget_kept_volume,
    list_kept_volumes,
)
from labyard.security import require_person
from labyard.views import show_time
from labyard.web_requests import commit_request, remote_address

from . import blueprint
from .answers import answer, no_content
from .schemas.lists import list_of
from .schemas.volumes import VolumeOut


@blueprint.get("/volumes")
@blueprint.output(list_of(VolumeOut))
@blueprint.doc(summary="The volumes that were kept of your deployments, in one page", security="key")
def list_volumes() -> Response:
    found = list_kept_volumes(session(), require_person())
    return answer({"items": [show_volume(volume) for volume in found], "next": None})


@blueprint.delete("/volumes/<volume_name>")
@blueprint.output(VolumeOut, status_code=202)
@blueprint.doc(
    summary="Delete a kept volume with all that is in it; a worker does it within a minute", security="key"
)
def delete_volume(volume_name: str) -> Response:
    found = delete_kept_volume(session(), require_person(), volume_name, address=remote_address())
    commit_request()
    return answer(show_volume(found), 202)


@blueprint.post("/volumes/<volume_name>/forget")
@blueprint.output({}, status_code=204)
@blueprint.doc(summary="List a kept volume no longer: it was deleted by hand", security="key")
def forget_volume(volume_name: str) -> Response:
    forget_kept_volume(session(), require_person(), volume_name, address=remote_address())
    commit_request()
    return no_content()


def show_volume(volume: KeptVolume) -> dict[str, Any]:
    """A kept volume and the deployment that it was of."""
    return {
        "name": volume.name,
        "deployment": volume.deployment.id,
        "deployment_name": volume.deployment.name,
        "owner": volume.deployment.owner.username,
        "removed_at": show_time(volume.deployment.removed_at),
        "deleting": volume.deleting,
        "error": volume.error,
    }
