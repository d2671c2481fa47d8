"""Budgets of money are asked before a launch, and nobody waits for the writing transaction meanwhile."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from apiflask import APIFlask
from click.testing import CliRunner
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.months import month_of
from labyard.billing import budget_look, kept_spending
from labyard.billing.budget_usage import Subject, money_spent, used
from labyard.billing.kept_spending import add_new, is_behind
from labyard.cli import cli
from labyard.clock import utc_now
from labyard.context import session
from labyard.models import Budget, Command, Deployment, Project, SpendingMark, User, db
from labyard.models.base import begin_writing
from labyard.settings import Settings
from tests.billing_data import add_standard_tariff, hours, take
from tests.unit.conftest import PASSWORD, issue, key_of, make_person

USED_UP = "the budget of ada for money in all is 1.00 EUR: 1.00 EUR is used"
SUMMED = "What was used is still being summed up"


@pytest.fixture
def ada(app: APIFlask) -> dict[str, str]:
    """Somebody who has used an hour of a core twenty times, 1.00 EUR, this month."""
    make_person("root", is_admin=True)
    person = make_person("ada")
    begin = utc_now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    add_standard_tariff()
    take(*hours(20, begin))
    return key_of(person)


def set_budget(
    most: str = "1.00", measure: str = "money_total", scope: str = "user", subject: str = "ada"
) -> None:
    begin_writing()
    root = session().scalars(select(User).where(User.username == "root")).one()
    what = {"scope": scope, "subject": subject, "measure": measure, "currency": "EUR"}
    session().add(Budget(**what, most=Decimal(most), action="refuse", grace_minutes=0, set_by=root))
    session().commit()


def names() -> list[str]:
    """The deployments that there are."""
    found = list(session().scalars(select(Deployment.name).order_by(Deployment.name)))
    session().rollback()
    return found


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each time that money is added up, whether a writing transaction was open."""
    found = []

    def look(session: Session, *about: Any) -> Decimal:
        found.append(bool(session.connection().get_execution_options().get("labyard_writing")))
        return money_spent(session, *about)

    monkeypatch.setattr(budget_look, "money_spent", look)
    return found


@pytest.mark.parametrize("measure", ["money_total", "money_month"])
def test_launch_when_money_is_used_up_then_is_refused_and_was_added_up_before_writing(
    client: FlaskClient, ada: dict[str, str], looks: list[bool], measure: str
) -> None:
    set_budget(measure=measure)
    refused = issue(client, ada)
    assert refused.status_code == 422
    assert (
        USED_UP.replace("in all", "in all" if measure == "money_total" else "this month")
        in (refused.json["errors"]["budget"])
    )
    assert (names(), looks) == ([], [False])


def test_launch_when_money_is_left_then_is_taken_once_and_told_once(
    client: FlaskClient, ada: dict[str, str], looks: list[bool]
) -> None:
    set_budget("5")
    set_budget("5", scope="platform", subject="")
    headers = {**ada, "Idempotency-Key": "one"}
    taken = issue(client, headers)
    assert taken.status_code == 202
    assert looks == [False, False]
    again = issue(client, headers)
    assert (again.json, again.headers["Idempotency-Replayed"]) == (taken.json, "true")
    assert names() == ["demo"]
    assert len(session().scalars(select(Command.id)).all()) == 1


def test_launch_when_no_budget_of_money_counts_then_nothing_is_added_up(
    client: FlaskClient, ada: dict[str, str], looks: list[bool]
) -> None:
    set_budget("9", measure="deployments")
    assert issue(client, ada).status_code == 202
    assert looks == []


def test_launch_when_the_budget_is_lowered_while_money_is_added_up_then_the_new_limit_counts(
    client: FlaskClient, ada: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_budget("5")

    def lower(session: Session, *about: Any) -> Decimal:
        spent = money_spent(session, *about)
        session.rollback()
        begin_writing()
        session.scalars(select(Budget)).one().most = Decimal(1)
        session.commit()
        return spent

    monkeypatch.setattr(budget_look, "money_spent", lower)
    assert USED_UP in issue(client, ada).json["errors"]["budget"]
    assert names() == []


def test_launch_when_the_budget_comes_while_money_is_added_up_then_it_is_asked_too(
    client: FlaskClient, ada: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_budget("5")
    came = []

    def add(session: Session, *about: Any) -> Decimal:
        spent = money_spent(session, *about)
        session.rollback()
        if not came:
            set_budget("1.00", scope="project", subject="default")
            came.append(True)
        return spent

    monkeypatch.setattr(budget_look, "money_spent", add)
    assert "the budget of the project default for money in all" in issue(client, ada).json["errors"]["budget"]


def test_bulk_when_projects_have_budgets_then_all_are_added_up_at_once_and_each_has_its_result(
    client: FlaskClient, ada: dict[str, str], looks: list[bool]
) -> None:
    begin_writing()
    person = session().scalars(select(User).where(User.username == "ada")).one()
    person.projects.append(Project(name="physics"))
    session().commit()
    set_budget("1.00", scope="project", subject="default")
    set_budget("1.00", scope="project", subject="physics")
    wanted = [
        {"plan": "notebook", "phase": "install", "name": f"{project}-{n}", "project": project, "params": {}}
        for project in ("default", "physics")
        for n in range(2)
    ]
    answer = client.post("/api/v1/commands/bulk", json={"commands": wanted}, headers=ada)
    assert [item["status"] for item in answer.json["items"]] == [422, 422, 202, 202]
    assert (looks, names()) == ([False, False], ["physics-0", "physics-1"])


def test_launch_when_too_much_is_not_summed_up_then_is_told_to_try_again_and_then_taken(
    client: FlaskClient, ada: dict[str, str], looks: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_budget("5")
    monkeypatch.setattr(kept_spending, "BEHIND", 19)
    answer = issue(client, ada)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert answer.json["detail"].startswith(SUMMED)
    assert (names(), looks) == ([], [])
    assert add_new(session(), begin_writing) == 20
    assert not is_behind(session())
    assert issue(client, ada).status_code == 202


def test_launch_form_when_too_much_is_not_summed_up_then_keeps_what_was_typed(
    app: APIFlask, ada: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    set_budget("5")
    monkeypatch.setattr(kept_spending, "BEHIND", 0)
    browser = app.test_client()
    assert browser.post("/sign-in", data={"username": "ada", "password": PASSWORD}).status_code == 303
    answer = browser.post("/plans/notebook/launch", data={"name": "my-work", "project": "default"})
    assert answer.status_code == 503
    assert SUMMED in answer.text
    assert 'value="my-work"' in answer.text
    monkeypatch.setattr(kept_spending, "BEHIND", 20)
    answer = browser.post("/plans/notebook/launch", data={"name": "my-work", "project": "default"})
    assert answer.status_code == 303
    assert names() == ["my-work"]


def test_upgrade_of_the_database_when_usage_is_in_no_sum_then_sums_it_up(
    commands_of_the_machine: None, settings: Settings, ada: dict[str, str]
) -> None:
    environment = {"LABYARD_HOME": str(settings.home), "LABYARD_DATABASE_URL": settings.database_url}

    def upgrade() -> str:
        db.session.remove()
        return CliRunner().invoke(cli, ["db", "upgrade"], env=environment).output

    assert upgrade() == "unchanged\n20 usage records were summed up for budgets\n"
    assert session().scalars(select(SpendingMark.upto)).one() >= 20
    assert upgrade() == "unchanged\n"


def test_add_new_when_there_are_many_parts_then_adds_all_of_them(
    ada: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_spending, "LARGE_PART", 3)
    assert add_new(session(), begin_writing) == 20
    assert add_new(session(), begin_writing) == 0
    assert money_spent(session(), Subject("user", "ada"), "money_total", "EUR", month_of(utc_now())) == 1


def test_money_when_the_measure_is_none_of_a_budget_then_is_refused(app: APIFlask) -> None:
    with pytest.raises(ValueError, match="furlongs is no measure of a budget"):
        used(session(), Subject("user", "ada"), "furlongs", "", utc_now())
