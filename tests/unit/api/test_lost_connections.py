"""A database that goes away in the midst of a request."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError

from labyard.models import db
from tests.unit.conftest import key_of, make_person


def test_answer_when_the_connection_is_lost_at_the_end_of_its_request_then_it_is_given(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = key_of(make_person())

    def lose() -> None:
        monkeypatch.undo()
        raise OperationalError("ROLLBACK", None, Exception("server closed the connection unexpectedly"))

    monkeypatch.setattr(db.session, "remove", lose)
    assert client.get("/api/v1/plans", headers=headers).status_code == 200
    assert client.get("/api/v1/plans", headers=headers).status_code == 200
