"""Plans: who sees them, whether they can be ordered, and what a change is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from sqlalchemy import select

from ansible_collections.labyard.platform.plugins.module_utils._request.request import (
    PlanSpec,
    RequestError,
    parse_plan,
)
from labyard.accounts.people import ensure_project
from labyard.catalog.configurations import ConfigurationUnavailable
from labyard.catalog.plans import (
    availability_of,
    configuration_of,
    get_plan,
    plans_for,
    require_available,
    retire_plan,
    save_plan,
)
from labyard.catalog.refresh import refresh_sources
from labyard.clock import utc_now
from labyard.context import session
from labyard.errors import InvalidInput, NotFound
from labyard.models import Plan, User, db
from labyard.models.base import begin_writing
from labyard.settings import Settings
from tests.unit.conftest import issue, key_of, make_person

from .git_server import GitServer, serving
from .roles import SIDECAR, SPECS, role_files

NOTEBOOK = "labyard.platform.notebook"
ECHO = "site.services.echo"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    folder = tmp_path / "server"
    folder.mkdir()
    with serving(folder) as made:
        yield made


def save(spec: PlanSpec, hosts: tuple[str, ...] = ()) -> bool:
    begin_writing()
    changed = save_plan(session(), spec, source_hosts=hosts)
    session().commit()
    return changed


def find(name: str) -> Plan:
    db.session.expire_all()
    return session().scalars(select(Plan).where(Plan.name == name)).one()


def names(person: User) -> list[str]:
    return [plan.name for plan in session().scalars(plans_for(person))]


def echo(server: GitServer, **changes: Any) -> PlanSpec:
    source = {"repository": server.url("roles"), "ref": "main", "path": "echo"}
    return PlanSpec(**{"name": "echo", "title": "Echo", "configuration": ECHO, "source": source, **changes})


def look(server: GitServer, settings: Settings, minutes: int = 0) -> int:
    allowed = replace(settings, source_hosts=(server.host,), ca_bundle=server.ca_bundle)
    return refresh_sources(session(), begin_writing, allowed, lambda: utc_now() + timedelta(minutes=minutes))


def test_version_grows_on_a_change_alone(app: APIFlask) -> None:
    spec = PlanSpec("lab", NOTEBOOK, title="Lab")
    assert save(spec)
    assert find("lab").version == 1
    assert not save(spec)
    assert find("lab").version == 1
    assert save(replace(spec, fixed={"cpu_limit": 1.0}))
    assert save(replace(spec, projects=("physics",)))
    assert not save(replace(spec, projects=("physics", "physics")))
    assert find("lab").version == 3


def test_retired_plan_is_offered_no_more_and_comes_back_when_it_is_saved(app: APIFlask) -> None:
    person = make_person()
    spec = PlanSpec("lab", NOTEBOOK, title="Lab")
    save(spec)
    begin_writing()
    plan = retire_plan(session(), "lab")
    assert names(person) == ["notebook"]
    assert availability_of(plan) == (False, "The plan is no longer offered.")
    with pytest.raises(NotFound):
        retire_plan(session(), "lab")
    session().commit()
    assert save(spec)
    assert names(person) == ["lab", "notebook"]


def test_plan_of_a_project_is_seen_by_its_members_and_admins(app: APIFlask) -> None:
    member, other, admin = make_person("ada"), make_person("bob"), make_person("root", is_admin=True)
    begin_writing()
    member.projects.append(ensure_project(session(), "phys_ics"))
    other.projects.append(ensure_project(session(), "physXics"))
    other.projects.append(ensure_project(session(), "phys"))
    session().commit()
    save(PlanSpec("lab", NOTEBOOK, title="Lab", projects=("chemistry", "phys_ics")))
    assert names(member) == names(admin) == ["lab", "notebook"]
    assert names(other) == ["notebook"]
    with pytest.raises(NotFound):
        get_plan(session(), other, "lab")


def test_plan_whose_configuration_is_gone_is_unavailable_and_others_go_on(
    app: APIFlask, client: FlaskClient
) -> None:
    begin_writing()
    session().add(Plan(name="lost", title="Lost", configuration="no.such.role"))
    session().commit()
    headers = key_of(make_person())
    shown = {p["name"]: p for p in client.get("/api/v1/plans", headers=headers).json["items"]}
    assert shown["notebook"]["available"]
    assert not shown["lost"]["available"]
    assert "no.such.role is not installed" in shown["lost"]["unavailable_reason"]
    assert client.get("/api/v1/plans/lost", headers=headers).status_code == 200
    for path in ("/api/v1/plans/lost/schema", "/plans/lost/launch"):
        assert client.get(path, headers=headers).status_code < 500
    refused = issue(client, headers, plan="lost")
    assert refused.status_code == 409
    assert "no.such.role is not installed" in refused.json["detail"]
    assert issue(client, headers).status_code == 202


def test_fixed_value_that_no_longer_fits_makes_a_plan_unavailable(app: APIFlask) -> None:
    begin_writing()
    session().add(Plan(name="odd", title="Odd", configuration=NOTEBOOK, fixed={"cpu_limit": "many"}))
    session().commit()
    available, reason = availability_of(find("odd"))
    assert not available
    assert "fixed.cpu_limit" in reason


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"source": {"repository": "https://elsewhere.example.org/r", "ref": "main"}}, "source.repository"),
        ({"source": {"repository": "https://git.example.org/r", "ref": ""}}, "source.ref"),
        ({"configuration": NOTEBOOK}, "configuration"),
    ],
)
def test_bad_source_is_refused_when_the_plan_is_saved(
    app: APIFlask, change: dict[str, Any], place: str
) -> None:
    good = {"repository": "https://git.example.org/r", "ref": "main", "path": "echo"}
    spec = PlanSpec(**{"name": "echo", "configuration": ECHO, "source": good, **change})
    with pytest.raises(InvalidInput) as refused:
        save(spec, ("git.example.org",))
    assert list(refused.value.errors) == [place]


@pytest.mark.parametrize(
    "document",
    [
        {"projects": "physics"},
        {"projects": [1]},
        {"source": "https://git.example.org"},
        {"source": {"ref": 1}},
        {"source": ["x"]},
    ],
)
def test_projects_and_source_of_a_wrong_kind_are_refused(document: dict[str, Any]) -> None:
    with pytest.raises(RequestError):
        parse_plan({"name": "echo", "configuration": ECHO, **document})


def test_form_of_a_fetched_plan_is_known_before_its_first_run(
    app: APIFlask, server: GitServer, settings: Settings
) -> None:
    commit = server.commit("roles", role_files("echo"))
    save(echo(server), (server.host,))
    assert availability_of(find("echo")) == (False, "The configuration is being fetched.")
    assert look(server, settings) == 1
    plan = find("echo")
    assert availability_of(plan) == (True, "")
    assert plan.fetched["commit"] == commit
    assert [f.name for f in configuration_of(plan).phases["install"].fields] == ["text"]


def test_branch_is_looked_at_every_minute_and_a_change_counts(
    app: APIFlask, server: GitServer, settings: Settings
) -> None:
    server.commit("roles", role_files("echo"))
    save(echo(server), (server.host,))
    look(server, settings)
    version = find("echo").version
    assert look(server, settings) == 0
    specs = SPECS.replace("echo_text", "echo_words")
    server.commit("roles", role_files("echo", specs=specs, sidecar=SIDECAR.replace("[text]", "[words]")))
    assert look(server, settings) == 0  # its minute is not over
    assert look(server, settings, minutes=2) == 1
    plan = find("echo")
    assert [f.name for f in configuration_of(plan).phases["install"].fields] == ["words"]
    assert plan.version == version + 1


def test_repository_that_goes_away_makes_the_plan_unavailable_until_it_is_back(
    app: APIFlask, server: GitServer, settings: Settings
) -> None:
    server.commit("roles", role_files("echo"))
    save(echo(server), (server.host,))
    look(server, settings)
    server.redirect = "https://example.org/"
    look(server, settings, minutes=2)
    plan = find("echo")
    available, reason = availability_of(plan)
    assert not available
    assert "could not be fetched" in reason
    with pytest.raises(ConfigurationUnavailable, match="Echo is not available"):
        require_available(plan)
    assert configuration_of(plan).title == "Echo"  # for the deployments that are there
    server.redirect = ""
    look(server, settings, minutes=4)
    assert availability_of(find("echo")) == (True, "")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (role_files("echo", specs="{"), "is not YAML"),
        ({"echo/README.md": "no role"}, "no meta/argument_specs.yml"),
        ({"README.md": "no role"}, "no folder echo"),
    ],
)
def test_repository_without_a_usable_role_is_said(
    app: APIFlask, server: GitServer, settings: Settings, files: dict[str, str], words: str
) -> None:
    server.commit("roles", files)
    save(echo(server), (server.host,))
    look(server, settings)
    available, reason = availability_of(find("echo"))
    assert not available
    assert words in reason


def test_plan_with_another_source_is_fetched_anew(
    app: APIFlask, server: GitServer, settings: Settings
) -> None:
    server.commit("roles", role_files("echo"))
    pinned = server.commit("roles", role_files("echo", sidecar=SIDECAR.replace("Echo", "Pinned")))
    server.commit("roles", role_files("echo"))
    save(echo(server), (server.host,))
    look(server, settings)
    source = {"repository": server.url("roles"), "ref": pinned, "path": "echo"}
    assert save(echo(server, source=source), (server.host,))
    assert not availability_of(find("echo"))[0]
    look(server, settings)
    assert configuration_of(find("echo")).title == "Pinned"


def test_one_worker_looks_at_a_time(app: APIFlask, server: GitServer, settings: Settings) -> None:
    server.commit("roles", role_files("echo"))
    save(echo(server), (server.host,))
    look(server, settings)
    asked = len(server.asked)
    look(server, settings)
    assert len(server.asked) == asked
