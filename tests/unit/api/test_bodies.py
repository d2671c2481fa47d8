"""Bodies, addresses and headers that nobody sends in good faith: refused in words, never with a 5xx."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from labyard.context import session
from labyard.models import Command
from tests.unit.conftest import issue, key_of, make_person

COMMANDS = "/api/v1/commands"


@pytest.fixture
def key(app: Any) -> dict[str, str]:
    return key_of(make_person("ada"))


def send(client: FlaskClient, key: dict[str, str], body: bytes, kind: str = "application/json") -> Any:
    return client.post(COMMANDS, data=body, headers={**key, "Content-Type": kind})


def command(**changes: Any) -> bytes:
    document = {"plan": "notebook", "phase": "install", "name": "demo", **changes}
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"", 422),
        (b"\xff\xfe{}", 400),
        (b'{"phase": "\xc3\x28"}', 400),
        (b"[" * 100_000, 400),
        (b'{"params":' * 500 + b"1" + b"}" * 500, 400),
        (b'{"params": {"a": NaN}}', 400),
        (b'{"params": {"a": 1e999}}', 400),
        (b'{"params": {"a": ' + b"9" * 5000 + b"}}", 400),
        (b'{"priority": 99999999999999999999}', 400),
        (b'{"priority": 9223372036854775807}', 422),
        (b'{"phase": "stop", "phase": "start"}', 400),
        (b'{"phase": "a\\u0000b"}', 400),
        (b'{"phase": "\\ud800"}', 400),
        (b'{"\\ud800": 1}', 400),
        (b'{"params": {"\\u0000": 1}}', 400),
        (b"[]", 422),
        (b"null", 422),
        (b'"text"', 422),
        (json.dumps({f"key{n}": n for n in range(1000)}).encode(), 422),
        (command(params={f"key{n}": n for n in range(1000)}), 422),
        (command(params={"environment": {f"KEY{n}": "x" for n in range(1000)}}), 422),
        (command(name="x" * 100_000), 422),
        (command(priority=True), 422),
        (command(check="perhaps"), 422),
        (command(deployment="../../etc/passwd"), 422),
        (b"x" * (1024 * 1024 + 1), 413),
        (b"x" * 10_000_000, 413),
    ],
)
def test_body_that_cannot_be_is_refused_in_words(
    client: FlaskClient, key: dict[str, str], body: bytes, status: int
) -> None:
    answer = send(client, key, body)
    assert answer.status_code == status, answer.json
    assert answer.content_type == "application/problem+json"
    assert answer.json["status"] == status
    assert answer.json["detail"]
    assert len(answer.data) < 50_000
    assert session().query(Command).count() == 0


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/xml",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "",
        "x",
    ],
)
def test_body_of_another_kind_is_refused(client: FlaskClient, key: dict[str, str], kind: str) -> None:
    answer = send(client, key, command(), kind)
    assert answer.status_code == 415
    assert "application/json" in answer.json["detail"]


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "application/vnd.labyard+json"])
def test_body_of_a_kind_of_json_is_read(client: FlaskClient, key: dict[str, str], kind: str) -> None:
    assert send(client, key, command(), kind).status_code == 202


@pytest.mark.parametrize(
    "path",
    [
        "commands/%00",
        "commands/aaaaaaaaaaa%00",
        "plans/%00",
        "plans/%FF%FE",
        "plans/..%2F..%2Fetc",
        "users/%00",
        "deployments/" + "x" * 3000,
        "commands/ÿÿÿÿÿÿÿÿÿÿÿÿ",
    ],
)
def test_address_that_cannot_be_is_not_there(client: FlaskClient, key: dict[str, str], path: str) -> None:
    answer = client.get(f"/api/v1/{path}", headers=key)
    assert answer.status_code in (403, 404), answer.json
    assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("commands?limit=0", "limit"),
        ("commands?limit=99999999999999999999", "limit"),
        ("commands?limit=x", "limit"),
        ("commands?state=99999999999999999999999", "state"),
        ("commands?state=3", "state"),
        ("commands?phase=explode", "phase"),
        ("commands?deployment=x", "deployment"),
        ("commands?created_after=yesterday", "created_after"),
        ("commands?created_after=0001-01-01T00:00:00%2B23:59", "created_after"),
        ("commands?created_before=9999-12-31T23:59:59-23:59", "created_before"),
        ("commands?sort=params", "sort"),
        ("commands?sort=created_at;drop", "sort"),
        ("commands?fields=id,password_hash", "fields"),
        ("commands?fields=", "fields"),
        ("commands?colour=red", "colour"),
        ("commands?offset=5", "offset"),
        ("commands?cursor=", "cursor"),
        ("commands?cursor=abc", "cursor"),
        ("commands?cursor=" + "a" * 1001, "cursor"),
        ("deployments?owner=%C3%A4", "owner"),
        ("deployments?removed=perhaps", "removed"),
        ("deployments?search=" + "x" * 64, "search"),
        ("plans/notebook/schema?phase=explode", "phase"),
    ],
)
def test_question_that_cannot_be_is_refused_at_its_field(
    client: FlaskClient, key: dict[str, str], path: str, field: str
) -> None:
    answer = client.get(f"/api/v1/{path}", headers=key)
    assert answer.status_code == 422, answer.json
    assert any(name.startswith(field) for name in answer.json["errors"]), answer.json


@pytest.mark.parametrize("number", ["99999999999999999999999", "2147483648", "-1", "x", "1.5"])
def test_number_that_cannot_be_is_not_there(client: FlaskClient, app: Any, number: str) -> None:
    admin = key_of(make_person("root", is_admin=True))
    path = f"/api/v1/orphans/{number}/repair"
    assert client.post(path, json={"action": "forget"}, headers=admin).status_code == 404


def test_zero_byte_in_a_question_is_refused(client: FlaskClient, key: dict[str, str]) -> None:
    for path in ("deployments?name=%00", "deployments?%00=1", "plans?search=a%00b"):
        assert client.get(f"/api/v1/{path}", headers=key).status_code == 400


@pytest.mark.parametrize("last", ["²", "99999999999999999999999", "-1", "x", "1e9", "1 OR 1=1"])
def test_number_of_an_event_that_cannot_be_is_no_fault_of_ours(
    client: FlaskClient, key: dict[str, str], last: str
) -> None:
    issued = issue(client, key).json["id"]
    headers = {**key, "Last-Event-ID": last.encode().decode("latin-1")}
    for path in (f"commands/{issued}/events", "deployments/events"):
        with client.application.test_request_context():
            assert client.head(f"/api/v1/{path}", headers=headers).status_code == 200


def test_method_that_is_none_is_answered_with_those_that_are(
    client: FlaskClient, key: dict[str, str]
) -> None:
    for path, methods in (("commands/bulk", {"POST"}), ("plans", {"GET", "POST"}), ("audit", {"GET"})):
        answer = client.put(f"/api/v1/{path}", json={}, headers=key)
        assert answer.status_code == 405
        assert answer.content_type == "application/problem+json"
        allowed = {method.strip() for method in answer.headers["Allow"].split(",")}
        assert allowed - {"HEAD", "OPTIONS"} == methods
