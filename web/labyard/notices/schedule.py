"""When a message that was not taken is sent again. Pure."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

TRIES = 8
_FIRST, _FACTOR, _LONGEST = 10.0, 5.0, 12 * 3600.0  # seconds, -, seconds
_JITTER = 0.2  # part of the pause


def next_try(attempts: int, now: datetime) -> datetime | None:
    """When to try again after `attempts` tries, or None: it is given up.

    The pauses are 10 s, 50 s, 4 min, 21 min, 1.7 h, 8.7 h and 12 h, each up to a fifth longer or
    shorter so that what failed together does not come back together: 23 h in all.
    """
    if attempts >= TRIES:
        return None
    pause = min(_FIRST * _FACTOR ** (attempts - 1), _LONGEST)
    return now + timedelta(seconds=pause * random.uniform(1 - _JITTER, 1 + _JITTER))  # noqa: S311 - no secret
