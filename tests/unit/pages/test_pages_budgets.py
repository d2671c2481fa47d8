"""Budgets in the console: bars with words, asking for more, answering."""

from __future__ import annotations

import re

import pytest

from labyard.models import Budget, BudgetRequest, db
from tests.unit.pages.test_pages_costs import table_of, words

GOOD = {"scope": "user", "subject": "maria", "measure": "cpu", "limit": "4", "action": "warn"}


@pytest.fixture
def root(maria, make_person, sign_in):
    """An admin's browser; maria is there."""
    return sign_in(make_person("root", is_admin=True))


def set_budget(app, root, **changes) -> str:
    """Set a budget by the form; gives its id."""
    assert root.post("/costs/budgets", data={**GOOD, **changes}).status_code == 303
    with app.app_context():
        return str(db.session.query(Budget).one().id)


def test_budgets_when_there_are_none_then_says_so(maria):
    page = maria.get("/costs/budgets").text
    assert "No budget counts for you." in page
    assert "Set a budget" not in page


def test_budgets_when_one_is_set_then_has_a_bar_and_words(app, maria, root):
    set_budget(app, root)
    page = maria.get("/costs/budgets").text
    assert "The budget of maria for CPU" in page
    assert "0 cores of 4 cores, 0 %" in words(page)
    assert '<svg class="bar"' in page
    assert table_of(root.get("/costs/budgets").text, "All budgets")[1][1:] == [
        "4 cores",
        "Only a warning",
        "root",
    ]
    assert 'href="/costs"' in maria.get("/").text, "budgets alone lead to the pages on costs"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"limit": "many"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"subject": "nobody"}, "subject"),
        ({"measure": "money_month"}, "currency"),
        ({"currency": "EUR"}, "currency"),
        ({"measure": "storage", "action": "stop"}, "action"),
        ({"grace_minutes": "soon"}, "grace_minutes"),
        ({"scope": "village"}, "scope"),
    ],
)
def test_budget_when_the_form_is_wrong_then_says_so_at_the_field(app, root, changes, field):
    answer = root.post("/costs/budgets", data={**GOOD, **changes})
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    with app.app_context():
        assert db.session.query(Budget).count() == 0


def test_budget_when_it_is_there_already_then_is_refused(app, root):
    set_budget(app, root)
    answer = root.post("/costs/budgets", data=GOOD)
    assert answer.status_code == 409
    assert "There is such a budget already" in answer.text


def test_budget_when_changed_and_deleted_by_an_admin_then_it_is(app, maria, root):
    number = set_budget(app, root)
    assert maria.get(f"/costs/budgets/{number}").status_code == 403
    assert maria.post(f"/costs/budgets/{number}/delete").status_code == 403
    assert maria.post("/costs/budgets", data=GOOD).status_code == 403
    assert "0 cores of 4 cores" in words(root.get(f"/costs/budgets/{number}").text)
    wrong = root.post(f"/costs/budgets/{number}", data={"limit": "x", "action": "warn"})
    assert wrong.status_code == 422
    assert 'id="limit-error"' in wrong.text
    assert root.post(f"/costs/budgets/{number}", data={"limit": "6", "action": "refuse"}).status_code == 303
    assert "0 cores of 6 cores" in words(maria.get("/costs/budgets").text)
    assert root.post(f"/costs/budgets/{number}/delete").status_code == 303
    assert "No budget counts for you." in maria.get("/costs/budgets").text


def test_request_when_asked_in_the_form_then_an_admin_approves_by_a_click(app, maria, root):
    number = set_budget(app, root)
    less = maria.post(f"/costs/budgets/{number}/more", data={"limit": "3", "reason": "x", "subject": "maria"})
    assert less.status_code == 422
    assert re.search(r'id="more-1-limit-error"', less.text)
    sent = {"limit": "8", "reason": "a course <b>", "subject": "maria"}
    assert maria.post(f"/costs/budgets/{number}/more", data=sent).status_code == 303
    page = maria.get("/costs/budgets").text
    assert "an admin has not answered yet" in page
    assert "a course &lt;b&gt;" in page
    with app.app_context():
        asked = db.session.query(BudgetRequest).one().id
    assert maria.post(f"/costs/budget-requests/{asked}/approve").status_code == 403
    assert "8 cores instead of 4 cores" in words(root.get("/costs/budgets").text)
    assert root.post(f"/costs/budget-requests/{asked}/approve").status_code == 303
    assert "0 cores of 8 cores" in words(maria.get("/costs/budgets").text)
    assert root.post(f"/costs/budget-requests/{asked}/approve").status_code == 409


def test_request_when_declined_then_needs_a_reason(app, maria, root):
    number = set_budget(app, root)
    sent = {"limit": "8", "reason": "a course", "subject": "maria"}
    maria.post(f"/costs/budgets/{number}/more", data=sent)
    with app.app_context():
        asked = db.session.query(BudgetRequest).one().id
    without = root.post(f"/costs/budget-requests/{asked}/decline")
    assert without.status_code == 422
    assert f'id="answer-{asked}-error"' in without.text
    good = {"answer": "next term"}
    assert root.post(f"/costs/budget-requests/{asked}/decline", data=good).status_code == 303
    assert "next term" in maria.get("/costs/budgets").text
