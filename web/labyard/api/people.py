"""Who is asking."""

from __future__ import annotations

from typing import Any

from labyard.security import require_person

from . import blueprint
from .schemas import UserOut


@blueprint.before_request
def authenticate() -> None:
    """Before anything else of a request is looked at, know who asks; raises Unauthorized."""
    require_person()


@blueprint.get("/user")
@blueprint.output(UserOut)
@blueprint.doc(summary="Who you are", security="key")
def show_person() -> dict[str, Any]:
    person = require_person()
    return {
        "username": person.username,
        "is_admin": person.is_admin,
        "projects": [project.name for project in person.projects],
    }
