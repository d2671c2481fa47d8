"""Prices before a launch: on cards, sizes, the form, and while it is filled in."""

from __future__ import annotations

import re

from labyard.billing.accounts import make_account
from labyard.billing.budget_book import make_budget
from labyard.models import User, db
from tests.unit.pages.billing_data import make_tariff, record, take
from tests.unit.pages.test_pages_costs import words
from tests.unit.pages.test_pages_launch import count_deployments, form

SHAPES = {
    "small": {"cpu_limit": 1.0, "memory_limit": 1024},
    "large": {"cpu_limit": 4.0, "memory_limit": 4096},
}
# 0.1 core of each core of the limit is set aside, and all of the memory.
SIMPLE = [
    {"name": "cores", "resource": "cpu", "model": "unit", "per": "core_hour", "price": "0.10"},
    {"name": "memory", "resource": "memory", "model": "unit", "per": "GiB_hour", "price": "0.02"},
]


def price_words(page: str) -> str:
    """What the box with the price says."""
    found = re.search(r"<p[^>]*data-price-words>(.*?)</p>", page, re.DOTALL)
    assert found, "the page has no price"
    return words(found[1]).strip()


def test_pages_when_there_is_no_tariff_then_speak_of_no_price(maria, make_plan):
    make_plan(shapes=SHAPES)
    for path in ("/", "/plans/notebook/launch"):
        page = maria.get(path).text
        assert "an hour" not in page
        assert "data-price" not in page
    assert maria.get("/plans/notebook/price").json == {"hour": "", "month": "", "beside": "", "left": []}


def test_form_when_shown_then_has_the_price_of_its_values_and_of_each_size(app, maria, make_plan):
    make_plan(shapes=SHAPES)
    make_tariff(app, prices=SIMPLE)
    page = maria.get("/plans/notebook/launch").text
    assert price_words(page) == "0.03 EUR an hour, 21.90 EUR a month"
    assert "0.12 EUR an hour · 87.60 EUR a month" in words(page)
    assert price_words(maria.get("/plans/notebook/launch?shape=large").text).startswith("0.12 EUR an hour")
    cards = words(maria.get("/").text)
    assert "0.03 EUR an hour · 21.90 EUR a month" in cards
    assert "0.12 EUR an hour · 87.60 EUR a month" in cards


def test_card_when_a_plan_has_no_sizes_then_has_the_price_of_its_defaults(app, maria, make_plan):
    make_plan()
    make_tariff(app, prices=SIMPLE)
    assert "0.03 EUR an hour · 21.90 EUR a month" in words(maria.get("/").text)


def test_price_when_values_change_then_is_that_of_the_values(app, maria, make_plan):
    make_plan()
    make_tariff(app, prices=SIMPLE)
    answer = maria.get("/plans/notebook/price?param-cpu_limit=2&param-memory_limit=2048")
    assert answer.json == {"hour": "0.06 EUR", "month": "43.80 EUR", "beside": "", "left": []}
    for junk in ("", "much", "1e999", "NaN", "-3"):
        assert maria.get("/plans/notebook/price", query_string={"param-cpu_limit": junk}).status_code == 200
    assert maria.get("/plans/nothing/price").status_code == 404


def test_price_when_the_shape_has_its_own_then_that_one_counts(app, maria, make_plan):
    make_plan(shapes=SHAPES)
    own = {**SIMPLE[0], "name": "cores of large", "price": "1", "shapes": ["large"]}
    make_tariff(app, prices=[own, *SIMPLE])
    page = words(maria.get("/plans/notebook/launch").text)
    assert "0.48 EUR an hour · 350.40 EUR a month" in page  # 0.4 cores at 1, 4 GiB at 0.02


def test_price_when_something_is_billed_as_it_is_used_then_says_so(app, maria, make_plan):
    make_plan()
    volume = {"name": "disk", "resource": "volume", "model": "unit", "per": "GiB_hour", "price": "0.0002"}
    make_tariff(app, prices=[*SIMPLE, volume])
    beside = "volumes at 0.0002 EUR a GiB-hour"
    assert maria.get("/plans/notebook/price").json["beside"] == beside
    assert beside in maria.get("/plans/notebook/launch").text


def test_price_when_nothing_of_it_has_one_then_says_so(app, maria, make_plan):
    make_plan()
    make_tariff(app, prices=[{**SIMPLE[0], "plans": ["other"]}])
    assert price_words(maria.get("/plans/notebook/launch").text) == "No price"
    make_tariff(app, name="future", valid_from="2999-01-01")
    assert price_words(maria.get("/plans/notebook/launch").text) == "No price"


def test_price_when_the_project_is_paid_by_an_account_then_its_tariff_counts(app, maria, make_plan):
    make_plan()
    make_tariff(app, prices=SIMPLE)
    make_tariff(app, name="cheap", prices=[{**SIMPLE[1], "price": "0.01"}])
    with app.app_context():
        make_account(db.session, {"name": "physics", "projects": ["default"], "tariff": "cheap"})
        db.session.commit()
    page = maria.get("/plans/notebook/launch").text
    assert price_words(page) == "0.01 EUR an hour, 7.30 EUR a month"
    assert "Account physics pays." in page


def test_form_when_asked_for_the_price_without_scripts_then_launches_nothing(app, maria, make_plan):
    make_plan()
    make_tariff(app, prices=SIMPLE)
    sent = {**form(param__cpu_limit="2", param__memory_limit="2048", name="mine"), "price": "1"}
    answer = maria.post("/plans/notebook/launch", data=sent)
    assert answer.status_code == 200
    assert price_words(answer.text) == "0.06 EUR an hour, 43.80 EUR a month"
    assert 'value="mine"' in answer.text
    assert count_deployments(app) == 0


def test_form_when_a_deployment_is_resized_then_has_the_price_of_its_values(
    app, maria, make_plan, make_deployment
):
    make_plan()
    make_tariff(app, prices=SIMPLE)
    number = make_deployment(params={"cpu_limit": 2.0, "memory_limit": 2048})
    assert (
        price_words(maria.get(f"/deployments/{number}/scale").text) == "0.06 EUR an hour, 43.80 EUR a month"
    )
    assert "data-price" not in maria.get(f"/deployments/{number}/remove").text


def test_form_when_there_are_budgets_then_says_what_is_left(app, maria, make_plan, make_person):
    make_person("root", is_admin=True)
    make_plan()
    make_tariff(app, prices=SIMPLE)
    with app.app_context():
        admin = db.session.query(User).filter_by(username="root").one()
        budget = {"scope": "user", "measure": "money_total", "limit": "10", "currency": "EUR"}
        make_budget(db.session, admin, budget)
        db.session.commit()
    take(app, [record("a", "2026-01-05T10:00", "2026-01-05T11:00", "5")])
    left = "Left of the budget of maria for money in all: 9.50 EUR of 10.00 EUR"
    assert left in maria.get("/plans/notebook/launch").text
    assert maria.get("/plans/notebook/price?project=default").json["left"] == [left]
