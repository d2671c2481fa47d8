"""What happens before and after every route of the interface, in this order."""

from __future__ import annotations

from apiflask import APIBlueprint
from apiflask.schema_adapters.marshmallow import parser
from marshmallow import RAISE

from labyard.security import require_person

from .bodies import read_body
from .idempotency import recall_answer, remember_answer


def install_hooks(blueprint: APIBlueprint) -> None:
    """Know who asks, read the body, see whether it was answered before; keep the answer."""
    parser.unknown = RAISE  # a filter with a slip of the pen must not be left out without a word
    blueprint.before_request(authenticate)
    blueprint.before_request(read_body)
    blueprint.before_request(recall_answer)
    blueprint.after_request(remember_answer)


def authenticate() -> None:
    """Before anything else of a request is looked at, know who asks; raises Unauthorized."""
    require_person()
