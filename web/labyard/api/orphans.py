"""What stands on one side only, and its repair."""

from __future__ import annotations

from typing import Any

from flask import Response

from labyard.context import context, session
from labyard.deployments.orphans import orphans_query, repair_orphan
from labyard.models import Orphan
from labyard.views import show_command, show_orphan
from labyard.web_requests import commit_request, remote_address

from . import blueprint
from .admins import require_admin
from .answers import answer
from .paging import Listing, answer_page
from .schemas.lists import list_of, query_of
from .schemas.notices import OrphanOut, RepairIn, RepairOut

_ORPHANS = Listing("orphans", Orphan.id, {"found_at": Orphan.found_at}, "found_at")


@blueprint.get("/orphans")
@blueprint.input(query_of(_ORPHANS, OrphanOut), location="query", arg_name="query")
@blueprint.output(list_of(OrphanOut))
@blueprint.doc(
    summary="What is on the swarm without a deployment, or the other way round (admins)", security="key"
)
def list_orphans(query: dict[str, Any]) -> Response:
    require_admin()
    return answer_page(orphans_query(), _ORPHANS, query, lambda rows: [show_orphan(row) for row in rows])


@blueprint.post("/orphans/<int(max=2147483647):orphan_id>/repair")
@blueprint.input(RepairIn, arg_name="document", example={"action": "remove"})
@blueprint.output(RepairOut, status_code=202)
@blueprint.doc(summary="Repair an orphan (admins): one of its `actions`", security="key")
def repair_one_orphan(orphan_id: int, document: dict[str, Any]) -> Response:
    admin, action = require_admin(), document["action"]
    command = repair_orphan(session(), admin, orphan_id, action, context().sealer, address=remote_address())
    commit_request(*([command] if command else []))
    return answer({"action": action, "command": show_command(command) if command else None}, 202)
