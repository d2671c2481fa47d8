"""Pages that are for admins alone."""

from __future__ import annotations

from labyard.errors import Forbidden
from labyard.models import User
from labyard.security import require_person


def require_admin() -> User:
    """The admin who asks; raises Forbidden for everybody else."""
    person = require_person()
    if not person.is_admin:
        raise Forbidden("This page is for admins alone.")
    return person
