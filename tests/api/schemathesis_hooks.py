"""What schemathesis does to the requests that it makes up."""

from __future__ import annotations

import re
import uuid
from typing import Any

import schemathesis

from labyard.api.idempotency import HEADER, PATTERN


@schemathesis.hook
def map_headers(context: Any, headers: Any) -> Any:
    """Give a request a key of its own, because its generator uses the same one often.

    A key that was used before gives the former answer, so what it says was made can be gone by now:
    as it should be, but not what schemathesis takes it for. Keys that break the rules stay as they are.
    """
    key = (headers or {}).get(HEADER)
    if isinstance(key, str) and re.fullmatch(PATTERN, key):
        headers[HEADER] = uuid.uuid4().hex
    return headers
