"""Kinds of fields: each refuses what the database or the way back to JSON could not take."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

from apiflask.fields import AwareDateTime, Boolean, Date, Dict, Integer, String
from apiflask.validators import Length, OneOf, Range, Regexp
from marshmallow import ValidationError

from labyard.models import Health, State

DEPLOYMENT_ID = "[a-z0-9]{8}"
COMMAND_ID = "[a-z0-9]{12}"
WEBHOOK_ID = "[a-z0-9]{12}"
NOTICE_ID = "[a-z0-9]{16}"
USERNAME = "[A-Za-z0-9][A-Za-z0-9._@-]{0,62}"
VOLUME_NAME = "[A-Za-z0-9][A-Za-z0-9_.-]{0,254}"
PLAN_NAME = "[a-z][a-z0-9-]{0,29}"
PROJECT_NAME = "[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
PAYMENT_ID = "[a-z0-9]{12}"
ORDER_ID = "[a-z0-9]{16}"
BUDGET_ID = "[a-z0-9]{12}"
MONEY = r"\d{1,15}(\.\d{1,4})?"
KEY_NAME = "[A-Za-z0-9][A-Za-z0-9._@-]{0,62}"
DEPLOYMENT_NAME = "[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
CONFIGURATION_NAME = r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*){2}"
LARGEST = 2**31 - 1  # of a number of a row

STATE_TEXT = "0 INITIATED, 1 PENDING, 5 COMPLETED, 8 REMOVED, 9 FAILED"


class Pattern(Regexp):
    """The whole text must fit `expression`; a line break at the end does not pass, as `$` alone lets it."""

    def __init__(self, expression: str, words: str):
        super().__init__(re.compile(f"^{expression}$"), error=words)
        self._whole = re.compile(expression)

    def __call__(self, value: Any) -> Any:
        """`value`, or ValidationError."""
        if not self._whole.fullmatch(value):
            raise ValidationError(self._format_error(value))
        return value


class Flag(Boolean):
    """Yes or no in a body: true or false, and neither 1 nor "yes"."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class Timestamp(AwareDateTime):
    """RFC 3339; without a zone it is in UTC. Only years that every database and library knows."""

    def __init__(self, **options: Any):
        super().__init__(format="iso", default_timezone=UTC, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        moment: datetime = super()._deserialize(value, attr, data, **kwargs)
        if not 1970 <= moment.year <= 9990:
            raise ValidationError("Must be between the years 1970 and 9990.")
        return moment.astimezone(UTC)


class Day(Date):
    """A day, as 2026-01-31. Only years that every database and library knows."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> date:
        day: date = super()._deserialize(value, attr, data, **kwargs)
        if not 1970 <= day.year <= 9990:
            raise ValidationError("Must be between the years 1970 and 9990.")
        return day


def text_out(description: str | None = None, *, null: bool = False) -> String:
    """A text of an answer."""
    return String(required=True, allow_none=null, metadata=_about(description))


def time_out(description: str | None = None, *, null: bool = False) -> String:
    """A time of an answer: RFC 3339 in UTC, to the millisecond."""
    return String(required=True, allow_none=null, metadata={**_about(description), "format": "date-time"})


def day_out(description: str | None = None) -> String:
    """A day of an answer, as 2026-01-31."""
    return String(required=True, metadata={**_about(description), "format": "date"})


def number_out(description: str | None = None, *, null: bool = False) -> Integer:
    """A whole number of an answer."""
    return Integer(required=True, allow_none=null, metadata=_about(description))


def flag_out(description: str | None = None) -> Boolean:
    """A yes or no of an answer."""
    return Boolean(required=True, metadata=_about(description))


def object_out(description: str | None = None) -> Dict:
    """An object of an answer whose keys are not known here."""
    return Dict(required=True, metadata=_about(description))


def state_out() -> Integer:
    """The number of a state."""
    states = [int(state) for state in State]
    return Integer(required=True, validate=OneOf(states), metadata={"description": STATE_TEXT})


def state_name_out() -> String:
    """The name of a state."""
    return String(required=True, validate=OneOf([state.name for state in State]))


def state_in() -> Integer:
    """A state to look for."""
    return Integer(validate=OneOf([int(s) for s in State]), metadata={"description": STATE_TEXT})


def health_in() -> String:
    """A health to look for."""
    return String(validate=OneOf([health.value for health in Health]))


def named(expression: str, words: str, **options: Any) -> String:
    """A text that must fit `expression` as a whole."""
    return String(validate=Pattern(expression, f"must be {words}"), **options)


def short(length: int, **options: Any) -> String:
    """A text of at most `length` characters."""
    return String(validate=Length(max=length), **options)


def row_number(**options: Any) -> Integer:
    """The number of a row."""
    return Integer(validate=Range(0, LARGEST), **options)


def _about(description: str | None) -> dict[str, Any]:
    return {"description": description} if description else {}
