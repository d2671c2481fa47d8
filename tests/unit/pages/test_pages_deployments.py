"""The list of deployments, a deployment, its actions."""

from __future__ import annotations

import re
from contextlib import contextmanager, nullcontext

import pytest

from labyard.errors import Unavailable
from labyard.models import Command, State, db
from labyard.pages import deployments as pages_deployments


def names(page: str) -> list[str]:
    """The names in the list, in order."""
    return re.findall(r'<a href="/deployments/[a-z0-9]{8}">([^<]+)</a>', page)


@pytest.fixture
def plan(make_plan):
    return make_plan()


def test_list_when_there_is_nothing_then_leads_to_the_catalogue(maria):
    page = maria.get("/deployments").text
    assert "You have no deployment yet" in page
    assert "Go to the catalogue" in page


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"alpha", "beta", "gamma"}),
        ("q=ALP", {"alpha"}),
        ("health=stopped", {"beta"}),
        ("state=failed", {"gamma"}),
        ("state=removed", {"old"}),
        ("removed=1", {"alpha", "beta", "gamma", "old"}),
        ("plan=notebook&q=a", {"alpha", "beta", "gamma"}),
        ("state=nonsense&health=nonsense&page=x", {"alpha", "beta", "gamma"}),
        ("q=%25", set()),
    ],
)
def test_list_when_filtered_then_shows_what_matches(maria, plan, make_deployment, query, expected):
    make_deployment("alpha")
    make_deployment("beta", health="stopped")
    make_deployment("gamma", state=State.FAILED, health="missing")
    make_deployment("old", state=State.REMOVED)
    assert set(names(maria.get(f"/deployments?{query}").text)) == expected


def test_list_when_nothing_matches_then_offers_to_clear_the_filters(maria, plan, make_deployment):
    make_deployment("alpha")
    page = maria.get("/deployments?q=zzz").text
    assert "No deployment matches" in page
    assert "Clear filters" in page
    assert 'value="zzz"' in page


def test_list_when_others_have_deployments_then_only_an_admin_sees_and_filters_them(
    maria, plan, make_person, make_deployment, sign_in
):
    make_person("otto")
    make_deployment("of-otto", owner="otto")
    make_deployment("of-maria")
    assert names(maria.get("/deployments?owner=otto").text) == ["of-maria"]
    admin = sign_in(make_person("root", is_admin=True))
    assert set(names(admin.get("/deployments").text)) == {"of-otto", "of-maria"}
    assert names(admin.get("/deployments?owner=otto").text) == ["of-otto"]


def test_list_when_there_are_more_than_a_page_then_pages_keep_the_filters(maria, plan, make_deployment):
    for number in range(27):
        make_deployment(f"n-{number}")
    first = maria.get("/deployments?q=n-&health=running").text
    assert len(names(first)) == 25
    assert 'href="/deployments?q=n-&amp;health=running&amp;page=2"' in first
    assert len(names(maria.get("/deployments?q=n-&health=running&page=2").text)) == 2
    assert len(names(maria.get("/deployments?page=99").text)) == 2


def test_deployment_when_it_runs_then_shows_all_of_it(maria, plan, make_deployment, make_command):
    deployment = make_deployment(
        params={"cpu_limit": 2.0, "memory_limit": 2048},
        volumes=[{"name": "notebook-x_home", "kept": True}],
        health_detail="all is well",
    )
    make_command(deployment, state=State.COMPLETED)
    page = maria.get(f"/deployments/{deployment}").text
    for text in (
        "2 cores",
        "2 GiB",
        "notebook-x_home",
        "all is well",
        "http://127.0.0.1:20001/lab",
        "Launch",
    ):
        assert text in page
    assert f'href="/deployments/{deployment}/open"' in page


def button(page: str, phase: str) -> str:
    """How a phase is offered: "yes", "no" (greyed out) or "absent"."""
    if f'id="do-{phase}"' in page:
        return "yes"
    return "no" if f'id="why-{phase}"' in page else "absent"


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({}, {"start": "no", "stop": "yes", "update": "yes", "remove": "yes", "install": "absent"}),
        ({"health": "stopped"}, {"start": "yes", "stop": "no", "remove": "yes", "install": "absent"}),
        ({"health": "degraded"}, {"start": "yes", "stop": "yes", "remove": "yes"}),
        ({"health": "missing"}, {"start": "no", "install": "yes", "remove": "yes", "check": "yes"}),
        (
            {"state": State.FAILED, "services": [], "health": "missing"},
            {"install": "yes", "remove": "yes", "start": "no", "check": "no"},
        ),
        ({"state": State.REMOVED}, {"install": "absent", "start": "absent", "remove": "absent"}),
    ],
)
def test_actions_when_the_state_is_what_it_is_then_offer_what_can_be_done(
    maria, plan, make_deployment, columns, expected
):
    page = maria.get(f"/deployments/{make_deployment(**columns)}").text
    assert {phase: button(page, phase) for phase in expected} == expected


def test_actions_when_a_command_runs_then_wait_for_it(maria, plan, make_deployment, make_command):
    deployment = make_deployment(state=State.PENDING)
    command = make_command(deployment)
    page = maria.get(f"/deployments/{deployment}").text
    assert button(page, "remove") == "no"
    assert f'href="/commands/{command}"' in page
    answer = maria.post(f"/deployments/{deployment}/stop")
    assert answer.status_code == 409
    assert "Wait until it has ended, or cancel it." in answer.text


def test_phase_when_it_is_an_update_then_the_form_has_the_present_values(maria, plan, make_deployment):
    deployment = make_deployment(params={"cpu_limit": 3.5, "memory_limit": 4096, "environment": {"A": "1"}})
    page = maria.get(f"/deployments/{deployment}/update").text
    assert re.search(r'name="param-cpu_limit"[^>]*value="3.5"', page)
    assert re.search(r"<textarea[^>]*param-environment[^>]*>\s*A=1</textarea>", page)


def test_phase_when_sent_then_goes_to_the_page_of_its_command(app, maria, plan, make_deployment):
    deployment = make_deployment(params={"cpu_limit": 1.0, "memory_limit": 1024})
    data = {"param-cpu_limit": "2", "param-memory_limit": "2048"}
    answer = maria.post(f"/deployments/{deployment}/scale", data=data)
    assert answer.status_code == 303
    with app.app_context():
        command = db.session.query(Command).one()
        assert (command.phase, command.params) == ("scale", {"cpu_limit": 2.0, "memory_limit": 2048})
        assert answer.location == f"/commands/{command.id}"


def test_phase_when_it_is_previewed_then_only_asks_what_would_change(app, maria, plan, make_deployment):
    deployment = make_deployment(params={"cpu_limit": 1.0, "memory_limit": 1024})
    assert 'id="do-preview"' in maria.get(f"/deployments/{deployment}/update").text
    assert 'id="do-preview"' not in maria.get(f"/deployments/{deployment}/remove").text
    maria.post(f"/deployments/{deployment}/scale", data={"param-cpu_limit": "2", "preview": "1"})
    with app.app_context():
        command = db.session.query(Command).one()
        assert command.check_only
        assert command.deployment.state == State.COMPLETED


def test_remove_when_asked_for_then_names_what_is_lost_and_kept_before(app, maria, plan, make_deployment):
    deployment = make_deployment(volumes=[{"name": "notebook-x_home", "kept": True}])
    page = maria.get(f"/deployments/{deployment}/remove").text
    assert "What is lost" in page
    assert "What is kept" in page
    assert "notebook-x_home" in page
    assert re.search(r'name="param-keep_data"', page)
    with app.app_context():
        assert db.session.query(Command).count() == 0, "looking changes nothing"
    maria.post(f"/deployments/{deployment}/remove", data={"csrf_token": "the box is not ticked"})
    with app.app_context():
        assert db.session.query(Command).one().params == {"keep_data": False}


def test_phase_when_there_is_none_of_that_name_then_not_found(maria, plan, make_deployment):
    assert maria.get(f"/deployments/{make_deployment()}/explode").status_code == 404


def test_open_when_the_owner_asks_then_sends_along_the_secret(app, maria, plan, make_deployment):
    sealed = app.extensions["labyard"].sealer.seal({"token": "s3cret-token"})
    deployment = make_deployment(sealed_secrets=sealed)
    answer = maria.get(f"/deployments/{deployment}/open")
    assert answer.location == "http://127.0.0.1:20001/lab?token=s3cret-token"
    assert "s3cret-token" not in maria.get(f"/deployments/{deployment}").text


def test_open_when_an_admin_asks_then_is_refused(plan, maria, make_person, make_deployment, sign_in):
    deployment = make_deployment()
    answer = sign_in(make_person("root", is_admin=True)).get(f"/deployments/{deployment}/open")
    assert answer.status_code == 403
    assert "Only its owner" in answer.text


def test_logs_when_services_wrote_something_then_shows_it_as_text(maria, plan, make_deployment, monkeypatch):
    lines = [{"service": "a", "line": "<b>one</b>"}, {"service": "b", "line": "{{ 6 * 7 }}"}]
    monkeypatch.setattr(pages_deployments, "engine", lambda _host: nullcontext())
    monkeypatch.setattr(pages_deployments, "read_logs", lambda _client, _id, count: lines[:count])
    page = maria.get(f"/deployments/{make_deployment()}/logs").text
    assert "&lt;b&gt;one&lt;/b&gt;" in page
    assert "{{ 6 * 7 }}" in page


def test_logs_when_docker_does_not_answer_then_says_so(maria, plan, make_deployment, monkeypatch):
    @contextmanager
    def silent(_host):
        raise Unavailable("The Docker Engine does not answer. Is it running?")
        yield

    monkeypatch.setattr(pages_deployments, "engine", silent)
    answer = maria.get(f"/deployments/{make_deployment()}/logs")
    assert answer.status_code == 503
    assert "Docker Engine" in answer.text
    assert "Try again" in answer.text


def test_deployment_when_its_role_is_gone_then_the_page_still_shows_the_rest(
    maria, make_plan, make_deployment
):
    make_plan(configuration="labyard.platform.no_such_role")
    place = f"/deployments/{make_deployment()}"
    answer = maria.get(place)
    assert answer.status_code == 200
    assert "is not installed here, so nothing can be done with it. " in answer.text
    assert f"{place}/remove" not in answer.text
    assert maria.get(f"{place}/remove").status_code == 409


def test_deployment_when_its_role_is_gone_then_an_admin_removes_it_by_its_name(
    app, maria, make_plan, make_deployment, make_person, sign_in
):
    make_plan(configuration="labyard.platform.no_such_role")
    place = f"/deployments/{make_deployment(volumes=[{'name': 'demo-home', 'kept': True}])}"
    root = sign_in(make_person("root", is_admin=True))
    page = root.get(place).text
    assert "but to remove it" in page
    assert [word for word in ("start", "stop", "update", "remove") if f"{place}/{word}" in page] == ["remove"]
    asked = root.get(f"{place}/remove").text
    assert "All volumes" in asked
    assert "demo-home" in asked
    assert root.get(f"{place}/stop").status_code == 409
    sent = root.post(f"{place}/remove")
    assert sent.status_code == 303
    with app.app_context():
        command = db.session.query(Command).one()
        assert (command.phase, command.tasks[1].name) == ("remove", "Remove what stands on the swarm")
    assert root.get(sent.location).status_code == 200
