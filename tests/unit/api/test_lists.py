"""Lists by pages: complete, in order, narrowed, and with few statements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, event

from labyard.accounts.administration import make_project
from labyard.accounts.people import get_user
from labyard.context import session
from labyard.models import Command, Deployment, Event, Plan, Project, Run, State, Task, User, db
from labyard.models.base import begin_writing
from tests.unit.conftest import key_of, make_person

START = datetime(2026, 1, 1, tzinfo=UTC)
_numbers = count(1)


@pytest.fixture
def key(app: Any) -> dict[str, str]:
    return key_of(make_person("ada"))


def make_deployments(owner: str, number: int, **columns: Any) -> list[str]:
    """Ids of new deployments named d000, d001, ..., a minute apart."""
    begin_writing()
    person = get_user(session(), owner)
    values = {"plan": session().query(Plan).filter_by(name="notebook").one(), "project": person.projects[0]}
    made = [
        Deployment(
            **{
                "name": f"d{n:03}",
                "owner": person,
                "state": State.COMPLETED,
                "created_at": START + timedelta(minutes=n),
                "updated_at": START + timedelta(minutes=-n),
                **values,
                **columns,
            }
        )
        for n in range(number)
    ]
    session().add_all(made)
    session().commit()
    return [deployment.id for deployment in made]


def make_commands(deployment_id: str, number: int, **columns: Any) -> list[str]:
    """Ids of new commands with three steps each, a second apart; all but the last have ended."""
    begin_writing()
    deployment = session().get_one(Deployment, deployment_id)
    made = []
    for n in range(number):
        values = {"phase": "check", "state": State.COMPLETED, "issuer_id": deployment.owner_id, **columns}
        moment = START + timedelta(seconds=next(_numbers))
        command = Command(deployment_id=deployment_id, created_at=moment, **values)
        command.tasks = [Task(position=p, name=f"Step {p}", state=State.COMPLETED) for p in range(3)]
        command.runs = [Run(fence=n, folder="")]
        made.append(command)
    session().add_all(made)
    session().commit()
    return [command.id for command in made]


def walk(client: FlaskClient, path: str, headers: dict[str, str]) -> Iterator[dict[str, Any]]:
    """All pages of a list, by their cursors."""
    answer = client.get(path, headers=headers)
    while True:
        assert answer.status_code == 200, answer.json
        yield answer.json
        cursor = answer.json["next"]
        if cursor is None:
            assert "Link" not in answer.headers
            return
        assert f"cursor={quote(cursor)}" in answer.headers["Link"]
        address = answer.headers["Link"].removeprefix("<").removesuffix('>; rel="next"')
        answer = client.get(address, headers=headers)


@contextmanager
def counted() -> Iterator[Callable[[], int]]:
    """How many statements the database got."""
    seen: list[str] = []

    def note(_c: Any, _k: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield lambda: len(seen)
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@pytest.mark.parametrize("sort", ["-created_at", "created_at", "name", "-name", "updated_at", "-updated_at"])
def test_pages_together_are_the_whole_list_in_order(
    client: FlaskClient, key: dict[str, str], sort: str
) -> None:
    ids = make_deployments("ada", 23)
    pages = list(walk(client, f"/api/v1/deployments?limit=5&sort={sort}", key))
    assert [len(page["items"]) for page in pages] == [5, 5, 5, 5, 3]
    found = [item["id"] for page in pages for item in page["items"]]
    upwards = ids if sort.lstrip("-") != "updated_at" else ids[::-1]
    assert found == (upwards[::-1] if sort.startswith("-") else upwards)


def test_rows_of_the_same_time_are_neither_lost_nor_doubled(client: FlaskClient, key: dict[str, str]) -> None:
    ids = make_deployments("ada", 12, created_at=START)
    for sort in ("created_at", "-created_at"):
        pages = walk(client, f"/api/v1/deployments?limit=5&sort={sort}", key)
        assert sorted(item["id"] for page in pages for item in page["items"]) == sorted(ids)


def test_page_goes_on_where_the_last_ended_whatever_is_made_or_removed_meanwhile(
    client: FlaskClient, key: dict[str, str]
) -> None:
    ids = make_deployments("ada", 10)
    pages = walk(client, "/api/v1/deployments?limit=4", key)
    first = next(pages)
    begin_writing()
    gone = session().get_one(Deployment, first["items"][-1]["id"])
    gone.state = State.PENDING
    gone.state = State.REMOVED
    session().commit()
    make_deployments("ada", 1, name="new", created_at=START + timedelta(days=1))
    rest = [item["id"] for page in pages for item in page["items"]]
    assert rest == ids[5::-1]


def test_last_page_says_so_when_it_is_full(client: FlaskClient, key: dict[str, str]) -> None:
    make_deployments("ada", 10)
    assert len(list(walk(client, "/api/v1/deployments?limit=5", key))) == 2
    assert client.get("/api/v1/deployments?limit=10", headers=key).json["next"] is None


@pytest.mark.parametrize(
    "other",
    [
        "deployments?limit=2&sort=name",
        "deployments?limit=2&health=running",
        "commands?limit=2",
        "deployments?limit=2&removed=true",
    ],
)
def test_cursor_of_another_list_is_refused(client: FlaskClient, key: dict[str, str], other: str) -> None:
    make_deployments("ada", 5)
    cursor = client.get("/api/v1/deployments?limit=2", headers=key).json["next"]
    answer = client.get(f"/api/v1/{other}&cursor={cursor}", headers=key)
    assert answer.status_code == 422
    assert "another order or other filters" in answer.json["errors"]["cursor"]


def test_cursor_that_was_altered_is_refused(client: FlaskClient, key: dict[str, str]) -> None:
    make_deployments("ada", 5)
    cursor = client.get("/api/v1/deployments?limit=2", headers=key).json["next"]
    for broken in (cursor[:-1], cursor[1:], cursor.swapcase(), "e30.e30", cursor + "x", "." + cursor):
        answer = client.get("/api/v1/deployments", query_string={"limit": 2, "cursor": broken}, headers=key)
        assert answer.status_code == 422, broken
        assert "cursor" in answer.json["errors"]


def test_cursor_shows_nobody_what_is_anothers(client: FlaskClient, key: dict[str, str]) -> None:
    make_deployments("ada", 5)
    cursor = client.get("/api/v1/deployments?limit=2", headers=key).json["next"]
    eve = key_of(make_person("eve"))
    answer = client.get(f"/api/v1/deployments?limit=2&cursor={cursor}", headers=eve)
    assert answer.json == {"items": [], "next": None}


def test_items_have_the_fields_that_were_asked_for(client: FlaskClient, key: dict[str, str]) -> None:
    (deployment,) = make_deployments("ada", 1)
    make_commands(deployment, 1)
    one = client.get("/api/v1/deployments?fields=name,state", headers=key).json["items"]
    assert one == [{"name": "d000", "state": 5}]
    (command,) = client.get("/api/v1/commands?fields=phase,progress", headers=key).json["items"]
    assert command == {"phase": "check", "progress": 1.0}
    (command,) = client.get("/api/v1/commands?fields=id,phase", headers=key).json["items"]
    assert set(command) == {"id", "phase"}


def test_deployments_are_found_by_each_filter(client: FlaskClient, key: dict[str, str]) -> None:
    make_deployments("ada", 3)
    make_deployments("ada", 1, name="broken", health="degraded", state=State.FAILED)
    make_deployments("ada", 1, name="gone", state=State.REMOVED)
    begin_writing()
    lab = make_project(session(), "lab", ["ada"])
    session().commit()
    make_deployments("ada", 1, name="in-lab", project=session().get_one(Project, lab.id))
    found = {
        "name=d001": ["d001"],
        "search=d0": ["d000", "d001", "d002"],
        "search=D": [],
        "search=%25": [],
        "state=9": ["broken"],
        "state=8": ["gone"],
        "health=degraded": ["broken"],
        "plan=notebook&limit=1": ["broken"],
        "plan=nothing": [],
        "project=lab": ["in-lab"],
        "owner=ada&search=b": ["broken"],
        "removed=true&search=g": ["gone"],
        "created_after=2026-01-01T00:01:00Z&search=d": ["d001", "d002"],
        "created_before=2026-01-01T00:01:00Z&search=d": ["d000"],
        "created_after=2026-01-01T01:01:00%2B01:00&search=d": ["d001", "d002"],
    }
    for query, names in found.items():
        answer = client.get(f"/api/v1/deployments?sort=name&{query}", headers=key)
        assert [item["name"] for item in answer.json["items"]] == names, query


def test_commands_are_found_by_each_filter(client: FlaskClient, key: dict[str, str]) -> None:
    one, two = make_deployments("ada", 2)
    checks = make_commands(one, 3)
    (failed,) = make_commands(two, 1, phase="stop", state=State.FAILED)
    found = {
        f"deployment={one}": checks,
        "state=9": [failed],
        "phase=stop": [failed],
        "plan=notebook": [*checks, failed],
        "plan=nothing": [],
        "project=default": [*checks, failed],
        "owner=ada&phase=stop": [failed],
        "created_before=2026-01-01T00:00:00Z": [],
    }
    for query, ids in found.items():
        answer = client.get(f"/api/v1/commands?sort=created_at&{query}", headers=key)
        assert [item["id"] for item in answer.json["items"]] == ids, query


def test_owner_is_a_filter_of_admins(client: FlaskClient, key: dict[str, str]) -> None:
    make_deployments("ada", 2)
    make_person("bob")
    make_deployments("bob", 1)
    admin = key_of(make_person("root", is_admin=True))
    for path in ("deployments", "commands"):
        assert client.get(f"/api/v1/{path}?owner=bob", headers=key).status_code == 403
    assert len(client.get("/api/v1/deployments?owner=ada", headers=admin).json["items"]) == 2
    assert len(client.get("/api/v1/deployments", headers=admin).json["items"]) == 3


@pytest.mark.parametrize(
    "path",
    ["deployments", "commands", "users", "projects", "audit", "user/keys", "plans", "workers", "webhooks"],
)
def test_number_of_statements_does_not_grow_with_the_page(client: FlaskClient, app: Any, path: str) -> None:
    admin = key_of(make_person("root", is_admin=True))
    address = f"/api/v1/{path}?limit=100"
    fill(2)
    client.get(address, headers=admin)  # what is read once and kept
    with counted() as small:
        assert client.get(address, headers=admin).status_code == 200
    fill(20)
    with counted() as large:
        answer = client.get(address, headers=admin)
    assert large() == small()
    assert large() <= 8
    if path in ("deployments", "commands", "users", "projects"):
        assert len(answer.json["items"]) >= 20


def fill(number: int) -> None:
    """People with a project, a deployment of another plan and a waiting command each."""
    begin_writing()
    for _ in range(number):
        name = f"p{next(_numbers)}"
        project = Project(name=name)
        person = User(username=name, projects=[project])
        plan = Plan(name=name, title=name, configuration="labyard.platform.notebook")
        deployment = Deployment(name=name, plan=plan, owner=person, project=project)
        command = Command(deployment=deployment, issuer=person, phase="install")
        session().add(deployment)
        session().flush()
        command.tasks = [Task(position=0, name="Step")]
        command.runs = [Run(fence=1, folder="")]
        command.runs[0].last_counter = 1
        session().add(command)
        session().flush()
        session().add(Event(command_id=command.id, run_id=command.runs[0].id, counter=1, kind="x"))
    session().commit()
    db.session.remove()
