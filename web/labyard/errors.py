"""Errors of the domain. One handler turns them into problem documents and pages."""

from __future__ import annotations

from collections.abc import Mapping


class DomainError(Exception):
    """Something a person asked for cannot be done; the text says why and what to do next."""

    status = 400  # of the HTTP answer
    kind = "bad-request"  # the last part of the problem's type
    title = "The request cannot be carried out"

    def __init__(
        self, detail: str, errors: Mapping[str, str] | None = None, *, retry_after: int | None = None
    ):
        super().__init__(detail)
        self.detail = detail
        self.errors = dict(errors or {})  # field to message
        self.retry_after = retry_after  # seconds after which the same request may be carried out


class InvalidInput(DomainError):
    """Fields are wrong; `errors` has a message for each."""

    status = 422
    kind = "invalid-input"
    title = "Some fields are not right"


class NotFound(DomainError):
    """There is no such thing, or the person may not see it: the two look alike on purpose."""

    status = 404
    kind = "not-found"
    title = "Not found"


class Forbidden(DomainError):
    """The person may see it but not do that."""

    status = 403
    kind = "forbidden"
    title = "Not allowed"


class Unauthorized(DomainError):
    """Nobody is signed in, or the key is not valid."""

    status = 401
    kind = "unauthorized"
    title = "Sign in first"


class Conflict(DomainError):
    """It contradicts the present state of things."""

    status = 409
    kind = "conflict"
    title = "Not possible now"


class PreconditionFailed(DomainError):
    """It was changed since the person looked: the version they name is no longer the last one."""

    status = 412
    kind = "precondition-failed"
    title = "Changed meanwhile"


class UnsupportedMediaType(DomainError):
    """The body is of a kind that is not read here."""

    status = 415
    kind = "unsupported-media-type"
    title = "Not JSON"


class PreconditionRequired(DomainError):
    """A change that replaces the whole must name the version that it replaces."""

    status = 428
    kind = "precondition-required"
    title = "Say which version you mean"


class TooMany(DomainError):
    """Too many tries; wait."""

    status = 429
    kind = "too-many-requests"
    title = "Too many tries"


class Unavailable(DomainError):
    """A part that is needed does not answer."""

    status = 503
    kind = "unavailable"
    title = "A part of the platform does not answer"
