"""What the parts of the application share: made once in `create_app`, found from anywhere in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app
from sqlalchemy.orm import Session

from .models import db
from .sealing import Sealer
from .settings import Settings


@dataclass(frozen=True)
class Context:
    """Settings, the sealer, and how to tell a worker that a command waits."""

    settings: Settings
    sealer: Sealer
    notify: Callable[[str], None]  # takes a command's id; called after the commit


def context(app: Flask | None = None) -> Context:
    """The context of `app`, or of the application at hand."""
    return cast(Context, (app or current_app).extensions["labyard"])


def session() -> Session:
    """The database session of this request or job."""
    return cast(Session, db.session)
