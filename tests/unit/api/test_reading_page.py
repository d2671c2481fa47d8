"""The description of the interface for people: all of it, from this server, without a script of its own."""

from __future__ import annotations

import re
from typing import Any

from flask.testing import FlaskClient

from labyard.api.reading_page import kind_of, limits_of, with_code, with_schemas


def test_page_shows_every_operation_to_everybody(client: FlaskClient, app: Any) -> None:
    answer = client.get("/api/v1/docs")
    assert answer.status_code == 200
    document = client.get("/api/v1/openapi.json").json
    operations = [o["operationId"] for methods in document["paths"].values() for o in methods.values()]
    assert all(f'id="{name}"' in answer.text for name in operations)
    assert all(f'id="schema-{name}"' in answer.text for name in document["components"]["schemas"])


def test_page_keeps_to_the_content_policy(client: FlaskClient, app: Any) -> None:
    answer = client.get("/api/v1/docs")
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert not re.search(r"<script(?![^>]*\bsrc=\"/)|\sstyle=|\son\w+=|javascript:", answer.text)
    for address in re.findall(r'(?:src|href)="([^"]+)"', answer.text):
        assert address.startswith(("/", "#")), address
        if address.startswith("#"):
            assert f'id="{address[1:]}"' in answer.text


def test_kinds_and_limits_are_said_in_words() -> None:
    assert kind_of({"type": ["string", "null"]}) == "text or null"
    assert kind_of({"type": "array", "items": {"$ref": "#/components/schemas/Task"}}) == "list of Task"
    assert kind_of({"anyOf": [{"$ref": "#/x/Command"}, {"type": "null"}]}) == "Command or null"
    assert limits_of({"minimum": 1, "maximum": 200, "default": 50}) == "1 to 200; 50 by default"


def test_words_of_the_document_are_shown_as_words() -> None:
    assert with_code("see `<b>` & go") == "see <code>&lt;b&gt;</code> &amp; go"
    assert with_schemas("list of Task", {"Task"}) == 'list of <a href="#schema-Task">Task</a>'
