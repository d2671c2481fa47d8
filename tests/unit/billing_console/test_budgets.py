"""Budgets: what counts, what is refused, who is told, what is stopped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from sqlalchemy import select

from labyard.billing.budget_book import status_of
from labyard.billing.budget_usage import held_by
from labyard.billing.budget_watch import watch_budgets
from labyard.clock import utc_now
from labyard.context import context, session
from labyard.models import AuditEntry, Budget, BudgetAlert, Command, Deployment, Notice, State, User
from labyard.models.base import begin_writing
from labyard.notices.mail import compose
from tests.unit.conftest import end_command, issue, key_of, make_person

SMALL = {"cpu_limit": 1, "memory_limit": 1024}


@pytest.fixture
def root(client: FlaskClient) -> dict[str, str]:
    return key_of(make_person("root", is_admin=True))


def set_budget(
    client: FlaskClient, root: dict[str, str], measure: str, limit: str, action: str, **more: Any
) -> str:
    body = {"scope": "user", "measure": measure, "limit": limit, "action": action, **more}
    made = client.post("/api/v1/budgets", json=body, headers=root)
    assert made.status_code == 201, made.json
    return str(made.json["id"])


def installed(client: FlaskClient, who: dict[str, str], name: str, **params: Any) -> str:
    """A deployment that runs; its id."""
    answer = issue(client, who, name=name, params={**SMALL, **params})
    assert answer.status_code == 202, answer.json
    begin_writing()
    command = session().get_one(Command, answer.json["id"])
    end_command(command)
    deployment = command.deployment
    deployment.state = State.PENDING
    deployment.state, deployment.health = State.COMPLETED, "running"
    deployment.services = [{"name": "notebook", "replicas": 1, "running": 1}]
    session().commit()
    return deployment.id


def watch(later: timedelta = timedelta()) -> list[str]:
    """Look at all budgets as if it were `later`; the commands that were asked for."""
    told: list[str] = []
    watch_budgets(session(), begin_writing, context().sealer, told.append, lambda: utc_now() + later)
    return told


def mine(client: FlaskClient, who: dict[str, str]) -> dict[str, dict[str, Any]]:
    items = client.get("/api/v1/budgets/mine", headers=who).json["items"]
    return {item["measure"]: item for item in items}


@pytest.mark.parametrize(
    ("measure", "place", "words"),
    [
        ("deployments", "budget", "1 deployment is used, and this takes 1 deployment more; remove or stop"),
        ("cpu", "cpu_limit", "more; take less, or stop something, or ask for more"),
        ("memory", "memory_limit", "GiB more; take less, or stop something, or ask for more"),
    ],
)
def test_launch_when_a_budget_refuses_then_says_which_at_its_field(
    client: FlaskClient, root: dict[str, str], ada: dict[str, str], measure: str, place: str, words: str
) -> None:
    deployment = session().get_one(Deployment, installed(client, ada, "one"))
    limit = "1" if measure == "deployments" else str(held_by(deployment, measure))
    budget = set_budget(client, root, measure, limit, "refuse", subject="ada")
    refused = issue(client, ada, name="two", params=SMALL)
    assert (refused.status_code, refused.json["detail"]) == (422, "A budget does not allow it.")
    text = refused.json["errors"][place]
    assert text.startswith("the budget of ada for ")
    assert words in text
    assert text.endswith(f"ask for more (budget {budget})")
    assert session().scalars(select(Deployment.name)).all() == ["one"]


def test_launch_when_it_fits_into_the_rest_then_is_taken_and_the_rest_is_shown(
    client: FlaskClient, root: dict[str, str], ada: dict[str, str]
) -> None:
    set_budget(client, root, "deployments", "2", "refuse")
    set_budget(client, root, "memory", "4", "refuse", scope="project", subject="default")
    installed(client, ada, "one")
    shown = mine(client, ada)["deployments"]
    assert (shown["used"], shown["left"], shown["percent"], shown["reached"]) == ("1", "1", 50, 0)
    assert issue(client, ada, name="two", params=SMALL).status_code == 202
    assert mine(client, ada)["deployments"]["reached"] == 100


def test_launch_when_the_budget_only_warns_then_is_taken(
    client: FlaskClient, root: dict[str, str], ada: dict[str, str]
) -> None:
    set_budget(client, root, "deployments", "0", "warn", subject="ada")
    assert issue(client, ada, params=SMALL).status_code == 202


def test_scale_when_a_budget_has_no_room_then_is_refused_and_less_is_taken(
    client: FlaskClient, root: dict[str, str], ada: dict[str, str]
) -> None:
    deployment = installed(client, ada, "one", memory_limit=2048)
    set_budget(client, root, "memory", str(mine_memory(deployment)), "refuse", subject="ada")

    def scale(memory: int) -> Any:
        body = {"deployment": deployment, "phase": "scale", "params": {"memory_limit": memory}}
        return client.post("/api/v1/commands", json=body, headers=ada)

    assert set(scale(4096).json["errors"]) == {"memory_limit"}
    assert scale(1024).status_code == 202


def mine_memory(deployment_id: str) -> Decimal:
    """The GiB that a deployment sets aside."""
    return held_by(session().get_one(Deployment, deployment_id), "memory")


def test_start_when_it_was_stopped_then_counts_again(
    client: FlaskClient, root: dict[str, str], ada: dict[str, str]
) -> None:
    deployment = installed(client, ada, "one")
    begin_writing()
    session().get_one(Deployment, deployment).health = "stopped"
    session().commit()
    set_budget(client, root, "memory", "0.1", "refuse", subject="ada")
    assert mine(client, ada)["memory"]["used"] == "0"
    body = {"deployment": deployment, "phase": "start", "params": {}}
    refused = client.post("/api/v1/commands", json=body, headers=ada)
    assert set(refused.json["errors"]) == {"memory_limit"}
    looked = client.post("/api/v1/commands", json={**body, "phase": "check"}, headers=ada)
    assert looked.status_code == 202


def test_budgets_when_one_is_of_the_person_then_it_goes_before_that_of_each(
    client: FlaskClient, root: dict[str, str], ada: dict[str, str]
) -> None:
    set_budget(client, root, "deployments", "0", "refuse")
    set_budget(client, root, "deployments", "1", "refuse", subject="ada")
    assert issue(client, ada, params=SMALL).status_code == 202
    eve = key_of(make_person("eve"))
    assert issue(client, eve, params=SMALL).status_code == 422


def test_watch_when_thresholds_are_reached_then_people_are_told_once_and_of_the_end(
    client: FlaskClient, root: dict[str, str], ada: dict[str, str]
) -> None:
    begin_writing()
    session().scalars(select(User).where(User.username == "ada")).one().email = "ada@example.org"
    session().commit()
    set_budget(client, root, "deployments", "4", "refuse", subject="ada")
    for name in ("one", "two", "three"):
        installed(client, ada, name)
    assert watch() == []
    watch()
    notices = session().scalars(select(Notice)).all()
    assert [(n.event, n.channel, n.body["data"]["budget"]["threshold"]) for n in notices] == [
        ("budget.reached", "mail", 70)
    ]
    mail = compose("lab@example.org", "ada@example.org", "n1", notices[0].body, utc_now(), "https://lab")
    assert mail["Subject"] == "75 % of the budget of ada for deployments is used"
    assert (
        "The budget of ada for deployments is used by 75 %: 3 deployments of 4 deployments."
        in mail.get_content()
    )
    installed(client, ada, "four")
    watch()
    alerts = session().scalars(select(BudgetAlert.threshold).order_by(BudgetAlert.id)).all()
    assert alerts == [70, 90, 100]
    begin_writing()
    for deployment in session().scalars(select(Deployment).where(Deployment.name != "one")):
        deployment.state = State.PENDING
        deployment.state = State.REMOVED
    session().commit()
    watch()
    watch()
    events = [n.event for n in session().scalars(select(Notice).order_by(Notice.created_at, Notice.id))]
    assert sorted(events) == ["budget.ended", "budget.reached", "budget.reached"]
    assert session().scalars(select(BudgetAlert).where(BudgetAlert.ended_at.is_(None))).all() == []


def test_watch_when_the_budget_stops_then_waits_for_the_grace_period_and_stops_the_newest(
    client: FlaskClient, root: dict[str, str], ada: dict[str, str]
) -> None:
    installed(client, ada, "old")
    installed(client, ada, "new")
    one = mine_memory(session().scalars(select(Deployment.id).where(Deployment.name == "old")).one())
    set_budget(client, root, "memory", str(one), "stop", subject="ada", grace_minutes=30)
    assert watch() == []
    assert mine(client, ada)["memory"]["stop_at"] is not None
    assert watch(timedelta(minutes=29)) == []
    (command_id,) = watch(timedelta(minutes=31))
    command = session().get_one(Command, command_id)
    assert (command.phase, command.deployment.name, command.issuer.username) == ("stop", "new", "root")
    entry = session().scalars(select(AuditEntry).where(AuditEntry.action == "budget stop")).one()
    assert entry.username == "budget"
    assert watch(timedelta(minutes=32)) == []  # it is being stopped


def test_watch_when_the_cause_ends_within_the_grace_period_then_nothing_is_stopped(
    client: FlaskClient, root: dict[str, str], ada: dict[str, str]
) -> None:
    deployment = installed(client, ada, "one")
    set_budget(client, root, "memory", "0.1", "stop", subject="ada", grace_minutes=30)
    watch()
    begin_writing()
    session().get_one(Deployment, deployment).health = "stopped"
    session().commit()
    assert watch(timedelta(minutes=31)) == []
    begin_writing()
    session().get_one(Deployment, deployment).health = "running"
    session().commit()
    assert watch(timedelta(minutes=32)) == []  # the grace period begins anew
    assert len(watch(timedelta(minutes=63))) == 1


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"scope": "platform", "subject": "ada"}, {"subject"}),
        ({"scope": "user", "subject": "nobody"}, {"subject"}),
        ({"scope": "project", "subject": "nothing"}, {"subject"}),
        ({"action": "stop"}, {"action"}),
        ({"measure": "money_month"}, {"currency"}),
        ({"measure": "money_month", "currency": "ABC"}, {"currency"}),
        ({"currency": "EUR"}, {"currency"}),
        ({"limit": "-1"}, {"limit"}),
        ({"grace_minutes": 99999}, {"grace_minutes"}),
        ({"measure": "luck"}, {"measure"}),
    ],
)
def test_budget_when_a_field_is_wrong_then_the_message_stands_there(
    client: FlaskClient, root: dict[str, str], changes: dict[str, Any], fields: set[str]
) -> None:
    body = {"scope": "user", "measure": "deployments", "limit": "1", **changes}
    refused = client.post("/api/v1/budgets", json=body, headers=root)
    assert refused.status_code == 422
    assert {name.removeprefix("json.") for name in refused.json["errors"]} == fields


def test_budget_when_seen_by_others_then_is_hidden_and_changes_need_an_admin(
    client: FlaskClient, root: dict[str, str], ada: dict[str, str]
) -> None:
    budget = set_budget(client, root, "deployments", "4", "refuse", subject="ada")
    eve = key_of(make_person("eve"))
    assert client.get("/api/v1/budgets", headers=eve).json["items"] == []
    assert client.get(f"/api/v1/budgets/{budget}", headers=eve).status_code == 404
    assert client.patch(f"/api/v1/budgets/{budget}", json={"limit": "9"}, headers=ada).status_code == 403
    seen = client.get(f"/api/v1/budgets/{budget}", headers=ada)
    stale = {**root, "If-Match": seen.headers["ETag"]}
    assert client.patch(f"/api/v1/budgets/{budget}", json={"limit": "9"}, headers=stale).json["limit"] == "9"
    assert client.patch(f"/api/v1/budgets/{budget}", json={"limit": "8"}, headers=stale).status_code == 412
    again = client.post(
        "/api/v1/budgets",
        json={"scope": "user", "subject": "ada", "measure": "deployments", "limit": "1"},
        headers=root,
    )
    assert again.status_code == 409
    assert client.delete(f"/api/v1/budgets/{budget}", headers=root).status_code == 204
    assert session().scalars(select(Budget)).all() == []


def test_request_when_approved_then_the_person_has_a_budget_of_their_own_and_is_told(
    client: FlaskClient, root: dict[str, str], ada: dict[str, str]
) -> None:
    begin_writing()
    for person in session().scalars(select(User)):
        person.email = f"{person.username}@example.org"
    session().commit()
    budget = set_budget(client, root, "deployments", "1", "refuse")
    body = {"budget": budget, "limit": "3", "reason": "a course"}
    asked = client.post("/api/v1/budget-requests", json=body, headers=ada)
    assert (asked.status_code, asked.json["state"]) == (201, "asked")
    assert client.post("/api/v1/budget-requests", json=body, headers=ada).status_code == 409
    place = f"/api/v1/budget-requests/{asked.json['id']}"
    assert client.post(f"{place}/approve", json={}, headers=ada).status_code == 403
    given = client.post(f"{place}/approve", json={"answer": "have fun"}, headers=root)
    assert (given.json["state"], given.json["answered_by"]) == ("approved", "root")
    assert client.post(f"{place}/decline", json={"answer": "no"}, headers=root).status_code == 409
    shown = mine(client, ada)["deployments"]
    assert (shown["limit"], shown["subject"]) == ("3", "ada")
    assert {b.subject: b.most for b in session().scalars(select(Budget))} == {
        "": Decimal(1),
        "ada": Decimal(3),
    }
    told = [(n.event, n.user.username) for n in session().scalars(select(Notice))]
    assert sorted(told) == [("budget.approved", "ada"), ("budget.requested", "root")]


def test_request_when_declined_then_says_why_and_nothing_changes(
    client: FlaskClient, root: dict[str, str], ada: dict[str, str]
) -> None:
    budget = set_budget(client, root, "deployments", "1", "refuse", subject="ada")
    body = {"budget": budget, "limit": "3", "reason": "a course"}
    assert client.post("/api/v1/budget-requests", json={**body, "limit": "1"}, headers=ada).status_code == 422
    assert (
        client.post("/api/v1/budget-requests", json={**body, "budget": "a" * 12}, headers=ada).status_code
        == 422
    )
    asked = client.post("/api/v1/budget-requests", json=body, headers=ada).json
    no = client.post(f"/api/v1/budget-requests/{asked['id']}/decline", json={"answer": "full"}, headers=root)
    assert (no.json["state"], no.json["answer"]) == ("declined", "full")
    assert session().scalars(select(Budget.most)).one() == 1


def test_status_when_budgets_are_default_then_is_shown_for_each(
    client: FlaskClient, root: dict[str, str], ada: dict[str, str], app: APIFlask
) -> None:
    budget = set_budget(client, root, "deployments", "2", "warn")
    installed(client, ada, "one")
    seen = client.get(f"/api/v1/budgets/{budget}/status", headers=root).json["items"]
    assert [(s["subject"], s["used"]) for s in seen] == [("ada", "1")]
    own = client.get(f"/api/v1/budgets/{budget}/status", headers=key_of(make_person("eve"))).json["items"]
    assert [(s["subject"], s["used"]) for s in own] == [("eve", "0")]
    row = session().get_one(Budget, budget)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    assert status_of(session(), row, "ada", lambda: at).level.percent == 50
